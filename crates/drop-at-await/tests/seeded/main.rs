//! Seeded faults are caught at the very awaits where they are, and their repaired twins are never flagged; 20 runs
//! each.

#![expect(clippy::unwrap_used, reason = "a seeded fault that panics is a failed test")]

mod bytes;
mod handoff;
mod items;
mod state;
mod wakes;

use drop_at_await::{End, Moment, Report};

/// The two forms of one piece of code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Unsafe,
    Safe,
}

/// The points at which the unsafe form loses something.
type Losses = &'static [(usize, Moment)];

const BEFORE: Moment = Moment::Waiting;
const AFTER: Moment = Moment::Woken;

fn losses(report: &Report) -> Vec<(usize, Moment)> {
    report.losses().filter_map(|run| run.at.as_ref()).map(|at| (at.wait, at.moment)).collect()
}

/// Runs both forms 20 times each.
fn judge(expected: Losses, twin: impl Fn(Form) -> Report) {
    for _ in 0..20 {
        let report = twin(Form::Unsafe);
        assert_eq!(losses(&report), expected, "{report}");
        assert_eq!(report.losses().count(), expected.len(), "without a drop it is right: {report}");
        assert_eq!(*report.end(), End::Completed, "{report}");
        twin(Form::Safe).assert_safe();
    }
}

/// Writes the test of each twin.
macro_rules! twins {
    ($($name:ident: $twin:path, [$($point:expr),*];)*) => {
        $(#[test]
        fn $name() {
            judge(&[$($point),*], $twin);
        })*
    };
}

twins! {
    a_receive_that_takes_and_then_waits: items::receive_takes_then_waits, [(2, AFTER)];
    a_send_that_takes_from_its_outbox_and_then_waits: items::send_takes_then_waits, [(1, BEFORE), (1, AFTER)];
    a_batch_gathered_in_a_local: items::batch_in_a_local, [(2, BEFORE), (2, AFTER)];
    a_forward_that_holds_an_item_while_it_waits: items::forward_holds_an_item, [(3, BEFORE), (3, AFTER)];
    a_read_exact_into_a_local: bytes::read_exact_into_a_local, [(2, BEFORE), (2, AFTER)];
    a_write_all_that_starts_over: bytes::write_all_starts_over, [(1, BEFORE), (1, AFTER)];
    a_read_line_that_takes_the_buffer: bytes::read_line_takes_the_buffer, [(1, BEFORE), (1, AFTER)];
    an_invariant_broken_under_a_lock: state::invariant_under_a_lock, [(1, AFTER)];
    a_cleanup_behind_an_await: state::cleanup_behind_an_await, [(1, AFTER)];
    a_flag_that_says_busy_for_ever: state::busy_flag, [(1, AFTER)];
    an_arrival_counted_again: state::arrival_counted_again, [(1, BEFORE), (1, AFTER)];
    a_permit_taken_and_given_back_by_hand: state::permit_by_hand, [(1, BEFORE), (1, AFTER)];
    an_item_handed_to_a_waiter_that_is_dropped: handoff::item, [(1, AFTER)];
    a_waiter_that_stays_in_the_list: handoff::registration, [(1, BEFORE)];
    a_wake_that_is_not_passed_on: wakes::not_passed_on, [(1, AFTER)];
    a_wake_that_is_not_passed_on_in_a_task: wakes::not_passed_on_in_a_task, [(1, AFTER)];
    an_item_from_another_thread: wakes::item_from_another_thread, [(2, AFTER)];
}
