//! One case in this process: spawn, wait until all wait, end them, count what is left.

use std::any::Any;
use std::future::Pending;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use clap::Parser;
use ctx::{Cancel, Context, Driver, Error};

use super::memory::Memory;
use super::{Case, End, Report, Runtime, Sample, Way, census};
use super::{on_async_std, on_smol, on_threads, on_tokio};

/// Exit status of a child whose first deadline came before the last task waited: give it more time.
pub const TOO_SLOW: u8 = 3;

/// Reads how many bytes are allocated now, and how many allocations there have been.
pub type Heap = fn() -> (u64, u64);

/// The time after the last deadline, or after the cancel, in which everything has to be gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for the end of all tasks by the runtime's own means.
type Join = Box<dyn FnOnce()>;

/// Cancels all tasks, and returns what waits for them.
type CancelAll = Box<dyn FnOnce() -> Join>;

/// Tasks that have been spawned.
pub(crate) struct Started {
    /// The value that must live until the end: the runtime, or the thread that holds the scope.
    kept: Box<dyn Any>,
    /// The runtime's own way to cancel them; without it the root context is canceled.
    cancel: Option<CancelAll>,
}

impl Started {
    pub(crate) fn keeping(kept: impl Any) -> Self {
        Self { kept: Box::new(kept), cancel: None }
    }

    pub(crate) fn canceled_by(cancel: impl FnOnce() -> Join + 'static) -> Self {
        Self { kept: Box::new(()), cancel: Some(Box::new(cancel)) }
    }
}

/// The timer of a context that needs none, because a driver watches it or it has no deadline.
pub(crate) fn never(_: Instant) -> Pending<()> {
    std::future::pending()
}

/// Derives each task's context when it is asked for; `Shared` hands out the root itself.
pub(crate) fn contexts<'a>(
    case: &'a Case,
    root: &'a Context,
) -> impl Iterator<Item = (Context, Option<Cancel>)> {
    (0..case.tasks).map(|_| match case.way {
        Way::Shared => (root.clone(), None),
        _ => {
            let (ctx, cancel) = root.with_timeout(case.timeout());
            (ctx, Some(cancel))
        }
    })
}

/// Runs the case on the command line, and prints its [`Report`] as one line of JSON.
///
/// The exit status is 1 when a check failed and [`TOO_SLOW`] when the timeout was too short for the machine.
pub fn run_child(heap: Option<Heap>) -> ExitCode {
    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        case: Case,
    }
    let case = Arguments::parse().case;
    census::expect(case.tasks);
    let Some(report) = run(&case, heap) else { return ExitCode::from(TOO_SLOW) };
    println!("{}", serde_json::to_string(&report).expect("a report has no map with odd keys"));
    if report.failure.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs a case; `None` if the machine was too slow for its timeout.
fn run(case: &Case, heap: Option<Heap>) -> Option<Report> {
    let (base, cancel) = Context::background().with_cancel();
    let (release, let_go) = Context::background().with_cancel();
    let driver = matches!(case.way, Way::Driven | Way::Shared).then(|| drive(&base));
    let mut root = driver.unwrap_or_else(|| base.clone());
    let heap = heap.map(|read| (read, read()));
    let mut run = Run { case, memory: Memory::new(), begin: Instant::now(), report: Report::default() };
    if case.way == Way::Shared {
        let (shared, cancel) = root.with_timeout(case.timeout());
        cancel.keep();
        root = shared;
    }
    // Reading /proc allocates, so a child that counts allocations takes no samples.
    let sampler = heap.is_none().then(|| Sampler::start(case.timeout()));
    let started = match case.runtime {
        Runtime::Tokio => on_tokio::start(case, &root, &release),
        Runtime::Smol => on_smol::start(case, &root, &release),
        Runtime::AsyncStd => on_async_std::start(case, &root, &release),
        Runtime::Threads => on_threads::start(case, &root),
    };
    run.report.spawn_ns = nanos(run.begin.elapsed());
    run.watch_until(case.timeout(), || census::live() == case.tasks);
    if census::live() < case.tasks || run.begin.elapsed() >= case.timeout() {
        return None;
    }
    if let Some((read, before)) = heap {
        let now = read();
        run.report.heap_bytes = Some(now.0.saturating_sub(before.0));
        run.report.allocations = Some(now.1 - before.1);
    }
    run.report.waiting_pss = run.memory.pss();
    let Started { kept, cancel: own } = started;
    run.end(own.unwrap_or_else(|| by_context(cancel)));
    let_go.cancel();
    run.watch_until(PATIENCE, || census::live() == 0);
    run.report.samples = sampler.map_or_else(Vec::new, Sampler::finish);
    run.finish();
    drop(kept);
    Some(run.report)
}

