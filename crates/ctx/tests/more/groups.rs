//! Groups: the first failure, members that panic or are aborted, and what a join waits for.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;

use ctx::{Cause, Context, Error, Group, MemberError, Members};

use crate::{HOUR, clocked, never, poll};

/// Returns what the group failed with, once all members are gone.
fn failure(group: Group) -> Cause {
    let Poll::Ready(outcome) = poll(pin!(group.join())) else { panic!("all members are gone") };
    outcome.expect_err("the group has failed")
}

fn panicked(message: &str) -> Option<MemberError> {
    Some(MemberError::Panicked(message.to_owned()))
}

#[test]
fn a_task_that_panics_fails_its_group_and_cancels_the_rest() {
    let group = Group::new(&Context::background());
    let ctx = group.context().clone();
    let mut waiting = Box::pin(group.task(async |ctx| Err(ctx.done(never).await.into())));
    assert!(poll(waiting.as_mut()).is_pending());
    let mut panicking = Box::pin(group.task(async |_ctx| panic!("this panic is part of the test")));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(panicking.as_mut()))).is_err(), "the panic goes on");
    assert_eq!(ctx.err(), Some(Error::Canceled));
    assert!(poll(waiting.as_mut()).is_ready());
    drop((panicking, waiting));
    assert_eq!(failure(group).downcast_ref().cloned(), panicked("this panic is part of the test"));
}

#[test]
fn a_job_that_panics_fails_its_group_and_cancels_the_rest() {
    let group = Group::new(&Context::background());
    let waiting = thread::spawn(group.job(|ctx| Err(ctx.wait().into())));
    let number = 7;
    let panicking =
        thread::spawn(group.job(move |_ctx| panic!("this panic number {number} is part of the test")));
    assert!(panicking.join().is_err(), "the panic goes on");
    waiting.join().unwrap();
    let cause = group.wait().unwrap_err();
    assert_eq!(cause.downcast_ref().cloned(), panicked("this panic number 7 is part of the test"));
}

#[test]
fn a_member_whose_destructor_panics_fails_its_group() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("this panic is part of the test");
        }
    }
    let group = Group::new(&Context::background());
    let bomb = Bomb;
    let mut task = Box::pin(group.task(|_ctx| async move {
        let _bomb = bomb;
        Ok(())
    }));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(task.as_mut()))).is_err());
    assert_eq!(failure(group).downcast_ref().cloned(), panicked("this panic is part of the test"));
}

#[test]
fn a_task_that_is_aborted_fails_its_group_and_cancels_the_rest() {
    for polled in [false, true] {
        let group = Group::new(&Context::background());
        let ctx = group.context().clone();
        let mut task = Box::pin(group.task(|_ctx| std::future::pending()));
        if polled {
            assert!(poll(task.as_mut()).is_pending());
        }
        drop(task);
        assert_eq!(ctx.cause().unwrap().downcast_ref(), Some(&MemberError::Aborted), "polled: {polled}");
        assert_eq!(failure(group).downcast_ref(), Some(&MemberError::Aborted), "polled: {polled}");
    }
}

#[test]
fn a_job_that_never_runs_fails_its_group() {
    let group = Group::new(&Context::background());
    drop(group.job(|_ctx| Ok(())));
    assert_eq!(failure(group).downcast_ref(), Some(&MemberError::Aborted));
}

#[test]
fn a_member_dropped_after_the_end_of_its_context_fails_with_that_end() {
    let (parent, cancel) = Context::background().with_cancel();
    let group = Group::new(&parent);
    let mut task = Box::pin(group.task(|_ctx| std::future::pending()));
    assert!(poll(task.as_mut()).is_pending());
    cancel.cancel_cause(Cause::msg("shutting down"));
    drop(task);
    assert_eq!(failure(group).to_string(), "shutting down");
}

#[test]
fn a_group_of_members_that_all_return_succeeds() {
    let group = Group::new(&Context::background());
    let mut task = Box::pin(group.task(async |_ctx| Ok(())));
    assert!(poll(task.as_mut()).is_ready());
    group.job(|_ctx| Ok(()))();
    assert!(matches!(poll(pin!(group.join())), Poll::Ready(Ok(()))));
}

