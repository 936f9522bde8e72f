//! A report names each await by its line and by those around it, and says what was lost there.

use drop_at_await::{Checker, Outcome, cancel_at_every_await, mark};
use futures_lite::future::{block_on, yield_now, zip};

#[test]
fn a_marked_await_is_named_by_its_line_and_by_those_around_it() {
    let line = line!();
    let report = cancel_at_every_await(
        || {
            mark(async {
                mark(yield_now()).await; // line + 4
                mark(zip(mark(yield_now()), mark(yield_now()))).await;
            })
        },
        drop,
    );
    let marks = |run: usize| -> Vec<u32> {
        let at = report.runs()[run].at.as_ref().unwrap();
        at.marks.iter().map(|mark| mark.line() - line).collect()
    };
    assert_eq!(marks(0), [4, 3]);
    // Both sides of the zip wait, then the zip, then the whole.
    assert_eq!(marks(1), [5, 5, 5, 3]);
    let at = report.runs()[0].at.as_ref().unwrap();
    assert!(at.to_string().starts_with("wait 1, after its wake, "), "{at}");
    let innermost = at.location().unwrap();
    assert!(innermost.file().ends_with("reports.rs"));
    assert_eq!(innermost.line() - line, 4);
}

#[test]
fn a_drive_is_named_by_its_caller() {
    let line = line!();
    let report = Checker::new().check(|run| drop(run.drive(yield_now())));
    assert_eq!(report.runs()[0].at.as_ref().unwrap().location().unwrap().line(), line + 1);
    let line = line!();
    let report = block_on(Checker::new().check_in_task(async |run| drop(run.drive(yield_now()).await)));
    assert_eq!(report.runs()[0].at.as_ref().unwrap().location().unwrap().line(), line + 1);
}

#[test]
fn a_mark_outside_a_checker_changes_nothing() {
    assert_eq!(block_on(mark(async { mark(std::future::ready(7)).await })), 7);
}

#[test]
fn a_report_names_each_await_and_what_it_lost() {
    let report = Checker::new().check(|run| match run.drive(yield_now()) {
        Outcome::Canceled(_) => Err("an item"),
        _ => Ok(()),
    });
    let text = report.to_string();
    assert!(text.starts_with("1 of 2 runs lost something\n- dropped at wait 1, after its wake, "), "{text}");
    assert!(text.ends_with(": an item\n- not dropped: nothing lost"), "{text}");
    assert!(!report.is_safe());
}

#[test]
#[should_panic(expected = "not safe to cancel: the future never waited, so it was never dropped")]
fn a_check_of_nothing_is_no_success() {
    Checker::new().check(|run| drop(run.drive(async {}))).assert_safe();
}
