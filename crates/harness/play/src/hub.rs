//! Events to every open page.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use parking_lot::Mutex;
use serde::Serialize;

/// Events that wait for a page; one that falls further behind is closed, and its browser opens another stream.
const BEHIND: usize = 4096;

/// The pages that listen.
#[derive(Debug, Default)]
pub(crate) struct Hub(Mutex<Vec<SyncSender<Arc<str>>>>);

impl Hub {
    /// Adds a page; its events begin now.
    pub(crate) fn listen(&self) -> Receiver<Arc<str>> {
        let (sender, receiver) = sync_channel(BEHIND);
        self.0.lock().push(sender);
        receiver
    }

    /// Sends an event to every page, and forgets those that have left.
    pub(crate) fn send(&self, name: &str, event: &impl Serialize) {
        self.pass(line(name, event));
    }

    /// The same with an event that is a line already.
    pub(crate) fn pass(&self, line: Option<Arc<str>>) {
        let Some(line) = line else { return };
        let mut pages = self.0.lock();
        pages.retain(|page| match page.try_send(Arc::clone(&line)) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        });
    }
}

/// An event as it goes over the wire; `None` for one that is no JSON.
pub(crate) fn line(name: &str, event: &impl Serialize) -> Option<Arc<str>> {
    let data = serde_json::to_string(event).ok()?;
    Some(format!("event: {name}\ndata: {data}\n\n").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_hears_and_one_that_left_is_forgotten() {
        let hub = Hub::default();
        let (one, two) = (hub.listen(), hub.listen());
        hub.send("a", &1);
        assert_eq!(&*one.try_recv().unwrap(), "event: a\ndata: 1\n\n");
        drop(one);
        hub.send("b", &"x\ny");
        let heard: Vec<_> = two.try_iter().map(|line| line.to_string()).collect();
        assert_eq!(heard, ["event: a\ndata: 1\n\n", "event: b\ndata: \"x\\ny\"\n\n"]);
        assert_eq!(hub.0.lock().len(), 1);
    }

    #[test]
    fn a_page_that_does_not_read_is_closed_and_costs_no_memory() {
        let hub = Hub::default();
        let page = hub.listen();
        for number in 0..2 * BEHIND {
            hub.send("n", &number);
        }
        assert_eq!(page.iter().count(), BEHIND);
    }
}