#[test]
fn the_first_failure_of_a_group_cancels_the_rest_and_is_its_result() {
    let group = Group::new(&Context::background());
    let ctx = group.context().clone();
    let mut failing = Box::pin(group.task(async |_ctx| Err(Cause::msg("no disk"))));
    let mut waiting = Box::pin(group.task(async |ctx| Err(ctx.done(never).await.into())));
    assert!(poll(waiting.as_mut()).is_pending());
    assert!(poll(failing.as_mut()).is_ready());
    assert_eq!(ctx.cause().map(|cause| cause.to_string()).as_deref(), Some("no disk"));
    assert!(poll(waiting.as_mut()).is_ready());
    let mut join = pin!(group.join());
    let Poll::Ready(Err(cause)) = poll(join.as_mut()) else { panic!("all members are gone") };
    assert_eq!(cause.to_string(), "no disk");
}

/// Notes its own destruction.
struct Noted(Arc<Mutex<Vec<&'static str>>>, &'static str);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.lock().expect("no holder panics").push(self.1);
    }
}

#[test]
fn joining_a_group_awaits_the_destructors_of_its_members() {
    for polled in [false, true] {
        let log = Arc::new(Mutex::new(Vec::new()));
        let group = Group::new(&Context::background());
        let note = Noted(log.clone(), "member");
        let mut task = Box::pin(group.task(|_ctx| async move {
            let _note = note;
            std::future::pending().await
        }));
        if polled {
            assert!(poll(task.as_mut()).is_pending());
        }
        let joiner = thread::spawn({
            let log = log.clone();
            move || {
                let result = group.wait();
                log.lock().unwrap().push("joined");
                result
            }
        });
        drop(task);
        assert_eq!(joiner.join().unwrap().unwrap_err().downcast_ref(), Some(&MemberError::Aborted));
        assert_eq!(*log.lock().unwrap(), ["member", "joined"], "polled: {polled}");
    }
}

#[test]
fn a_group_that_is_dropped_drops_its_tasks_at_their_next_poll() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let group = Group::new(&Context::background());
    let note = Noted(log.clone(), "member");
    let mut task = Box::pin(group.task(|_ctx| async move {
        let _note = note;
        std::future::pending().await
    }));
    assert!(poll(task.as_mut()).is_pending());
    drop(group);
    assert!(poll(task.as_mut()).is_ready());
    assert_eq!(*log.lock().unwrap(), ["member"]);
}

