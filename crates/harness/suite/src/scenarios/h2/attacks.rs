//! Clients that make the server work for nothing: few frames of theirs, much work of the server's.
//!
//! Each attack is small in the gate, and larger by the factor `LAB_H2_TIMES` when there is time (`scripts/long.sh h2`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use testbed::noise::quantile;
use wire::Request;
use wire::h2::wrong::MadeYouReset;
use wire::h2::{Code, Ending, Frame, H2};

use super::{LIMIT, WATCHED, all_end, id, is, most_at_once, request};
use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Observed, Outcome, Scenario, Slot};

/// Streams that are attacked at once.
const BATCH: usize = 50;
/// Memory that an attack may leave in use, in bytes.
const MEMORY: u64 = 8 << 20;

/// The common part of these scenarios: they need half the machine.
pub(super) const ATTACK: Scenario = Scenario {
    judges: &[Judges::Work, Judges::Connection],
    slot: Slot::Half,
    limit: Duration::from_secs(240),
    ..WATCHED
};

/// The common part of the ways of MadeYouReset.
const MADE: Scenario = Scenario {
    slot: Slot::Own,
    why: "the server resets the stream, which then counts no more; whatever still works behind it is unbounded",
    wrong: "the library counts the stream as closed, and the work behind it goes on",
    sources: &["CVE-2025-8671", "https://kb.cert.org/vuls/id/767506"],
    ..ATTACK
};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "h2/rapid-reset",
        promise: "rapid reset: live work stays at 100 and below, all of it stops, memory is given back, and another client is served \
            as before",
        sent: "2,000 times HEADERS of `GET /slow?work=3000ms` and RST_STREAM CANCEL, 100 in a write; on a new connection behind \
            GOAWAY; beside it `GET /fast` over HTTP/1.1",
        why: "the largest attacks of 2023 were this: a stream that is reset is in no limit, and its work may be",
        wrong: "work that is begun for each stream and noticed to be for nobody later",
        sources: &[
            "CVE-2023-44487",
            "https://blog.cloudflare.com/technical-breakdown-http2-rapid-reset-ddos-attack/",
        ],
        run: rapid_reset,
        ..ATTACK
    },
    Scenario {
        id: "h2/made-you-reset-empty-window-update",
        promise: "work stops whose stream the server resets for a WINDOW_UPDATE of 0",
        sent: "200 times `GET /slow?work=3000ms`, and once it works WINDOW_UPDATE of 0 on its stream",
        run: |bench| made_you_reset(bench, MadeYouReset::EmptyWindowUpdate),
        ..MADE
    },
    Scenario {
        id: "h2/made-you-reset-overflowing-window-update",
        promise: "work stops whose stream the server resets for a WINDOW_UPDATE that overflows",
        sent: "200 times `GET /slow?work=3000ms`, and once it works WINDOW_UPDATE of 2^31-1 on its stream",
        run: |bench| made_you_reset(bench, MadeYouReset::OverflowingWindowUpdate),
        ..MADE
    },
    Scenario {
        id: "h2/made-you-reset-headers-after-end",
        promise: "work stops whose stream the server resets for HEADERS behind END_STREAM",
        sent: "200 times `GET /slow?work=3000ms`, and once it works HEADERS on its stream",
        run: |bench| made_you_reset(bench, MadeYouReset::HeadersAfterEnd),
        ..MADE
    },
    Scenario {
        id: "h2/made-you-reset-data-after-end",
        promise: "work stops whose stream the server resets for DATA behind END_STREAM",
        sent: "200 times `GET /slow?work=3000ms`, and once it works DATA on its stream",
        run: |bench| made_you_reset(bench, MadeYouReset::DataAfterEnd),
        ..MADE
    },
    Scenario {
        id: "h2/made-you-reset-priority-of-wrong-length",
        promise: "work stops whose stream the server resets for a PRIORITY of 4 bytes",
        sent: "200 times `GET /slow?work=3000ms`, and once it works PRIORITY of 4 bytes on its stream",
        run: |bench| made_you_reset(bench, MadeYouReset::PriorityOfWrongLength),
        ..MADE
    },
    Scenario {
        id: "h2/made-you-reset-priority-on-itself",
        promise: "work stops whose stream the server resets for a PRIORITY on itself",
        sent: "200 times `GET /slow?work=3000ms`, and once it works PRIORITY that makes its stream depend on itself",
        run: |bench| made_you_reset(bench, MadeYouReset::PriorityOnItself),
        ..MADE
    },
    Scenario {
        id: "h2/made-you-reset-data-beyond-window",
        promise: "work stops whose stream the server resets for DATA beyond the window",
        sent: "20 times `POST /slow?work=3000ms&body=ignore`, and once it works one byte more than its window holds",
        run: |bench| made_you_reset(bench, MadeYouReset::DataBeyondWindow),
        ..MADE
    },
];

/// Multiplies a count of the gate by the factor that the environment gives.
pub(super) fn times(few: usize) -> usize {
    few * factor()
}

