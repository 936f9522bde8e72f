//! A client that does not read: its answer must not wait for it for ever, and one that only reads slowly must not suffer.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{EndpointStream, KeepAlive};
use testbed::witness::Word;
use wire::{End, Request};

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Observed, Outcome, Scenario};
use crate::scenarios::{disconnect, timeouts};

/// `--write-timeout` of these scenarios.
const WRITE: Duration = Duration::from_millis(600);

const STALLED: &str =
    "an answer to a client that sleeps holds its buffers, its work and its place in the limit";
const NOTHING: &str =
    "hyper has no timeout of writing; Go's counts from the head, so a long download dies of it";
const SOURCES: &[&str] = &["https://pkg.go.dev/net/http#Server (WriteTimeout)"];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "timeouts/slow-reader",
        promise: "a client that stops reading a /stream is reset at the write timeout, and the work is canceled",
        judges: &[Judges::Work, Judges::Connection],
        needs: disconnect::BLOCKED,
        limit: Duration::from_secs(25),
        sent: "`GET /stream?chunks=10000&every=1ms` behind 20 of `GET /fast` over a connection of the smallest buffers, and nothing is read; \
            `--write-timeout 600ms`",
        why: STALLED,
        wrong: NOTHING,
        sources: SOURCES,
        run: slow_reader,
        ..timeouts::BASE
    },
    Scenario {
        id: "timeouts/pipelined-reader",
        promise: "a client that asks and asks and reads no answer is closed at the write timeout",
        needs: &[KeepAlive],
        sent: "100,000 times `GET /fast` over a connection of the smallest buffers, and nothing is read; \
            `--write-timeout 600ms`",
        why: "each answer is small, and a server that goes on reading requests keeps them all",
        wrong: "a queue of answers without a bound; a server that is blocked for ever",
        sources: SOURCES,
        run: pipelined_reader,
        ..timeouts::BASE
    },
    Scenario {
        id: "timeouts/steady-reader-spared",
        promise: "a client that reads slowly but steadily gets every answer, though all of it lasts longer than the write \
            timeout",
        judges: &[Judges::Answer],
        needs: &[KeepAlive],
        sent: "2,000 times `GET /fast` in one write over a connection of small buffers, a read of 4 KiB each 15 ms for 1.2 s; \
            `--write-timeout 600ms`",
        why: "the timeout is for no progress, and not for a slow line; but a socket is writable again only when a third of its \
            buffer is free, so a reader of a few bytes a second looks like none",
        wrong: "a write timeout that is not begun anew when the socket takes more",
        sources: SOURCES,
        run: steady_reader,
        ..timeouts::BASE
    },
    Scenario {
        id: "timeouts/quiet-stream-spared",
        promise: "a /stream with nothing to say for longer than the write timeout is no stalled one: it arrives whole",
        judges: &[Judges::Answer],
        needs: &[EndpointStream],
        sent: "`GET /stream?chunks=2&every=1100ms`; `--write-timeout 600ms --idle-timeout 1000ms`",
        why: "it is the server that is silent, and not the client that sleeps",
        wrong: "a timer that is set at each write and strikes when the next one is late",
        run: quiet_stream,
        ..timeouts::BASE
    },
];

fn slow_reader(bench: &Bench) -> Outcome {
    let (mut wire, id) = disconnect::unread_stream(bench)?;
    // The server's own buffer may take chunks for longer than the timeout lasts, so the end is all there is to wait for;
    // the deadline is far behind it.
    let (ended_at, how) = bench.work_ends(&id, Duration::from_secs(11))?;
    ensure!(how == Word::Canceled, "the work says {how} and not that it was canceled");
    let events = bench.witness()?.events(&id);
    let (began_at, last) = match (&events[..], events.iter().rev().find(|(_, word)| !word.is_end())) {
        ([(began_at, _), ..], Some((last, _))) => (*began_at, *last),
        _ => return Err(Failure::broken("the work did not begin")),
    };
    let lasted = ended_at.saturating_duration_since(began_at);
    ensure!(lasted >= WRITE, "early: canceled after {lasted:.1?}, and the write timeout is {WRITE:?}");
    // The socket was full before the last chunk was made.
    let (after, most) = (ended_at.saturating_duration_since(last), WRITE + bench.answer_late());
    ensure!(after <= most, "canceled {after:.1?} after the last chunk; the write timeout is {WRITE:?}");
    let (end, _) = wire.end(bench.patience())?;
    ensure!(end == End::Reset, "{end} instead of a reset");
    Ok(format!("canceled {lasted:.1?} after the start and {after:.0?} after the last chunk, reset").into())
}

fn pipelined_reader(bench: &Bench) -> Outcome {
    let mut wire = bench.connect_narrow()?;
    let requests = format!("GET /fast HTTP/1.1\r\nHost: {}\r\n\r\n", bench.host()).repeat(100_000);
    let since = Instant::now();
    // It blocks until the server has had enough, and then fails: that is the promise.
    let taken = wire.send(requests.as_bytes()).is_ok();
    std::thread::sleep(if taken { WRITE + bench.answer_late() } else { Duration::ZERO });
    let (end, at) = wire.end(bench.patience())?;
    let after = at.saturating_duration_since(since);
    ensure!(end != End::Silence, "still open after {after:.1?}");
    ensure!(after >= WRITE, "early: closed after {after:.1?}, and the write timeout is {WRITE:?}");
    // The time to fill the buffers is not the server's.
    let most = WRITE + bench.answer_late() + bench.ms(1000);
    ensure!(after <= most, "closed only after {after:.1?}, and the write timeout is {WRITE:?}");
    Ok(Observed::new(format!("{end} after {after:.0?}")).with("closed_ms", after.as_secs_f64() * 1e3))
}

fn steady_reader(bench: &Bench) -> Outcome {
    const COUNT: usize = 2000;
    let mut wire = bench.connect_slow()?;
    let sent_at =
        wire.send(format!("GET /fast HTTP/1.1\r\nHost: {}\r\n\r\n", bench.host()).repeat(COUNT).as_bytes())?;
    while sent_at.elapsed() < 2 * WRITE && !wire.is_over() {
        std::thread::sleep(Duration::from_millis(15));
        wire.sip(Instant::now(), 4096)?;
    }
    ensure!(
        COUNT * 200 > wire.buffered().len(),
        "the answers came faster than they were read: {} bytes",
        wire.buffered().len()
    );
    for number in 1..=COUNT {
        let answer = wire.answer();
        let answer =
            answer.map_err(|failure| Failure::broken(format!("answer {number} of {COUNT}: {failure}")))?;
        ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    }
    Ok(format!("{COUNT} answers in {:.1?}", sent_at.elapsed()).into())
}

fn quiet_stream(bench: &Bench) -> Outcome {
    let answer = bench.ask(&Request::get("/stream?chunks=2&every=1100ms").id(bench.id()))?;
    let whole = answer.response.whole;
    ensure!(answer.status() == 200 && whole, "{}, whole: {whole}", answer.status());
    Ok("whole".into())
}
