//! `Expect: 100-continue`: a client that waits to be asked for its body.

use std::time::Instant;

use testbed::capability::Capability;
use testbed::upstream::Reply;
use wire::{Leave, Wire};

use super::{BASE, arrives, behind, is_answer_of, ms, told};
use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario};

const NEEDS: &[Capability] = &[Capability::Through, Capability::ThroughRaw];
const EXPECT: Scenario = Scenario {
    needs: NEEDS,
    why: "a body that is announced and not sent is owed by the client and by the intermediary, and both may wait for ever",
    sources: &["RFC 9110, section 10.1.1"],
    ..BASE
};

/// The scenarios.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "through/expect-continue",
        promise: "a client that expects `100 Continue` gets it, and then the answer to its upload",
        sent: "a POST with `Expect: 100-continue` and `Content-Length: 100`; the body once 100 has come",
        run: continues,
        ..EXPECT
    },
    Scenario {
        id: "through/expect-leaves-fin",
        promise: "a client that closes while it waits for `100 Continue` has its upstream told, or it was never asked",
        judges: &[Judges::Work],
        sent: "a POST with `Expect: 100-continue` and `Content-Length: 100`; the upstream does not say 100; FIN after 100 ms",
        run: |bench| leaves(bench, Leave::Fin),
        ..EXPECT
    },
    Scenario {
        id: "through/expect-leaves-rst",
        promise: "a client that resets while it waits for `100 Continue` has its upstream told, or it was never asked",
        judges: &[Judges::Work],
        sent: "a POST with `Expect: 100-continue` and `Content-Length: 100`; the upstream does not say 100; RST after 100 ms",
        run: |bench| leaves(bench, Leave::Rst),
        ..EXPECT
    },
];

fn continues(bench: &Bench) -> Outcome {
    let (id, behind) = (bench.id(), behind(bench)?);
    let mut wire = bench.connect()?;
    wire.send_request(&behind.post("/", &id, &"x".repeat(100), false, 0).header("Expect", "100-continue"))?;
    let first = status(bench, &mut wire)?;
    if first == "417" {
        return Ok("refused with 417".into());
    }
    ensure!(first == "100", "{first} instead of 100");
    wire.send("x".repeat(100).as_bytes())?;
    let answer = wire.answer()?;
    is_answer_of(&answer.response, &id)?;
    let came = arrives(bench, &id)?.body_bytes();
    ensure!(came == 100, "{came} of 100 bytes came");
    Ok("100, then the answer".into())
}

/// The first status that comes, an interim one too.
fn status(bench: &Bench, wire: &mut Wire) -> Result<String, Failure> {
    const STATUS: std::ops::Range<usize> = "HTTP/1.1 ".len().."HTTP/1.1 100".len();
    let until = Instant::now() + bench.patience();
    while wire.buffered().len() < STATUS.end {
        ensure!(!wire.is_over(), "the connection ended before `100 Continue`");
        ensure!(
            wire.fill(until)?,
            "neither `100 Continue` nor an answer came within {:.1?}",
            bench.patience()
        );
    }
    Ok(String::from_utf8_lossy(&wire.buffered()[STATUS]).into_owned())
}

fn leaves(bench: &Bench, leave: Leave) -> Outcome {
    let (id, behind) = (bench.id(), behind(bench)?);
    behind.upstream.answer(&id, [Reply { continues: false, ..Reply::NOTHING }]);
    let mut wire = bench.connect()?;
    wire.send_request(&behind.post("/", &id, &"x".repeat(100), false, 0).header("Expect", "100-continue"))?;
    let arrived = behind.upstream.wait(&id, bench.ms(300), |_| true).is_some();
    std::thread::sleep(bench.ms(100));
    while !wire.is_over() && wire.fill(Instant::now())? {}
    let (left_at, _) = leave.act(wire);
    if !arrived {
        std::thread::sleep(bench.ms(200));
        if behind.upstream.seen(&id).is_empty() {
            return Ok("the upstream was never asked".into());
        }
    }
    let after = told(bench, &id, left_at, &format!("its client has left by {leave}"))?;
    Ok(format!("told after {}", ms(after)).into())
}
