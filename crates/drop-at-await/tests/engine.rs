//! The checker reaches every await twice, bounds every run, and counts only the wakes of the future under test.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use drop_at_await::{Checker, End, Moment, Outcome, cancel_at_every_await, cancel_at_every_await_in_task};
use futures_lite::future::{block_on, poll_once, yield_now};

/// Waits until `wakers` has handed on its waker and `done` says so.
async fn until(done: &Cell<bool>, wakers: &RefCell<Vec<Waker>>) {
    poll_fn(|cx| {
        if done.get() {
            return Poll::Ready(());
        }
        wakers.borrow_mut().push(cx.waker().clone());
        Poll::Pending
    })
    .await;
}

/// A future that waits for its peer `waits` times.
async fn waits_for_its_peer(waits: usize, wakers: &RefCell<Vec<Waker>>) {
    for _ in 0..waits {
        let first = Cell::new(true);
        poll_fn(|cx| {
            if !first.replace(false) {
                return Poll::Ready(());
            }
            wakers.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

fn wake_all(wakers: &RefCell<Vec<Waker>>) -> bool {
    let wakers = wakers.take();
    let some = !wakers.is_empty();
    wakers.into_iter().for_each(Waker::wake);
    some
}

fn points(report: &drop_at_await::Report) -> Vec<(usize, Moment)> {
    report.runs().iter().filter_map(|run| run.at.as_ref()).map(|at| (at.wait, at.moment)).collect()
}

#[test]
fn every_await_is_dropped_at_before_and_after_its_wake() {
    let report = Checker::new().check(|run| {
        let wakers = RefCell::default();
        drop(run.drive_beside(waits_for_its_peer(2, &wakers), |_| wake_all(&wakers)));
    });
    let expected = [(1, Moment::Waiting), (1, Moment::Woken), (2, Moment::Waiting), (2, Moment::Woken)];
    assert_eq!(points(&report), expected);
    assert_eq!(report.runs().len(), 5);
    assert_eq!(*report.end(), End::Completed);
    report.assert_safe();
}

#[test]
fn every_await_is_dropped_at_twice_in_a_task_too() {
    let report = block_on(Checker::new().check_in_task(async |run| {
        let wakers = RefCell::default();
        drop(run.drive_beside(waits_for_its_peer(2, &wakers), |_| wake_all(&wakers)).await);
    }));
    let expected = [(1, Moment::Waiting), (1, Moment::Woken), (2, Moment::Waiting), (2, Moment::Woken)];
    assert_eq!(points(&report), expected);
}

#[test]
fn an_await_that_wakes_itself_is_one_point() {
    let outcomes = RefCell::new(Vec::new());
    let make = || async {
        yield_now().await;
        yield_now().await;
        7
    };
    let report = cancel_at_every_await(make, |outcome| outcomes.borrow_mut().push(outcome.completed()));
    assert_eq!(points(&report), [(1, Moment::Woken), (2, Moment::Woken)]);
    assert_eq!(outcomes.take(), [None, None, Some(7)]);
    let report = block_on(cancel_at_every_await_in_task(make, async |outcome| {
        outcomes.borrow_mut().push(outcome.completed());
    }));
    assert_eq!(points(&report), [(1, Moment::Woken), (2, Moment::Woken)]);
    assert_eq!(outcomes.take(), [None, None, Some(7)]);
}

#[test]
fn the_count_goes_on_across_the_futures_of_a_run_and_only_one_is_dropped() {
    let report = Checker::new().check(|run| {
        let ends = [run.drive(yield_now()), run.drive(yield_now()), run.drive(yield_now())];
        assert!(ends.iter().filter(|outcome| outcome.is_canceled()).count() <= 1);
    });
    assert_eq!(points(&report), [(1, Moment::Woken), (2, Moment::Woken), (3, Moment::Woken)]);
}

#[test]
fn a_retry_runs_to_its_end() {
    let report = Checker::new().check(|run| {
        let calls = Cell::new(0);
        let outcome = run.retry(
            async || {
                calls.set(calls.get() + 1);
                yield_now().await;
                calls.get()
            },
            |_| false,
        );
        assert_eq!(outcome, Outcome::Completed(calls.get()));
    });
    assert_eq!(report.drops(), 1);
}

/// A future that wakes itself for ever.
async fn spins() {
    loop {
        yield_now().await;
    }
}

#[test]
fn a_future_that_wakes_itself_for_ever_ends_at_the_limit() {
    let report = Checker::new().limit(20).check(|run| drop(run.drive(spins())));
    assert_eq!(report.drops(), 20);
    assert!(matches!(report.end(), End::Endless(at) if at.wait == 21), "{report}");
    assert!(!report.is_safe());
}

#[test]
fn a_future_that_wakes_itself_for_ever_ends_at_the_limit_in_a_task_too() {
    let report = block_on(Checker::new().limit(20).check_in_task(async |run| drop(run.drive(spins()).await)));
    assert_eq!(report.drops(), 20);
    assert!(matches!(report.end(), End::Endless(at) if at.wait == 21), "{report}");
    let report = block_on(cancel_at_every_await_in_task(spins, async |_| ()));
    assert_eq!(report.drops(), 1000);
}

#[test]
fn a_retry_that_never_ends_is_bounded_and_counted_as_a_loss() {
    let report = Checker::new().limit(20).check(|run| {
        drop(run.drive(yield_now()));
        drop(run.drive(async {
            if run_is_over() {
                spins().await
            }
        }));
    });
    assert!(matches!(report.end(), End::Endless(_)));
    // The run that is dropped first and then never ends, and the one that reaches no new point.
    assert_eq!(report.losses().count(), 2);
}

#[test]
fn a_retry_has_the_whole_limit_again() {
    let five = async || {
        for _ in 0..5 {
            yield_now().await;
        }
    };
    let checker = Checker::new().limit(5);
    let report = checker.check(|run| drop(run.retry(five, |_| false)));
    assert_eq!(report.drops(), 5);
    report.assert_safe();
    let report = block_on(checker.check_in_task(async |run| drop(run.retry(five, |_| false).await)));
    assert_eq!(report.drops(), 5);
    report.assert_safe();
}

#[test]
fn the_steps_of_a_peer_are_bounded_for_each_wait_and_not_for_all() {
    let report = Checker::new().limit(4).patience(Duration::ZERO).check(|run| {
        let wakers = RefCell::default();
        let every_third = |step| step % 3 != 2 || wake_all(&wakers);
        drop(run.drive_beside(waits_for_its_peer(3, &wakers), every_third));
    });
    assert_eq!(report.drops(), 6);
    report.assert_safe();
}

/// Always true, in a way that does not make the code behind it unreachable.
fn run_is_over() -> bool {
    std::hint::black_box(true)
}

#[test]
fn a_peer_that_is_busy_and_wakes_nothing_is_bounded() {
    let steps = Cell::new(0);
    let wakers = RefCell::default();
    let checker = Checker::new().limit(20).patience(Duration::ZERO);
    let report = checker.check(|run| {
        let busy = |_| {
            steps.set(steps.get() + 1);
            true
        };
        drop(run.drive_beside(until(&Cell::new(false), &wakers), busy));
    });
    assert!(matches!(report.end(), End::Stuck(_)), "{report}");
    assert!(steps.get() <= 40);
}

#[test]
fn a_future_whose_waker_nobody_holds_is_stuck_at_once() {
    let (begin, patience) = (Instant::now(), Duration::from_secs(20));
    let report = Checker::new().patience(patience).check(|run| drop(run.drive(pending::<()>())));
    assert!(matches!(report.end(), End::Stuck(at) if at.wait == 1), "{report}");
    let task = Checker::new().patience(patience);
    let report = block_on(task.check_in_task(async |run| drop(run.drive(pending::<()>()).await)));
    assert!(matches!(report.end(), End::Stuck(at) if at.wait == 1), "{report}");
    assert!(begin.elapsed() < patience);
}

#[test]
fn a_future_whose_waker_is_held_is_stuck_when_patience_ends() {
    let wakers = RefCell::default();
    let patience = Duration::from_millis(20);
    let checker = Checker::new().patience(patience);
    let begin = Instant::now();
    let report = checker.check(|run| drop(run.drive(until(&Cell::new(false), &wakers))));
    assert!(matches!(report.end(), End::Stuck(_)), "{report}");
    let in_task = checker.check_in_task(async |run| drop(run.drive(until(&Cell::new(false), &wakers)).await));
    let report = block_on(in_task);
    assert!(matches!(report.end(), End::Stuck(_)), "{report}");
    assert!(begin.elapsed() >= 2 * patience);
}

/// The wakers that earlier runs left behind.
#[derive(Default)]
struct Late {
    wakers: RefCell<Vec<Waker>>,
    polls: Cell<usize>,
}

impl Late {
    /// A future that is ready once `done` says so, and counts its polls.
    async fn until(&self, done: &Cell<bool>, wakers: &RefCell<Vec<Waker>>) {
        let mut waiting = pin!(until(done, wakers));
        poll_fn(|cx| {
            self.polls.set(self.polls.get() + 1);
            waiting.as_mut().poll(cx)
        })
        .await;
    }

    /// A peer whose first step wakes what earlier runs left, and whose second one wakes the future.
    fn peer(&self, done: &Cell<bool>, wakers: &RefCell<Vec<Waker>>, step: usize) -> bool {
        if step == 0 {
            self.wakers.borrow().iter().for_each(Waker::wake_by_ref);
            return true;
        }
        done.set(true);
        step == 1 && wake_all(wakers)
    }
}

#[test]
fn late_wakes_of_an_earlier_run_are_not_counted() {
    let late = Late::default();
    let report = Checker::new().patience(Duration::ZERO).check(|run| {
        let (done, wakers) = (Cell::new(false), RefCell::default());
        drop(run.drive_beside(late.until(&done, &wakers), |step| late.peer(&done, &wakers, step)));
        // They are still there after a run that was dropped before its wake.
        late.wakers.borrow_mut().extend(wakers.take());
    });
    assert_eq!(points(&report), [(1, Moment::Waiting), (1, Moment::Woken)]);
    // One poll in each run that is dropped, two in the whole one.
    assert_eq!(late.polls.get(), 4);
    assert_eq!(late.wakers.borrow().len(), 1);
}

#[test]
fn late_wakes_of_an_earlier_run_are_not_counted_in_a_task() {
    let late = Late::default();
    let report = block_on(Checker::new().patience(Duration::ZERO).check_in_task(async |run| {
        let (done, wakers) = (Cell::new(false), RefCell::default());
        drop(run.drive_beside(late.until(&done, &wakers), |step| late.peer(&done, &wakers, step)).await);
        late.wakers.borrow_mut().extend(wakers.take());
    }));
    assert_eq!(points(&report), [(1, Moment::Waiting), (1, Moment::Woken)]);
    assert_eq!(late.polls.get(), 4);
    assert_eq!(late.wakers.borrow().len(), 1);
}

#[test]
fn a_spurious_poll_of_the_task_does_not_reach_the_future() {
    let polls = Cell::new(0);
    let wakers = RefCell::default();
    let done = Cell::new(false);
    let in_task = Checker::new().check_in_task(async |run| {
        drop(
            run.drive(async {
                polls.set(polls.get() + 1);
                until(&done, &wakers).await;
            })
            .await,
        );
    });
    block_on(async {
        let mut in_task = pin!(in_task);
        // The first run is dropped at its wait; the second waits there for its wake.
        for _ in 0..10 {
            assert!(poll_once(in_task.as_mut()).await.is_none());
        }
        assert_eq!((polls.get(), wakers.borrow().len()), (2, 2));
        wake_all(&wakers);
        assert!(poll_once(in_task.as_mut()).await.is_none());
        done.set(true);
        wake_all(&wakers);
        in_task.await.assert_safe();
    });
}

#[test]
fn a_future_that_wakes_itself_lets_other_tasks_run_before_its_next_poll() {
    let polls = Cell::new(0);
    let in_task = Checker::new().check_in_task(async |run| {
        let counts = async {
            for _ in 0..3 {
                polls.set(polls.get() + 1);
                yield_now().await;
            }
        };
        drop(run.drive(counts).await);
    });
    block_on(async {
        let mut in_task = pin!(in_task);
        loop {
            let before = polls.get();
            let report = poll_once(in_task.as_mut()).await;
            // The last one of a run that is dropped, and the first one of the next run.
            assert!(polls.get() - before <= 2);
            if let Some(report) = report {
                assert_eq!(report.drops(), 3);
                return report.assert_safe();
            }
        }
    });
}

#[test]
fn wakes_from_another_thread_reach_the_future() {
    let report = Checker::new().check(|run| {
        let (sender, receiver) = async_channel::bounded(1);
        thread::scope(|scope| {
            scope.spawn(move || sender.send_blocking(7).ok());
            assert_eq!(run.retry(async || receiver.recv().await, |_| false), Outcome::Completed(Ok(7)));
        });
    });
    assert!(report.losses().next().is_none());
}

#[test]
fn a_lost_wake_after_a_drop_is_told_without_the_check_asking_for_it() {
    let checker = Checker::new().patience(Duration::ZERO);
    let report = checker.check(|run| {
        let wakers = RefCell::default();
        // The peer wakes once and never again.
        drop(run.retry(async || waits_for_its_peer(1, &wakers).await, |step| step == 0 && wake_all(&wakers)));
    });
    let lost: Vec<_> = report.losses().map(|run| run.at.as_ref().map(|at| (at.wait, at.moment))).collect();
    assert_eq!(lost, [Some((1, Moment::Woken))]);
    assert!(report.to_string().contains("nothing wakes the future (wait 2, before its wake"), "{report}");
}
