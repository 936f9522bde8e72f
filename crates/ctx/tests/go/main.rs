//! Promises and behaviours of Go's package context, one test each; `CONFORMANCE.md` lists the rest.

mod after_func;
mod bookkeeping;
mod cancel;
mod cause;
mod deadlines;
mod err;
mod foreign;
mod roots;
mod strings;
mod values;
mod without_cancel;

use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use ctx::{Context, Error};

/// Long enough never to pass in a test.
const HOUR: Duration = Duration::from_secs(3600);

/// Asks the handle that a task waits on whether it is ready, as a `select` with a default does.
fn is_done(ctx: &Context) -> bool {
    let done = pin!(ctx.done(|_| std::future::pending::<()>()));
    done.poll(&mut std::task::Context::from_waker(Waker::noop())).is_ready()
}

/// Polls a future once with a waker that does nothing.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut std::task::Context::from_waker(Waker::noop()))
}

fn assert_live(ctx: &Context) {
    assert_eq!(ctx.err(), None);
    assert!(!is_done(ctx));
    assert!(ctx.cause().is_none());
}

fn assert_ended(ctx: &Context, error: Error, cause: &str) {
    assert!(is_done(ctx), "{ctx:?}");
    assert_eq!(ctx.err(), Some(error), "{ctx:?}");
    assert_eq!(ctx.cause().expect("an ended context has a cause").to_string(), cause, "{ctx:?}");
}

/// Makes something with a deadline and another one that is a microsecond later, and lets both pass without asking.
fn unnoticed<T>(make: impl Fn(Instant, Instant) -> T) -> T {
    for millis in 1.. {
        let early = Instant::now() + Duration::from_millis(millis);
        let late = early + Duration::from_micros(1);
        let made = make(early, late);
        // Else this thread was away for too long, and the deadline may have passed before all was made.
        if Instant::now() < early {
            while Instant::now() <= late {
                std::hint::spin_loop();
            }
            return made;
        }
    }
    unreachable!("a thread runs for some milliseconds now and then")
}

const CANCELED: &str = "context canceled";
const EXCEEDED: &str = "context deadline exceeded";

#[test]
fn every_behaviour_is_tested_once_or_explained() {
    let files = concat!(
        include_str!("after_func.rs"),
        include_str!("bookkeeping.rs"),
        include_str!("cancel.rs"),
        include_str!("cause.rs"),
        include_str!("deadlines.rs"),
        include_str!("err.rs"),
        include_str!("foreign.rs"),
        include_str!("roots.rs"),
        include_str!("strings.rs"),
        include_str!("values.rs"),
        include_str!("without_cancel.rs"),
        include_str!("../allocations.rs"),
    );
    let number = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    let tests = files.lines().filter_map(|line| number(line.strip_prefix("fn c")?));
    let table =
        include_str!("../../CONFORMANCE.md").lines().filter_map(|line| number(line.strip_prefix("| C")?));
    let mut seen: Vec<u32> = tests.chain(table).collect();
    seen.sort_unstable();
    assert_eq!(seen, (1..=104).collect::<Vec<u32>>());
}
