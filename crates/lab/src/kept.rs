//! A run as far as it has come, so that a signal loses none of it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use suite::document::{Document, Row};
use suite::exit::Exit;
use suite::scenarios;
use testbed::guard;

use crate::progress::say;

/// A run's document while it grows.
pub(crate) struct Kept(Arc<Mutex<Option<Document>>>);

impl Kept {
    /// Begins with a document that has no verdict yet. When SIGINT or SIGTERM arrives, `last` is given what was judged until then,
    /// and the process ends.
    pub(crate) fn new(
        document: Document,
        last: impl FnOnce(&Document) + Send + 'static,
    ) -> Result<Self, String> {
        let state = Arc::new(Mutex::new(Some(document)));
        let shared = Arc::clone(&state);
        let ended = move |signal| {
            let Some(mut document) = shared.lock().take() else {
                // All is judged, and the results are being written: the process is about to end.
                return std::thread::sleep(Duration::from_secs(10));
            };
            // What its servers' deaths break is no verdict: from here on no row is taken.
            guard::kill_all();
            document.interrupted = true;
            sort(&mut document);
            told(&document);
            last(&document);
            std::process::exit(Exit::by_signal(signal).status().into());
        };
        guard::on_signals(ended)?;
        Ok(Self(state))
    }

    /// Changes the document, unless a signal has taken it.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Document)) {
        if let Some(document) = self.0.lock().as_mut() {
            change(document);
        }
    }

    /// Adds a verdict.
    pub(crate) fn judged(&self, row: &Row) {
        self.note(|document| document.results.push(row.clone()));
    }

    /// The whole run, its verdicts in the order of the servers and of the table. After a signal it does not return.
    pub(crate) fn finish(&self) -> Document {
        let taken = self.0.lock().take();
        match taken {
            Some(mut document) => {
                sort(&mut document);
                document
            }
            None => loop {
                std::thread::park();
            },
        }
    }
}

/// Orders the verdicts by server and by the table of scenarios.
fn sort(document: &mut Document) {
    let table = scenarios::all();
    let servers: Vec<String> = document.servers.iter().map(|server| server.name.clone()).collect();
    document.results.sort_by_key(|row| {
        let server = servers.iter().position(|name| *name == row.server);
        (server, table.iter().position(|scenario| scenario.id == row.id))
    });
}

/// Says how far the run has come.
fn told(document: &Document) {
    let judged = document.results.iter().filter(|row| row.is_judged()).count();
    let counts: Vec<_> =
        document.counts(None).iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    let counts = if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) };
    say(&format!("interrupted: {judged} scenarios were judged until then{counts}; the others were not"));
}
