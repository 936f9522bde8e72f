//! Child processes: whichever way a request ends, its child is killed and reaped, by the word of `/proc`.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use testbed::capability::Capability::{
    EndpointPanic, FlagRequestTimeout, Process, StyleProcess, StyleProcessUnkilled, Witness,
};
use testbed::proc::{self, Child, State};
use wire::{Leave, Request, Wire};

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Level, Observed, Outcome, Scenario, Slot};
use crate::scenarios::shutdown::{ends_with, is_200};

const STYLE: &str = "style=process&tick=10ms";
const FAR: &[(&str, &str)] = &[("--request-timeout", "20s")];
const CHILD: &str = "a converter, a compiler, a model: the costly work is often a child process, and a future that is dropped \
                     does not kill it";
const TOKIO: &str = "https://docs.rs/tokio/1.54.1/tokio/process/struct.Command.html#method.kill_on_drop";
/// Children of a storm, half of them left by their clients.
const STORM: usize = 24;

/// The base of these scenarios: a server of their own, whose children are all of their making.
const BASE: Scenario = Scenario {
    judges: &[Judges::Work],
    needs: &[Process, Witness, StyleProcess, FlagRequestTimeout],
    flags: FAR,
    slot: Slot::Own,
    why: CHILD,
    ..Scenario::BASE
};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "outside/process-completes",
        promise: "work in a child process is done there, and nothing is left of the child behind the 200",
        judges: &[Judges::Answer, Judges::Work],
        sent: "`GET /slow?style=process&work=300ms`; meanwhile `/proc` is read",
        wrong: "a child that has ended and that nobody waits for stays in the table of processes, until that is full",
        sources: &["https://man7.org/linux/man-pages/man2/wait.2.html (NOTES)"],
        run: completes,
        ..BASE
    },
    Scenario {
        id: "outside/process-deadline",
        promise: "a child process is killed and reaped at the deadline of its request",
        judges: &[Judges::Answer, Judges::Work],
        sent: "`GET /slow?style=process&work=8000ms` with `grpc-timeout: 300m`; `/proc` is read until nothing is left",
        wrong: "tokio's, async-process's and std's children run on when they are dropped, unless told otherwise",
        sources: &[TOKIO],
        run: deadline,
        ..BASE
    },
    Scenario {
        id: "outside/process-fin",
        promise: "a child process is killed and reaped when the client of its request closes",
        sent: "`GET /slow?style=process&work=8000ms`, then FIN; three times",
        wrong: "a kill that stands behind the `await` is never reached when the future is dropped there",
        sources: &[TOKIO],
        run: |bench| leaves(bench, Leave::Fin),
        ..BASE
    },
    Scenario {
        id: "outside/process-rst",
        promise: "a child process is killed and reaped when the client of its request resets",
        sent: "`GET /slow?style=process&work=8000ms`, then RST; three times",
        wrong: "a kill that stands behind the `await` is never reached when the future is dropped there",
        sources: &[TOKIO],
        run: |bench| leaves(bench, Leave::Rst),
        ..BASE
    },
    Scenario {
        id: "outside/process-panic",
        promise: "a child process is killed and reaped when its handler panics",
        needs: &[Process, Witness, StyleProcess, EndpointPanic, FlagRequestTimeout],
        sent: "`GET /panic?style=process`; `/proc` is read until nothing is left",
        wrong: "std's child has no guard: a panic between its start and its kill leaves it",
        run: panics,
        ..BASE
    },
    Scenario {
        id: "outside/process-shutdown",
        promise: "a shutdown ends a child process with its request: 503, exit 0, and no orphan",
        judges: &[Judges::Answer, Judges::Work],
        flags: &[("--request-timeout", "20s"), ("--shutdown-timeout", "400ms")],
        sent: "`GET /slow?style=process&work=8000ms`, then SIGTERM; `--shutdown-timeout 400ms`",
        wrong: "a runtime that is shut down drops its tasks after `main` has returned, or never",
        run: shutdown,
        ..BASE
    },
    Scenario {
        id: "outside/process-server-killed",
        promise: "a child process dies with its server, when that is killed by SIGKILL",
        sent: "`GET /slow?style=process&work=8000ms`, then SIGKILL to the server",
        why: "the kernel's killer for lack of memory gives nobody time to clean up, and an orphan has no parent to stop it",
        wrong: "PR_SET_PDEATHSIG follows the thread that started the child, not the process; without it nothing does",
        sources: &["https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html"],
        run: server_killed,
        ..BASE
    },
    Scenario {
        id: "outside/process-dies",
        promise: "a child process that dies is a 502 at once, and no 504 at the deadline",
        judges: &[Judges::Answer],
        sent: "`GET /slow?style=process&work=8000ms`, then SIGKILL to the child",
        why: "who waits for an answer that cannot come any more waits for nothing",
        wrong: "a wait for the child's last word, and not for the child",
        run: dies,
        ..BASE
    },
    Scenario {
        id: "outside/process-storm",
        promise: "of 24 child processes that end by deadline and by reset at once, nothing is left",
        limit: Duration::from_secs(20),
        sent: "24 times `GET /slow?style=process&work=8000ms` at once, 12 with `grpc-timeout: 1000m` and 12 that reset",
        wrong: "signals are not queued: who reaps one child for each SIGCHLD misses some of those that end together",
        sources: &["https://man7.org/linux/man-pages/man7/signal.7.html (Queueing and delivery semantics)"],
        run: storm,
        ..BASE
    },
    Scenario {
        id: "outside/process-unkilled",
        promise: "how long a child process runs on that is dropped and that nobody kills",
        level: Level::Info,
        needs: &[Process, Witness, StyleProcessUnkilled],
        sent: "`GET /slow?style=process-unkilled&work=900ms` with `grpc-timeout: 300m`",
        wrong: "that is what tokio, async-process and std do unless told otherwise; std leaves a defunct entry, too",
        sources: &[TOKIO],
        run: unkilled,
        ..BASE
    },
];