/// Has the deadlines below the returned context watched by a driver on a thread of its own.
fn drive(base: &Context) -> Context {
    let driver = Driver::new();
    let (watched, until) = (driver.attach(base), base.clone());
    thread::spawn(move || driver.run(&until));
    watched
}

/// Cancels the root context of all.
fn by_context(cancel: Cancel) -> CancelAll {
    Box::new(move || {
        cancel.cancel();
        Box::new(|| ())
    })
}

/// Notes live work and memory over time, on a thread that does nothing else.
struct Sampler {
    stop: mpsc::Sender<()>,
    samples: JoinHandle<Vec<Sample>>,
}

impl Sampler {
    fn start(timeout: Duration) -> Self {
        let every = (timeout / 50).clamp(Duration::from_millis(5), Duration::from_millis(100));
        let (begin, memory, (stop, stopped)) = (Instant::now(), Memory::new(), mpsc::channel());
        let samples = thread::spawn(move || {
            let mut samples = Vec::new();
            loop {
                let at_ms = begin.elapsed().as_millis() as u64;
                samples.push(Sample { at_ms, live: census::live(), bytes: memory.resident() });
                if stopped.recv_timeout(every) != Err(mpsc::RecvTimeoutError::Timeout) {
                    return samples;
                }
            }
        });
        Self { stop, samples }
    }

    fn finish(self) -> Vec<Sample> {
        drop(self.stop);
        self.samples.join().expect("reading the memory of this process does not panic")
    }
}

struct Run<'a> {
    case: &'a Case,
    memory: Memory,
    begin: Instant,
    report: Report,
}

impl Run<'_> {
    /// Waits for a condition; gives up after `limit`.
    fn watch_until(&self, limit: Duration, reached: impl Fn() -> bool) {
        let begin = Instant::now();
        while !reached() && begin.elapsed() < limit {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets the tasks end, or ends them, and waits until they have.
    fn end(&mut self, cancel: CancelAll) {
        let (tasks, left) = (self.case.tasks, self.expected_left());
        let (ending, error) = match self.case.end {
            End::Timeout => (self.last_deadline(), Error::DeadlineExceeded),
            End::Cancel => {
                let begin = Instant::now();
                let join = cancel();
                self.report.cancel_ns = Some(nanos(begin.elapsed()));
                join();
                (begin, Error::Canceled)
            }
        };
        let limit = ending.saturating_duration_since(Instant::now()) + PATIENCE;
        self.watch_until(limit, || census::count(error) == tasks && census::live() == left);
        let gone = census::last().unwrap_or_else(Instant::now).saturating_duration_since(ending);
        self.report.gone_ns = nanos(gone);
        self.report.ended = census::count(error);
        self.report.left = census::live();
        let early = census::first().is_none_or(|first| first < self.begin + self.case.timeout());
        if self.case.end == End::Timeout && early {
            self.report.failure = Some("the first task ended before its deadline".to_owned());
        }
    }

    /// The last task got its deadline no later than the spawning ended; a shared one was set before.
    fn last_deadline(&self) -> Instant {
        let spawned =
            Duration::from_nanos(if self.case.way == Way::Shared { 0 } else { self.report.spawn_ns });
        self.begin + spawned + self.case.timeout()
    }

    /// Detached work outlives its deadline; no other does.
    fn expected_left(&self) -> usize {
        if self.case.way == Way::Detached { self.case.tasks } else { 0 }
    }

    /// Takes the last figures and checks them.
    fn finish(&mut self) {
        let (tasks, left) = (self.case.tasks, self.expected_left());
        self.report.peak_bytes = self.memory.peak();
        self.report.left_pss = self.memory.pss();
        self.report.left_at_last = census::live();
        let report = &mut self.report;
        for (what, is, should) in [
            ("ended as they should", report.ended, tasks),
            ("were left when all had ended", report.left, left),
            ("were left at last", report.left_at_last, 0),
        ] {
            if is != should && report.failure.is_none() {
                report.failure = Some(format!("{is} tasks {what}, not {should}"));
            }
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
