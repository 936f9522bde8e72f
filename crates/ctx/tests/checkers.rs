//! The checkers catch the classic faults of cancellation, and pass their repaired twins.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as Task, Poll};
use std::thread;
use std::time::Duration;

use ctx::Context;
use ctx::testing::{LeakCheck, Outcome, cancel_at_every_await, cancel_at_every_await_in_task, guard};
use futures_lite::io::{AsyncRead, AsyncReadExt};

/// Suspends once, as any wait for something slow does.
async fn suspend() {
    futures_lite::future::yield_now().await;
}

/// Counts the runs after which `fault` says so.
fn faults<F: Future>(make: impl FnMut() -> F, fault: impl Fn(&Outcome<F::Output>) -> bool) -> usize {
    let faults = Cell::new(0);
    let runs = cancel_at_every_await(make, |outcome| faults.set(faults.get() + usize::from(fault(&outcome))));
    assert!(runs > 1, "the future never waited, so nothing was checked");
    faults.get()
}

/// A full queue of one place, which somebody empties while the sender waits.
struct Queue {
    sender: async_channel::Sender<u32>,
    receiver: async_channel::Receiver<u32>,
    /// What is not sent yet.
    outbox: RefCell<VecDeque<u32>>,
}

impl Queue {
    fn new() -> Rc<Self> {
        let (sender, receiver) = async_channel::bounded(1);
        sender.try_send(0).expect("an empty queue has room");
        Rc::new(Self { sender, receiver, outbox: RefCell::new([7].into()) })
    }

    fn room(&self) -> bool {
        !self.sender.is_full()
    }

    /// The item is either still in the outbox or in the queue.
    fn lost(&self) -> bool {
        let sent = std::iter::from_fn(|| self.receiver.try_recv().ok()).any(|item| item == 7);
        !sent && !self.outbox.borrow().contains(&7)
    }
}

#[test]
fn an_item_lost_by_an_interrupted_send_is_caught() {
    let queue = RefCell::new(Queue::new());
    let make = || {
        queue.replace(Queue::new());
        async {
            let queue = queue.borrow().clone();
            let item = queue.outbox.borrow_mut().pop_front().unwrap();
            let mut send = std::pin::pin!(queue.sender.send(item));
            assert!(futures_lite::future::poll_once(send.as_mut()).await.is_none());
            suspend().await;
            queue.receiver.try_recv().unwrap();
            send.await.unwrap();
        }
    };
    assert!(faults(make, |_| queue.borrow().lost()) > 0);
}

#[test]
fn a_send_that_waits_for_room_first_loses_nothing() {
    let queue = RefCell::new(Queue::new());
    let make = || {
        queue.replace(Queue::new());
        async {
            let queue = queue.borrow().clone();
            while !queue.room() {
                suspend().await;
                queue.receiver.try_recv().unwrap();
            }
            // Nothing is awaited between taking the item and sending it.
            let item = queue.outbox.borrow_mut().pop_front().unwrap();
            queue.sender.try_send(item).unwrap();
        }
    };
    assert_eq!(faults(make, |_| queue.borrow().lost()), 0);
}

/// A stream of two bytes that arrive one at a time.
struct Drip<'a> {
    bytes: &'a RefCell<VecDeque<u8>>,
    ready: bool,
}

impl AsyncRead for Drip<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        buf: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        self.ready = !self.ready;
        if self.ready {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(self.bytes.borrow_mut().pop_front().map_or(0, |byte| {
            buf[0] = byte;
            1
        })))
    }
}

#[test]
fn bytes_lost_by_an_interrupted_read_exact_are_caught() {
    let bytes = RefCell::new(VecDeque::new());
    let make = || {
        bytes.replace([1, 2].into());
        let mut drip = Drip { bytes: &bytes, ready: false };
        async move {
            let mut buf = [0; 2];
            drip.read_exact(&mut buf).await.unwrap();
            buf
        }
    };
    let lost =
        |outcome: &Outcome<[u8; 2]>| matches!(outcome, Outcome::Canceled { .. }) && bytes.borrow().len() < 2;
    assert!(faults(make, lost) > 0);
}

#[test]
fn a_read_that_keeps_its_progress_outside_loses_nothing() {
    let bytes = RefCell::new(VecDeque::new());
    let kept = RefCell::new(Vec::new());
    let make = || {
        bytes.replace([1, 2].into());
        kept.borrow_mut().clear();
        let mut drip = Drip { bytes: &bytes, ready: false };
        let kept = &kept;
        async move {
            while kept.borrow().len() < 2 {
                let mut byte = [0];
                let read = drip.read(&mut byte).await.unwrap();
                kept.borrow_mut().extend_from_slice(&byte[..read]);
            }
        }
    };
    assert_eq!(faults(make, |_| bytes.borrow().len() + kept.borrow().len() != 2), 0);
}