fn factor() -> usize {
    std::env::var("LAB_H2_TIMES").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Latencies of another client's `/fast`, in milliseconds and in order.
pub(super) struct Fast(Vec<f64>);

impl Fast {
    /// Adds them to what was seen, and judges the slowest hundredth.
    pub(super) fn judged(self, bench: &Bench, observed: Observed) -> Outcome {
        let (p99, count) = (quantile(&self.0, 0.99), self.0.len());
        let most = bench.answer_late().as_secs_f64() * 1e3;
        // Three samples have to lie above a percentile that is worth its name.
        let what = if count < 300 { "worst" } else { "p99" };
        ensure!(
            p99 <= most,
            "another client's /fast took {p99:.0} ms ({what} of {count}); at most {most} ms is forgiven"
        );
        let text = format!("{}; another client's /fast {p99:.1} ms ({what} of {count})", observed.text);
        Ok(Observed { text, ..observed }.with("fast_p99_ms", p99))
    }
}

/// Asks for `/fast` over HTTP/1.1 for as long as `attack` lasts.
pub(super) fn beside<T>(
    bench: &Bench,
    attack: impl FnOnce() -> Result<T, Failure>,
) -> Result<(T, Fast), Failure> {
    let (over, first) = (AtomicBool::new(false), bench.connect()?);
    std::thread::scope(|scope| {
        let over = &over;
        let other = scope.spawn(move || {
            let (mut wire, mut took) = (first, Vec::new());
            while !over.load(Ordering::Relaxed) || took.len() < 20 {
                let answer = wire.ask(&Request::get("/fast"))?;
                ensure!(answer.status() == 200, "another client was answered {}", answer.status());
                took.push(answer.after().as_secs_f64() * 1e3);
                std::thread::sleep(Duration::from_millis(1));
                if wire.is_over() || answer.response.says_close() {
                    wire = bench.connect()?;
                }
            }
            took.sort_by(f64::total_cmp);
            Ok(Fast(took))
        });
        let attacked = attack();
        over.store(true, Ordering::Relaxed);
        let fast = other.join().map_err(|_| Failure::harness("the other client panicked"))?;
        Ok((attacked?, fast?))
    })
}

/// Adds the cost of an attack to the server: CPU time and memory, where they can be read.
pub(super) fn cost(bench: &Bench, before: Option<testbed::proc::Usage>, observed: Observed) -> Observed {
    let Some((before, after)) = before.zip(bench.usage().ok()) else { return observed };
    let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e3;
    let grown = after.pss_anon.saturating_sub(before.pss_anon) as f64 / 1024.0;
    let text = format!("{}; {cpu:.0} ms of processor time, {grown:.0} KiB more in use", observed.text);
    Observed { text, ..observed }.with("server_cpu_ms", cpu).with("memory_grown_kib", grown)
}

/// True when the server wants no more of the connection.
pub(super) fn is_told_off(h2: &H2) -> bool {
    h2.is_over() || h2.session().goaway().is_some()
}

/// Checks that memory is back near where it was `before`; what an attack leaves behind is soon given back or reused.
pub(super) fn given_back(bench: &Bench, before: testbed::proc::Usage) -> Result<(), Failure> {
    let until = Instant::now() + bench.patience();
    loop {
        let grown = bench.usage()?.pss_anon.saturating_sub(before.pss_anon);
        if grown <= MEMORY {
            return Ok(());
        }
        let left = Instant::now() < until;
        ensure!(left, "{} KiB more in use than before the attack", grown / 1024);
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn rapid_reset(bench: &Bench) -> Outcome {
    let (all, before) = (times(2_000), bench.usage().ok());
    let attack = || {
        let mut connections: Vec<Vec<String>> = vec![Vec::new()];
        let (mut h2, mut sent) = (bench.h2()?, 0);
        while sent < all {
            let (mut frames, mut ids) = (Vec::new(), Vec::new());
            for _ in 0..100 {
                let request = request(bench, "tick=500ms");
                let (stream, mut opening) = h2.prepare(&request);
                frames.append(&mut opening);
                frames.push(Frame::reset(stream, Code::CANCEL));
                ids.push(id(&request));
            }
            h2.flood(&frames, bench.patience(), true)?;
            sent += ids.len();
            connections.last_mut().expect("there is always one").append(&mut ids);
            h2.listen(Duration::ZERO)?;
            h2.forget_closed();
            if is_told_off(&h2) {
                h2 = bench.h2()?;
                connections.push(Vec::new());
            }
        }
        Ok((connections, Instant::now()))
    };
    let ((connections, last_at), fast) = beside(bench, attack)?;
    let (mut most, mut begun) = (0, 0);
    for ids in &connections {
        let ended = all_end(bench, ids, bench.patience())?;
        if let Some(at) = ended {
            bench.stopped_soon(last_at, at)?;
        }
        most = most.max(most_at_once(bench, ids)?);
        let witness = bench.witness()?;
        begun += ids.iter().filter(|id| witness.started(id).is_some()).count();
    }
    ensure!(most <= LIMIT, "{most} pieces of work at once on one connection, and the limit is {LIMIT}");
    if let Some(before) = before {
        given_back(bench, before)?;
    }
    let count = connections.len();
    let text =
        format!("{all} resets over {count} connections: {begun} began, at most {most} at once, all stopped");
    fast.judged(bench, cost(bench, before, Observed::new(text)).with("live_most", most as f64))
}

/// Counts of streams that were made to be reset, by what became of them.
#[derive(Default)]
struct Made {
    reset: usize,
    lost: usize,
    ignored: usize,
    worst: Duration,
}

fn made_you_reset(bench: &Bench, way: MadeYouReset) -> Outcome {
    // In the gate each MiB of DATA beyond a window counts.
    let (all, batch) = match (way.needs_open(), factor()) {
        (true, 1) => (20, 5),
        (true, _) => (times(200), 5),
        (false, _) => (times(200), BATCH),
    };
    let before = bench.usage().ok();
    let ((seen, ids), fast) = beside(bench, || makes(bench, way, all, batch))?;
    let most = most_at_once(bench, &ids)?;
    ensure!(most <= LIMIT, "{most} pieces of work at once, and the limit is {LIMIT}");
    is(&bench.h2()?.ask(&bench.fast())?, 200)?;
    if let Some(before) = before {
        given_back(bench, before)?;
    }
    let Made { reset, lost, ignored, worst } = seen;
    let text = format!(
        "{reset} streams reset, {lost} lost with their connection, {ignored} frames ignored; work stopped within {worst:.1?}"
    );
    let observed = Observed::new(text).with("cancel_worst_ms", worst.as_secs_f64() * 1e3);
    fast.judged(bench, cost(bench, before, observed))
}

/// Makes the server reset `all` streams, `batch` at a time, on a new connection behind GOAWAY; gives what became of them, and
/// the names of their requests.
fn makes(bench: &Bench, way: MadeYouReset, all: usize, batch: usize) -> Result<(Made, Vec<String>), Failure> {
    let (mut h2, mut seen, mut ids) = (bench.h2()?, Made::default(), Vec::new());
    let mut done = 0;
    while done < all {
        let requests: Vec<_> = (0..batch).map(|_| asked(bench, way)).collect();
        let mut streams = Vec::new();
        for request in &requests {
            streams.push(if way.needs_open() { h2.open(request)? } else { h2.request(request)? });
        }
        for request in &requests {
            bench.work_begins(&id(request))?;
        }
        attack(bench, &mut h2, way, &streams, &requests, &mut seen)?;
        ids.extend(requests.iter().map(id));
        done += batch;
        if seen.ignored > 0 {
            break;
        }
        h2.forget_closed();
        if is_told_off(&h2) {
            h2 = bench.h2()?;
        }
    }
    Ok((seen, ids))
}

fn asked(bench: &Bench, way: MadeYouReset) -> Request {
    let query = "body=ignore&tick=100ms";
    if way.needs_open() { request(bench, query).method("POST") } else { request(bench, "tick=100ms") }
}

/// Makes the server reset the streams, all in one write, and checks that the work behind each stops.
fn attack(
    bench: &Bench,
    h2: &mut H2,
    way: MadeYouReset,
    streams: &[u32],
    requests: &[Request],
    seen: &mut Made,
) -> Result<(), Failure> {
    let mut frames = Vec::new();
    for stream in streams {
        frames.append(&mut way.frames(*stream, h2.exchange(*stream)?.sending.available()));
    }
    h2.flood(&frames, bench.patience(), true)?;
    // Time counts from the last frame: the server cannot know of it any sooner.
    let made_at = Instant::now();
    if h2.ending(streams[0], bench.ms(300))?.is_none() && h2.session().goaway().is_none() {
        // RFC 9113 lets a server ignore priorities; nothing was reset, so nothing has to stop.
        seen.ignored += streams.len();
        h2.send(&streams.iter().map(|stream| Frame::reset(*stream, Code::CANCEL)).collect::<Vec<_>>())?;
        return all_end(bench, &requests.iter().map(id).collect::<Vec<_>>(), bench.patience()).map(drop);
    }
    for (stream, request) in streams.iter().zip(requests) {
        match h2.ending(*stream, bench.patience())? {
            Some((Ending::Reset(_), _)) => seen.reset += 1,
            // Whoever says GOAWAY for an error closes, and the stream is lost then.
            Some((Ending::Lost(_) | Ending::NotTaken(_), _)) | None => seen.lost += 1,
            Some((how, _)) => return Err(Failure::broken(format!("{how} after {way}"))),
        }
        let (ended_at, _) = bench.work_ends(&id(request), bench.patience()).map_err(|failure| {
            Failure::broken(format!("the stream is over ({way}), and its work is not: {failure}"))
        })?;
        seen.worst = seen.worst.max(bench.stopped_soon(made_at, ended_at)?);
    }
    Ok(())
}
