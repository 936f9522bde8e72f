//! The macro writes tests that pass for safe code, in a thread and in a task.

use std::cell::Cell;
use std::rc::Rc;

use drop_at_await::cancel_safe;
use futures_lite::future::{block_on, yield_now};

cancel_safe! {
    /// A receive keeps the item, whatever the other side does.
    fn a_receive_keeps_the_item() {
        state { let (sender, receiver) = async_channel::bounded(1); }
        retry { receiver.recv() }
        peer |step| { step == 0 && sender.try_send(7).is_ok() }
        check |outcome| { if outcome.completed() == Some(Ok(7)) { Ok(()) } else { Err("the item") } }
    }

    fn a_lock_is_free_after_a_drop() {
        state { let mutex = async_lock::Mutex::new(0); }
        future { async { *mutex.lock().await += 1; yield_now().await; *mutex.lock().await += 1; } }
        check |_| { if mutex.try_lock().is_some() { Ok(()) } else { Err("the lock") } }
    }

    #[should_panic(expected = "not safe to cancel: 1 of 2 runs lost something")]
    fn an_unsafe_future_fails_the_test() {
        state { let open = Rc::new(Cell::new(true)); }
        future { async { yield_now().await; open.set(false); } }
        check |_| { if open.get() { Err("the close") } else { Ok(()) } }
    }

    #[should_panic(expected = "a panic in the check is let through")]
    fn an_assert_in_the_check_fails_the_test() {
        state {}
        future { yield_now() }
        check |outcome| { assert!(!outcome.is_canceled(), "a panic in the check is let through") }
    }

    async fn in_a_task() {
        state { let (sender, receiver) = async_channel::bounded(1); }
        retry { receiver.recv() }
        peer |step| { step == 0 && sender.try_send(7).is_ok() }
        check |outcome| { if outcome.completed() == Some(Ok(7)) { Ok(()) } else { Err("the item") } }
    }

    async fn in_a_task_without_a_peer() {
        state { let mutex = async_lock::Mutex::new(0); }
        future { async { yield_now().await; *mutex.lock().await += 1; } }
        check |_| { if mutex.try_lock().is_some() { Ok(()) } else { Err("the lock") } }
    }
}

#[test]
fn the_async_form_is_a_future_for_any_runtime() {
    block_on(in_a_task());
    block_on(in_a_task_without_a_peer());
}