#[test]
fn an_invariant_broken_under_an_async_mutex_is_caught() {
    let accounts = async_lock::Mutex::new((0, 0));
    let make = || {
        *accounts.try_lock().unwrap() = (100, 0);
        async {
            let mut accounts = accounts.lock().await;
            accounts.0 -= 10;
            suspend().await;
            accounts.1 += 10;
        }
    };
    // The lock is free and no poison tells of it.
    let broken = |_: &_| accounts.try_lock().is_some_and(|accounts| accounts.0 + accounts.1 != 100);
    assert!(faults(make, broken) > 0);
}

#[test]
fn a_transfer_without_an_await_inside_keeps_the_invariant() {
    let accounts = async_lock::Mutex::new((0, 0));
    let make = || {
        *accounts.try_lock().unwrap() = (100, 0);
        async {
            suspend().await;
            let mut accounts = accounts.lock().await;
            accounts.0 -= 10;
            accounts.1 += 10;
        }
    };
    let broken = |_: &_| accounts.try_lock().is_some_and(|accounts| accounts.0 + accounts.1 != 100);
    assert_eq!(faults(make, broken), 0);
}

#[test]
fn a_cleanup_that_never_runs_is_caught() {
    let open = Cell::new(0);
    let make = || {
        open.set(1);
        async {
            suspend().await;
            open.set(0);
        }
    };
    assert!(faults(make, |_| open.get() != 0) > 0);
}

#[test]
fn a_cleanup_in_a_destructor_always_runs() {
    struct Close<'a>(&'a Cell<u32>);
    impl Drop for Close<'_> {
        fn drop(&mut self) {
            self.0.set(0);
        }
    }
    let open = Cell::new(0);
    let make = || {
        open.set(1);
        let close = Close(&open);
        async move {
            suspend().await;
            drop(close);
        }
    };
    assert_eq!(faults(make, |_| open.get() != 0), 0);
}

#[test]
fn the_checker_counts_every_await_and_ends_with_a_completed_run() {
    let outcomes = RefCell::new(Vec::new());
    let make = || async {
        suspend().await;
        suspend().await;
        7
    };
    assert_eq!(cancel_at_every_await(make, |outcome| outcomes.borrow_mut().push(outcome)), 3);
    let expected = [Outcome::Canceled { at: 1 }, Outcome::Canceled { at: 2 }, Outcome::Completed(7)];
    assert_eq!(*outcomes.borrow(), expected);
    outcomes.borrow_mut().clear();
    let runs = cancel_at_every_await_in_task(make, async |outcome| outcomes.borrow_mut().push(outcome));
    assert_eq!(futures_lite::future::block_on(runs), 3);
    assert_eq!(*outcomes.borrow(), expected);
}

#[test]
fn waiting_for_a_context_is_safe_to_cancel() {
    let contexts = RefCell::new(Vec::new());
    let make = || {
        let (ctx, cancel) = Context::background().with_cancel();
        contexts.replace(vec![ctx.clone()]);
        async move {
            let mut done = std::pin::pin!(ctx.done(|_| std::future::pending::<()>()));
            assert!(futures_lite::future::poll_once(done.as_mut()).await.is_none());
            suspend().await;
            cancel.cancel();
            done.await
        }
    };
    assert_eq!(faults(make, |_| contexts.borrow()[0].waiters() != 0), 0);
}

#[test]
fn work_that_outlives_its_context_is_named() {
    let leaks = LeakCheck::new();
    let (ctx, cancel) = leaks.attach(&Context::background()).with_cancel();
    let (other, _o) = leaks.attach(&Context::background()).with_cancel();
    let _fine = guard(&other, "still wanted");
    let stray = guard(&ctx, "copy rows");
    cancel.cancel();
    let outlived = leaks.outlived();
    assert_eq!(outlived.iter().map(|leak| leak.site).collect::<Vec<_>>(), ["copy rows"]);
    assert!(outlived[0].location.file().ends_with("checkers.rs"));
    assert!(leaks.settle(Duration::ZERO).is_err());
    thread::scope(|scope| {
        scope.spawn(move || drop(stray));
        leaks.assert_none();
    });
    assert_eq!(leaks.running(), 1);
}

#[test]
fn leak_checks_do_not_see_each_other() {
    let (mine, yours) = (LeakCheck::new(), LeakCheck::new());
    let (ctx, cancel) = mine.attach(&Context::background()).with_cancel();
    let _work = guard(&ctx, "mine");
    let _unchecked = guard(&Context::background(), "nobody's");
    cancel.cancel();
    assert_eq!((mine.outlived().len(), yours.outlived().len()), (1, 0));
}
