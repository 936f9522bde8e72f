//! The cases that are measured.

use benches::tasks::{Case, End, Runtime, Way};

const ASYNC: [Runtime; 3] = [Runtime::Tokio, Runtime::Smol, Runtime::AsyncStd];

/// More threads than this are no fair question to a machine of two cores.
const MOST_THREADS: usize = 1_000;

/// A cancel comes long before this.
const AN_HOUR_MS: u64 = 3_600_000;

/// Every case, the smallest first.
pub(crate) fn all(sizes: &[usize]) -> Vec<Case> {
    sizes.iter().flat_map(|&tasks| timeouts(tasks).into_iter().chain(cancels(tasks))).collect()
}

/// Allocations are counted where that is quick; per task they are the same for more.
pub(crate) fn is_counted(case: &Case) -> bool {
    case.tasks <= 100_000 && case.end == End::Timeout
}

fn timeouts(tasks: usize) -> Vec<Case> {
    use Way::{Detached, Driven, Dropped, Listens, Native, Shared};
    // Long enough for the last task to wait before the first is due.
    let timeout_ms = 200 + tasks as u64 * 8 / 1_000;
    let case = |runtime, way| Case { runtime, way, end: End::Timeout, tasks, timeout_ms };
    let ways = [Listens, Dropped, Driven, Shared, Native, Detached];
    let mut cases: Vec<_> = ASYNC.iter().flat_map(|&runtime| ways.map(|way| case(runtime, way))).collect();
    if tasks <= MOST_THREADS {
        cases.push(case(Runtime::Threads, Listens));
    }
    cases
}

fn cancels(tasks: usize) -> Vec<Case> {
    use Way::{Dropped, Handle, JoinSet, Listens, TaskTracker};
    let case = |(runtime, way)| Case { runtime, way, end: End::Cancel, tasks, timeout_ms: AN_HOUR_MS };
    let mut cases: Vec<_> = ASYNC
        .iter()
        .flat_map(|&runtime| [(runtime, Listens), (runtime, Dropped), (runtime, Handle)])
        .map(case)
        .collect();
    cases.extend([(Runtime::Tokio, JoinSet), (Runtime::Tokio, TaskTracker)].map(case));
    if tasks <= MOST_THREADS {
        cases.push(case((Runtime::Threads, Listens)));
    }
    cases.sort_by_key(|case| case.runtime as u8);
    cases
}
