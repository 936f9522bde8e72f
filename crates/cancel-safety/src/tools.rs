//! The ways to find out whether something was lost, which the checks have in common.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use drop_at_await::{Checker, Outcome, Report, Run, TaskRun, Verdict};

/// The end of a check: `Err` says what was lost.
pub(crate) type Lost = Result<(), String>;

/// The bytes that go through streams.
pub(crate) const MESSAGE: &[u8] = b"0123456789abcdef";

/// Checks code that no other thread takes part in, so that a wake that is missing is lost.
pub(crate) fn alone<V: Verdict>(run: impl FnMut(&mut Run) -> V) -> Report {
    Checker::new().patience(Duration::ZERO).check(run)
}

/// Checks code that needs tokio's timers, sockets or tasks, on a runtime of one thread.
pub(crate) fn in_tokio<V: Verdict>(run: impl AsyncFnMut(&mut TaskRun) -> V) -> Report {
    checked_in_tokio(&Checker::new(), run)
}

fn checked_in_tokio<V: Verdict>(checker: &Checker, run: impl AsyncFnMut(&mut TaskRun) -> V) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime of one thread starts").block_on(checker.check_in_task(run))
}

/// Repeats a check whose timers were due before they were awaited, as happens on a busy machine.
pub(crate) fn until_it_waits(check: impl Fn() -> Report) -> Report {
    let mut report = check();
    for _ in 0..20 {
        if report.drops() > 0 {
            break;
        }
        report = check();
    }
    report
}

/// Polls a future once and drops it.
pub(crate) fn now<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Says what is wrong unless `right`.
pub(crate) fn check(right: bool, wrong: &str) -> Lost {
    if right { Ok(()) } else { Err(wrong.to_owned()) }
}

/// Checks that each of the items from 0 up to `count` arrived once, in order.
pub(crate) fn all_there(count: u32, arrived: &[u32]) -> Lost {
    check(arrived.iter().copied().eq(0..count), &format!("of {count} items {arrived:?} arrived"))
}

/// Checks that the whole message arrived, each byte once.
pub(crate) fn whole_message(arrived: &[u8]) -> Lost {
    check(arrived == MESSAGE, &format!("{:?} arrived", String::from_utf8_lossy(arrived)))
}

/// Receives three items, each sent while the receiver waits.
pub(crate) fn receives(
    run: &mut Run,
    mut receive: impl AsyncFnMut() -> Option<u32>,
    mut send: impl FnMut(u32) -> bool,
) -> Lost {
    let (mut sent, mut arrived) = (0, Vec::new());
    while arrived.len() < 3 {
        let outcome = run.retry(&mut receive, |_| {
            let more = sent < 3 && send(sent);
            sent += u32::from(more);
            more
        });
        let Outcome::Completed(Some(item)) = outcome else { break };
        arrived.push(item);
    }
    all_there(3, &arrived)
}

/// Does as [`receives`] in a task.
pub(crate) async fn receives_in_task(
    run: &mut TaskRun,
    mut receive: impl AsyncFnMut() -> Option<u32>,
    mut send: impl FnMut(u32) -> bool,
) -> Lost {
    let (mut sent, mut arrived) = (0, Vec::new());
    while arrived.len() < 3 {
        let peer = |_| {
            let more = sent < 3 && send(sent);
            sent += u32::from(more);
            more
        };
        let Outcome::Completed(Some(item)) = run.retry(&mut receive, peer).await else { break };
        arrived.push(item);
    }
    all_there(3, &arrived)
}

/// Sends three items through a channel that is full, each received while the sender waits.
///
/// An item whose send was dropped is not sent again: it was moved into the send.
pub(crate) fn sends(
    run: &mut Run,
    mut send: impl AsyncFnMut(u32) -> bool,
    mut receive: impl FnMut() -> Option<u32>,
) -> Lost {
    let mut arrived = Vec::new();
    for item in 0..3 {
        drop(run.drive_beside(send(item), |_| {
            let received = receive();
            arrived.extend(received);
            received.is_some()
        }));
    }
    arrived.extend(std::iter::from_fn(receive));
    all_there(3, &arrived)
}

/// Reads the message, which is fed a byte at a time while the reader waits; each call returns what it read.
pub(crate) fn reads(
    run: &mut Run,
    mut read: impl AsyncFnMut() -> Option<Vec<u8>>,
    mut feed: impl FnMut(&[u8]) -> bool,
) -> Lost {
    let (mut fed, mut arrived) = (0, Vec::new());
    while arrived.len() < MESSAGE.len() {
        let outcome = run.retry(&mut read, |_| {
            let more = fed < MESSAGE.len() && feed(&MESSAGE[fed..=fed]);
            fed += usize::from(more);
            more
        });
        match outcome {
            Outcome::Completed(Some(bytes)) if !bytes.is_empty() => arrived.extend(bytes),
            _ => break,
        }
    }
    whole_message(&arrived)
}

