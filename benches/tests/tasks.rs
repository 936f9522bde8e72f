//! A thousand tasks on each runtime: counts that gate, and no times.

use std::process::Command;

use benches::tasks::{Case, End, Report, Runtime, THREADS, TOO_SLOW, Way};

const TASKS: usize = 1_000;
const ASYNC: [Runtime; 3] = [Runtime::Tokio, Runtime::Smol, Runtime::AsyncStd];

/// Runs a case in the counting child, with more time if the machine is too slow for its timeout.
fn report(runtime: Runtime, way: Way, end: End) -> Report {
    let timeouts = match end {
        End::Timeout => vec![100, 1_000, 10_000, 60_000],
        End::Cancel => vec![3_600_000],
    };
    for timeout_ms in timeouts {
        let case = Case { runtime, way, end, tasks: TASKS, timeout_ms };
        let output = Command::new(env!("CARGO_BIN_EXE_task-bytes"))
            .args(case.arguments())
            .env("SMOL_THREADS", THREADS.to_string())
            .env("ASYNC_STD_THREAD_COUNT", THREADS.to_string())
            .output()
            .expect("the child was built with this test");
        if output.status.code() != Some(i32::from(TOO_SLOW)) {
            let report: Report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
                panic!("{case:?}: {error}: {}", String::from_utf8_lossy(&output.stderr))
            });
            assert_eq!(report.failure, None, "{case:?}");
            return report;
        }
    }
    panic!("{runtime:?} {way:?}: the first deadline came before the last task waited");
}

/// All ended, and none or all of their work was left; then none.
fn ends_with(runtime: Runtime, way: Way, end: End, left: usize) {
    let report = report(runtime, way, end);
    assert_eq!(
        (report.ended, report.left, report.left_at_last),
        (TASKS, left, 0),
        "{runtime:?} {way:?} {end:?}"
    );
}

#[test]
fn work_that_listens_to_its_context_is_gone_at_the_deadline() {
    ASYNC.into_iter().for_each(|runtime| ends_with(runtime, Way::Listens, End::Timeout, 0));
    ends_with(Runtime::Threads, Way::Listens, End::Timeout, 0);
}

#[test]
fn work_that_is_dropped_at_the_deadline_is_gone() {
    for runtime in ASYNC {
        for way in [Way::Dropped, Way::Driven, Way::Shared, Way::Native] {
            ends_with(runtime, way, End::Timeout, 0);
        }
    }
}

#[test]
fn detached_work_outlives_every_deadline() {
    ASYNC.into_iter().for_each(|runtime| ends_with(runtime, Way::Detached, End::Timeout, TASKS));
}

#[test]
fn a_cancel_of_all_leaves_none_whatever_holds_them() {
    for runtime in ASYNC {
        for way in [Way::Listens, Way::Dropped, Way::Driven, Way::Handle] {
            ends_with(runtime, way, End::Cancel, 0);
        }
    }
    ends_with(Runtime::Tokio, Way::JoinSet, End::Cancel, 0);
    ends_with(Runtime::Tokio, Way::TaskTracker, End::Cancel, 0);
    ends_with(Runtime::Threads, Way::Listens, End::Cancel, 0);
}

#[test]
fn a_task_with_a_context_of_its_own_makes_two_allocations_and_one_without_makes_one() {
    // The half is for lists and queues that grow. smol's reactor keeps its timers in a tree, so it is asked without.
    for (runtime, way, most) in [
        (Runtime::Tokio, Way::Dropped, 2.5),
        (Runtime::Tokio, Way::Native, 1.5),
        (Runtime::Smol, Way::Driven, 2.5),
        (Runtime::Smol, Way::Shared, 1.5),
        (Runtime::AsyncStd, Way::Driven, 2.5),
        (Runtime::AsyncStd, Way::Shared, 1.5),
    ] {
        let allocations = report(runtime, way, End::Timeout).allocations.unwrap() as f64 / TASKS as f64;
        assert!(allocations <= most, "{runtime:?} {way:?}: {allocations} allocations per task");
    }
}
