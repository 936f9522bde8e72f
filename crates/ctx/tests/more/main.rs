//! Features that Go does not have: merge, drained runs, groups, drivers; and the effects of std, a runtime or foreign
//! code on a context.

mod asking;
mod below_ended;
mod check;
mod drivers;
mod groups;
mod io;
mod merge;
mod movable;
mod panics;
mod runs;
mod stages;
mod timer;
mod values;
mod wire;
mod within;

use std::pin::Pin;
use std::task::{Context as Task, Poll, Waker};
use std::time::{Duration, Instant};

use ctx::{Context, ManualClock};

const HOUR: Duration = Duration::from_secs(3600);

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Task::from_waker(Waker::noop()))
}

fn never(_: Instant) -> std::future::Pending<()> {
    std::future::pending()
}

fn clocked() -> (ManualClock, Context) {
    let clock = ManualClock::new();
    let root = clock.attach(&Context::background());
    (clock, root)
}
