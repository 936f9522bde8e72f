//! The server closes behind an answer while bytes of the client lie unread: the kernel would turn the close into a reset,
//! and a reset throws away what is on its way.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{self, EndpointStream, Witness};
use wire::{Answer, End, Wire};

use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Scenario};

mod answers;
mod shutdown;

/// The area's scenarios, by topic.
pub(super) const SCENARIOS: &[&[Scenario]] = &[answers::SCENARIOS, shutdown::SCENARIOS];

const BOTH: &[Judges] = &[Judges::Answer, Judges::Connection];
/// The capabilities that a slow reader of a stream needs.
const STREAM: &[Capability] = &[Witness, EndpointStream];
/// The chunks of a stream that is read slowly.
const CHUNKS: usize = 1000;
/// The longest time for which a server may read on behind its last answer.
const LINGER: Duration = Duration::from_millis(1000);

const DESTROYS: &str = "closing a socket with unread bytes sends RST, and the kernel throws away the answer that waits behind it: \
    the slower the reader, the more of it is lost";
const NO_LINGER: &str = "a server that closes as soon as it has written its last byte; Go's net/http reads on behind a body that it did not \
    want, and nowhere else";
const ENDLESS: &str = "in HTTP/1.0 the end of the connection is the end of the body, and proxies speak it to their upstreams by default";
const SOURCES: &[&str] = &["RFC 9112, section 9.6", "https://github.com/h2o/h2o/issues/2534"];

const BASE: Scenario = Scenario {
    judges: BOTH,
    needs: STREAM,
    flags: &[("--request-timeout", "30s")],
    limit: Duration::from_secs(25),
    why: DESTROYS,
    wrong: NO_LINGER,
    sources: SOURCES,
    ..Scenario::BASE
};

/// Asks for a stream of [`CHUNKS`] over the smallest buffers, and once it has begun sends `behind`.
fn begin_stream(bench: &Bench, version: &str, behind: &[u8]) -> Result<(Wire, String), Failure> {
    let id = bench.id();
    let mut wire = bench.connect_narrow()?;
    let target = format!("/stream?chunks={CHUNKS}&every=1ms");
    wire.send(format!("GET {target} {version}\r\nX-Request-Id: {id}\r\n\r\n").as_bytes())?;
    bench.work_begins(&id)?;
    std::thread::sleep(bench.ms(20));
    wire.send(behind)?;
    Ok((wire, id))
}

/// Reads so slowly that the server is ahead of the client, until the server has made its last chunk and some time more;
/// then reads the rest.
fn read_slowly(bench: &Bench, wire: &mut Wire, id: &str) -> Result<Answer, Failure> {
    while bench.witness()?.ended(id).is_none() && !wire.is_over() {
        std::thread::sleep(Duration::from_millis(20));
        wire.sip(Instant::now(), 128)?;
    }
    std::thread::sleep(Duration::from_millis(100));
    Ok(wire.answer()?)
}

/// Checks that a stream arrived to its last chunk and ended in order.
fn is_whole(wire: &mut Wire, answer: &Answer) -> Result<(), Failure> {
    let got = answer.response.body.iter().filter(|byte| **byte == b'\n').count();
    let (end, _) = wire.end(Duration::from_secs(2))?;
    ensure!(got == CHUNKS, "{got} of {CHUNKS} chunks arrived, then {end}");
    ensure!(answer.response.whole, "the end of the body did not arrive: {end}");
    ensure!(end == End::Fin, "{end} instead of FIN");
    Ok(())
}

/// Checks that a stream in HTTP/1.0 breaks off in a way that its client can tell from an end.
fn is_reset(bench: &Bench, wire: &mut Wire) -> Result<Instant, Failure> {
    let (end, at) = wire.end(bench.patience())?;
    let text = String::from_utf8_lossy(wire.buffered()).into_owned();
    // A reset may overtake the chunks, so the head is all there is to ask for.
    ensure!(text.contains(" 200 "), "no stream: {text:?}");
    ensure!(end == End::Reset, "{end} instead of a reset");
    Ok(at)
}