/// The fate of a thing that was released for the first of two waiters.
#[derive(Clone, Copy)]
pub(crate) enum UsedUp {
    /// It gives it back: a lock, a permit.
    Never,
    /// It does when it completes: an item that it receives.
    ByCompletion,
    /// It does even when it is dropped, once it was woken: an item that was fetched from it.
    Always,
}

/// Two wait for one thing; the first is dropped, or lets go of it at its end, and the second must get it.
///
/// `release` makes the thing free.
pub(crate) fn passes_on<T, U>(
    run: &mut Run,
    first: impl Future<Output = T>,
    second: impl Future<Output = U>,
    used_up: UsedUp,
    mut release: impl FnMut(),
) -> Lost {
    let mut second = pin!(second);
    let mut released = false;
    let first = run.drive_beside(first, |step| {
        if step == 0 {
            queue_up(second.as_mut());
            release();
            released = true;
        }
        step == 0
    });
    let canceled = first.is_canceled();
    drop(first);
    let gone = match used_up {
        UsedUp::Never => false,
        UsedUp::ByCompletion => !canceled,
        UsedUp::Always => true,
    };
    if !released || gone {
        release();
    }
    // It may be the second whose turn it is to be dropped.
    let woken = matches!(run.drive(second), Outcome::Completed(_) | Outcome::Canceled(_));
    check(woken, "the next in the queue waits for ever")
}

/// Has a future wait behind the one under test.
fn queue_up<F: Future>(future: Pin<&mut F>) {
    assert!(
        future.poll(&mut Context::from_waker(Waker::noop())).is_pending(),
        "there is nothing to wait for"
    );
}

/// Each way to find a loss finds one that is put there.
#[cfg(test)]
mod tests {
    use async_channel::bounded;
    use async_lock::Mutex;
    use drop_at_await::Moment;
    use futures_lite::future::yield_now;

    use super::*;

    /// Returns at how many points something is lost; without a drop nothing is.
    fn losses(report: &Report) -> usize {
        assert!(report.runs().last().is_some_and(|run| run.lost.is_none()), "{report}");
        report.losses().count()
    }

    #[test]
    fn a_receive_that_takes_and_then_waits_is_found() {
        let receive = async |receiver: &async_channel::Receiver<u32>| {
            let item = receiver.recv().await.ok();
            yield_now().await;
            item
        };
        let report = alone(|run| {
            let (sender, receiver) = bounded(1);
            receives(run, async || receive(&receiver).await, |item| sender.try_send(item).is_ok())
        });
        assert_eq!(losses(&report), 3, "{report}");
        // What is lost is waited for, and does not come.
        let checker = Checker::new().patience(Duration::from_millis(50));
        let report = checked_in_tokio(&checker, async |run| {
            let (sender, receiver) = bounded(1);
            receives_in_task(run, async || receive(&receiver).await, |item| sender.try_send(item).is_ok())
                .await
        });
        assert_eq!(losses(&report), 3, "{report}");
    }

    #[test]
    fn a_send_that_sends_twice_is_found() {
        let report = alone(|run| {
            let (sender, receiver) = bounded(8);
            let send = async |item| {
                let sent = sender.try_send(item).is_ok();
                yield_now().await;
                sent && sender.try_send(item).is_ok() && receiver.recv().await == Ok(item)
            };
            sends(run, send, || None)
        });
        assert!(report.losses().next().is_some(), "{report}");
    }

    #[test]
    fn a_read_that_keeps_its_bytes_in_the_future_is_found() {
        let report = alone(|run| {
            let (sender, receiver) = bounded(64);
            let read = async || Some(vec![receiver.recv().await.ok()?, receiver.recv().await.ok()?]);
            reads(run, read, |bytes| sender.try_send(bytes[0]).is_ok())
        });
        assert_eq!(losses(&report), MESSAGE.len(), "{report}");
    }

    #[test]
    fn a_lock_that_is_not_given_back_is_found() {
        let report = alone(|run| {
            let mutex = Mutex::new(());
            let mut held = mutex.try_lock();
            let first = async {
                let guard = mutex.lock().await;
                let leaked = std::mem::ManuallyDrop::new(guard);
                yield_now().await;
                drop(std::mem::ManuallyDrop::into_inner(leaked));
            };
            passes_on(run, first, mutex.lock(), UsedUp::Never, || drop(held.take()))
        });
        let lost: Vec<_> =
            report.losses().filter_map(|run| run.at.as_ref()).map(|at| (at.wait, at.moment)).collect();
        assert_eq!(lost, [(2, Moment::Woken)], "{report}");
    }
}