#[test]
fn results_come_in_the_order_in_which_members_were_added() {
    let group = Group::collecting(&Context::background());
    let jobs: Vec<_> = (0..5).map(|n| group.job(move |_ctx| Ok(n))).collect();
    jobs.into_iter().rev().for_each(|job| job());
    let mut task = Box::pin(group.task(async |_ctx| Ok(5)));
    assert!(poll(task.as_mut()).is_ready());
    drop(task);
    let Poll::Ready(results) = poll(pin!(group.results())) else { panic!("all members are gone") };
    assert_eq!(results.unwrap(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_failure_takes_the_place_of_all_results() {
    let group = Group::collecting(&Context::background());
    group.job(|_ctx| Ok("text".to_owned()))();
    group.job(|_ctx| Err(Cause::msg("no disk")))();
    assert_eq!(group.wait_results().unwrap_err().to_string(), "no disk");
}

#[test]
fn a_member_starts_others_and_all_are_awaited() {
    fn count_down(members: Members<u32>, n: u32) -> Box<dyn FnOnce() + Send> {
        let adder = members.clone();
        Box::new(members.job(move |_ctx| {
            if n > 0 {
                thread::spawn(count_down(adder, n - 1));
            }
            Ok(n)
        }))
    }
    let group = Group::collecting(&Context::background());
    thread::spawn(count_down(group.adder(), 20));
    let results = group.wait_results().unwrap();
    assert_eq!(results, (0..=20).rev().collect::<Vec<_>>());
}

#[test]
fn a_member_added_after_its_group_is_born_canceled() {
    let group = Group::new(&Context::background());
    let adder = group.adder();
    drop(group);
    adder.job(|ctx| {
        assert_eq!(ctx.err(), Some(Error::Canceled));
        Ok(())
    })();
}

#[test]
fn a_bounded_join_gives_up_cancels_and_says_how_many_remain() {
    let (clock, root) = clocked();
    let (limit, _limit) = root.with_timeout(HOUR);
    let group: Group<u8> = Group::collecting(&root);
    let mut stubborn = [1, 2].map(|_| Box::pin(group.task(|_ctx| pending())));
    let ctx = group.context().clone();
    let mut join = Box::pin(group.join_within(&limit, never));
    stubborn.iter_mut().for_each(|task| assert!(poll(task.as_mut()).is_pending()));
    assert!(poll(join.as_mut()).is_pending());
    clock.advance(HOUR);
    let Poll::Ready(Err(cause)) = poll(join.as_mut()) else { panic!("the limit has ended") };
    assert_eq!(cause.downcast_ref(), Some(&MemberError::Remaining(2)));
    assert_eq!(cause.to_string(), "2 members of a group had not ended in time");
    drop(join);
    assert_eq!(ctx.err(), Some(Error::Canceled));
}

#[test]
fn a_bounded_join_returns_as_soon_as_all_are_gone() {
    let (_clock, root) = clocked();
    let (limit, _limit) = root.with_timeout(HOUR);
    let group = Group::collecting(&root);
    let mut task = Box::pin(group.task(|ctx| async move { Ok(ctx.done(never).await) }));
    assert!(poll(task.as_mut()).is_pending());
    group.cancel();
    let mut join = pin!(group.join_within(&limit, never));
    assert!(poll(join.as_mut()).is_pending());
    assert!(poll(task.as_mut()).is_ready());
    drop(task);
    assert!(matches!(poll(join), Poll::Ready(Ok(results)) if results == [Error::Canceled]));
}

#[test]
fn a_bounded_wait_blocks_until_its_limit() {
    let group = Group::new(&Context::background());
    let job = group.job(|_ctx| Ok(()));
    let (limit, _limit) = Context::background().with_timeout(std::time::Duration::from_millis(5));
    let cause = group.wait_within(&limit).unwrap_err();
    assert_eq!(
        (cause.to_string().as_str(), limit.err().is_some()),
        ("1 member of a group had not ended in time", true)
    );
    drop(job);
    let group = Group::new(&Context::background());
    group.job(|_ctx| Ok(()))();
    assert_eq!(group.wait_within(&Context::background()).unwrap(), [()]);
}

#[test]
fn no_more_members_run_at_once_than_the_limit_and_all_run_in_order() {
    use std::cell::{Cell, RefCell};
    let running = Cell::new(0);
    let order = RefCell::new(Vec::new());
    let group = Group::collecting(&Context::background()).with_limit(2);
    let gate = Cell::new(0);
    let mut members: Vec<_> = (0..5)
        .map(|number| {
            let (running, order, gate) = (&running, &order, &gate);
            Box::pin(group.task(move |_ctx| async move {
                running.set(running.get() + 1);
                order.borrow_mut().push(number);
                std::future::poll_fn(|_| if gate.get() > number { Poll::Ready(()) } else { Poll::Pending })
                    .await;
                running.set(running.get() - 1);
                Ok(number)
            }))
        })
        .collect();
    for end in 0..6 {
        gate.set(end);
        members.retain_mut(|member| poll(member.as_mut()).is_pending());
        assert!(running.get() <= 2);
    }
    assert_eq!(*order.borrow(), [0, 1, 2, 3, 4]);
    let Poll::Ready(results) = poll(pin!(group.results())) else { panic!("all members are gone") };
    assert_eq!(results.unwrap(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_queued_member_that_is_dropped_passes_its_turn_on_and_one_whose_context_ended_is_not_started() {
    let group = Group::new(&Context::background()).with_limit(1);
    let mut first = Box::pin(group.task(|_ctx| pending()));
    let mut second = Box::pin(group.task(|_ctx| pending()));
    let mut third = Box::pin(group.task(async |_ctx| Err(Cause::msg("third has run"))));
    for member in [poll(first.as_mut()), poll(second.as_mut()), poll(third.as_mut())] {
        assert!(member.is_pending());
    }
    // The slot goes to the second, which is dropped before its next poll.
    drop(first);
    drop(second);
    assert!(poll(third.as_mut()).is_ready());
    drop(third);
    assert_eq!(failure(group).downcast_ref().cloned(), Some(MemberError::Aborted));

    // One that is dropped while it waits takes no slot from those behind it.
    let group = Group::new(&Context::background()).with_limit(1);
    let mut first = Box::pin(group.task(|_ctx| pending()));
    let mut second = Box::pin(group.adder().task(|_ctx| pending()));
    let mut third = Box::pin(group.task(async |_ctx| Ok(())));
    for member in [poll(first.as_mut()), poll(second.as_mut()), poll(third.as_mut())] {
        assert!(member.is_pending());
    }
    drop(second);
    drop(first);
    assert!(poll(third.as_mut()).is_ready());
}

#[test]
fn jobs_wait_for_their_turn_on_their_threads() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let running = AtomicUsize::new(0);
    let group = Group::collecting(&Context::background()).with_limit(3);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(group.job(|_ctx| {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(now)
            }));
        }
        let most = group.wait_results().unwrap();
        assert!(most.len() == 16 && most.iter().all(|now| *now <= 3), "{most:?}");
    });
}