/// A request whose work a child process does.
struct Sent {
    wire: Wire,
    child: Child,
    sent_at: Instant,
    id: String,
}

/// The processes that the server has started and that are not gone.
fn children(bench: &Bench) -> Result<Vec<Child>, Failure> {
    let pid = bench.server().pid().ok_or_else(|| Failure::unsupported("not our process"))?;
    Ok(proc::children(pid)?)
}

/// Waits until the server has one child that `known` does not name.
fn one_more(bench: &Bench, known: &[Child]) -> Result<Child, Failure> {
    let until = Instant::now() + bench.patience();
    loop {
        if let Some(child) = children(bench)?.into_iter().find(|child| !known.contains(child)) {
            return Ok(child);
        }
        ensure!(Instant::now() < until, "no child process was started");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sends a request of this style with `work` to do in `timeout`, and waits for its child process to beat.
fn working(bench: &Bench, style: &str, work: u64, timeout: u64) -> Result<Sent, Failure> {
    let known = children(bench)?;
    let request = bench.slow_for(bench.ms(work), bench.ms(timeout), style);
    let id = request.id_given().expect("slow requests are named").to_owned();
    let mut wire = bench.connect()?;
    let sent_at = wire.send_request(&request)?;
    let child = one_more(bench, &known)?;
    let witness = bench.witness()?;
    let beats = witness.wait(bench.patience(), || (witness.beats_after(&id, sent_at) > 0).then_some(()));
    ensure!(beats.is_some(), "the child process has sent no heartbeat");
    Ok(Sent { wire, child, sent_at, id })
}

/// Waits until nothing is left of the child; it had to be gone since `since`, and soon. Gives the time between.
fn gone(bench: &Bench, child: Child, since: Instant) -> Result<Duration, Failure> {
    let most = bench.outside_late();
    loop {
        let (state, late) = (child.state(), since.elapsed());
        match state {
            State::Gone => return Ok(late),
            State::Alive if late > most => {
                return Err(Failure::broken(format!("the child process still runs {late:.1?} later")));
            }
            State::Defunct if late > most => {
                return Err(Failure::broken(format!(
                    "the child process has ended and is not reaped {late:.1?} later: a defunct entry is left"
                )));
            }
            _ => std::thread::sleep(Duration::from_micros(300)),
        }
    }
}

fn told(took: &[Duration]) -> Observed {
    let worst = took.iter().max().copied().unwrap_or_default();
    Observed::new(format!("killed and reaped {worst:.1?} later at most, of {}", took.len()))
        .with("gone_worst_ms", worst.as_secs_f64() * 1e3)
}

fn completes(bench: &Bench) -> Outcome {
    let mut sent = working(bench, STYLE, 300, 10_000)?;
    let answer = sent.wire.answer()?;
    is_200(&answer)?;
    let after = answer.after();
    ensure!(after >= bench.ms(300), "200 after {after:.1?} for work of {:?}", bench.ms(300));
    let late = gone(bench, sent.child, answer.first_byte_at)?;
    bench.completed_once(&sent.id)?;
    let beats = bench.witness()?.beats_after(&sent.id, sent.sent_at);
    ensure!(beats >= 15, "{beats} heartbeats of work of 30 units");
    Ok(format!("200 after {after:.0?}, {beats} beats, reaped {late:.1?} later").into())
}

fn deadline(bench: &Bench) -> Outcome {
    let mut took = Vec::new();
    for _ in 0..3 {
        let mut sent = working(bench, STYLE, 8000, 300)?;
        let answer = sent.wire.answer()?;
        bench.is_504(&answer, bench.ms(300))?;
        took.push(gone(bench, sent.child, sent.sent_at + bench.ms(300))?);
    }
    Ok(told(&took))
}

fn leaves(bench: &Bench, leave: Leave) -> Outcome {
    let mut took = Vec::new();
    for _ in 0..3 {
        let sent = working(bench, STYLE, 8000, 15_000)?;
        let (left_at, _) = leave.act(sent.wire);
        took.push(gone(bench, sent.child, left_at)?);
    }
    Ok(told(&took))
}

fn panics(bench: &Bench) -> Outcome {
    let status = bench.ask(&Request::get("/panic?style=process").id(bench.id()))?;
    match status.status() {
        500 => {}
        400 => return Err(Failure::unsupported("`/panic?style=process`")),
        other => return Err(Failure::broken(format!("{other} instead of 500"))),
    }
    let mut took = Vec::new();
    for child in children(bench)? {
        took.push(gone(bench, child, status.first_byte_at)?);
    }
    Ok(told(&took))
}

fn shutdown(bench: &Bench) -> Outcome {
    let mut sent = working(bench, STYLE, 8000, 15_000)?;
    let at = bench.server().signal(Signal::TERM);
    let answer = sent.wire.answer()?;
    let reason = answer.response.field("reason");
    ensure!(
        answer.status() == 503 && reason.as_deref() == Some("shutdown"),
        "{} with reason {} instead of 503 with reason `shutdown`",
        answer.status(),
        or_none(reason)
    );
    let late = gone(bench, sent.child, answer.first_byte_at)?;
    ends_with(bench, 0, at)?;
    Ok(format!("503, the child gone {late:.1?} later, exit 0").into())
}

fn server_killed(bench: &Bench) -> Outcome {
    let sent = working(bench, STYLE, 8000, 15_000)?;
    let at = bench.server().signal(Signal::KILL);
    let most = bench.outside_late();
    // Whether the orphan is reaped is up to the first process of the system.
    while sent.child.state() == State::Alive {
        ensure!(at.elapsed() <= most, "the child process outlives its server by {:.1?}", at.elapsed());
        std::thread::sleep(Duration::from_micros(300));
    }
    Ok(format!("dead {:.1?} later", at.elapsed()).into())
}

fn dies(bench: &Bench) -> Outcome {
    let mut sent = working(bench, STYLE, 8000, 15_000)?;
    let pid = rustix::process::Pid::from_raw(sent.child.pid as i32);
    let pid = pid.ok_or_else(|| Failure::harness("a process has no number"))?;
    let killed_at = Instant::now();
    rustix::process::kill_process(pid, Signal::KILL)
        .map_err(|error| Failure::harness(format!("failed to kill the child process: {error}")))?;
    let answer = sent.wire.answer()?;
    let late = answer.first_byte_at.saturating_duration_since(killed_at);
    ensure!(answer.status() == 502, "{} instead of 502", answer.status());
    ensure!(late <= bench.outside_late(), "502 only {late:.1?} after its child process died");
    gone(bench, sent.child, answer.first_byte_at)?;
    Ok(format!("502 {late:.1?} later").into())
}

fn storm(bench: &Bench) -> Outcome {
    let timeout = bench.ms(1000);
    let named = |timeout| bench.slow_for(bench.ms(8000), timeout, STYLE);
    let cut = bench.storm((0..STORM / 2).map(|_| named(timeout)).collect())?;
    let mut left = bench.storm((0..STORM / 2).map(|_| named(bench.ms(15_000))).collect())?;
    let until = Instant::now() + bench.patience();
    while children(bench)?.len() < STORM {
        left.drive(Instant::now() + Duration::from_millis(5))?;
        ensure!(Instant::now() < until, "{} of {STORM} child processes began", children(bench)?.len());
    }
    let all = children(bench)?;
    for shot in cut.finish()? {
        let late = bench.shot_is_504(&shot, timeout)?;
        ensure!(late <= bench.outside_late(), "{late:.1?} late: the answer waits for its child process");
    }
    let left_at = left.reset();
    let took = all.into_iter().map(|child| gone(bench, child, left_at)).collect::<Result<Vec<_>, _>>()?;
    let rest = children(bench)?.len();
    ensure!(rest == 0, "{rest} child processes are left");
    Ok(told(&took))
}

fn unkilled(bench: &Bench) -> Outcome {
    let mut sent = working(bench, "style=process-unkilled&tick=10ms", 900, 300)?;
    let answer = sent.wire.answer()?;
    bench.is_504(&answer, bench.ms(300))?;
    let until = Instant::now() + bench.patience();
    while sent.child.state() == State::Alive && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    let zombie = answer.first_byte_at.elapsed();
    std::thread::sleep(bench.ms(50));
    let left = if sent.child.state() == State::Defunct { ", and left a defunct entry" } else { "" };
    Ok(Observed::new(format!("ran on for {zombie:.0?}{left}")).with("zombie_ms", zombie.as_secs_f64() * 1e3))
}
