//! The upstream leaves first, and the client must not take what came for an answer.

use testbed::capability::Capability;
use testbed::upstream::{Reply, Shape};
use wire::End;

use super::timeouts::is_cut;
use super::{BASE, ms, send};
use crate::departure::EVERY;
use crate::ensure;
use crate::scenario::{Bench, Judges, Outcome, Scenario, Slot};

const RAW: &[Capability] = &[Capability::Through, Capability::ThroughRaw];
const GONE: Scenario = Scenario {
    judges: &[Judges::Answer],
    why: "an upstream that crashes is the commonest fault behind an intermediary",
    // An upstream that failed may be left out for a while, which is nothing for neighbors.
    slot: Slot::Own,
    ..BASE
};
const CUT: Scenario = Scenario {
    needs: RAW,
    why: "an answer that is cut off and looks whole is wrong data, which a cache then keeps",
    wrong: "a body that only the connection's end ends looks whole whenever that comes",
    sources: &["RFC 9112, section 8"],
    ..GONE
};

/// The scenarios.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "through/upstream-closes-502",
        promise: "a client whose upstream closes without an answer is answered 5xx at once",
        sent: "a POST; the upstream reads it and closes",
        sources: &["RFC 9110, section 15.6.3"],
        run: |bench| unanswered(bench, Shape::Close),
        ..GONE
    },
    Scenario {
        id: "through/upstream-resets-502",
        promise: "a client whose upstream resets without an answer is answered 5xx at once",
        sent: "a POST; the upstream reads it and resets",
        sources: &["RFC 9110, section 15.6.3"],
        run: |bench| unanswered(bench, Shape::Reset),
        ..GONE
    },
    Scenario {
        id: "through/upstream-closes-midway",
        promise: "a client whose upstream closes in the middle of an answer sees it cut off",
        sent: "a request; the upstream sends half of the body that it announced and closes",
        run: |bench| cut(bench, Shape::HalfThenClose),
        ..CUT
    },
    Scenario {
        id: "through/upstream-resets-midway",
        promise: "a client whose upstream resets in the middle of an answer sees it cut off",
        sent: "a request; the upstream sends half of the body that it announced and resets",
        run: |bench| cut(bench, Shape::HalfThenReset),
        ..CUT
    },
    Scenario {
        id: "through/upstream-closes-mid-stream",
        promise: "a client whose upstream closes in the middle of a stream sees it cut off",
        sent: "a request; the upstream sends three events in chunks and closes without the last chunk",
        run: |bench| cut(bench, Shape::CutEvents { every: EVERY, count: 3 }),
        ..CUT
    },
];

fn unanswered(bench: &Bench, shape: Shape) -> Outcome {
    let (id, behind) = (bench.id(), bench.behind()?);
    behind.upstream.answer(&id, [Reply::of(shape)]);
    let mut wire = bench.connect()?;
    wire.send_request(&behind.post("/", &id, "lab", false, usize::MAX))?;
    let answer = wire.answer()?;
    let (status, after, most) = (answer.status(), answer.after(), bench.answer_late());
    ensure!((500..600).contains(&status), "{status} instead of 5xx");
    ensure!(after <= most, "{status} only {after:.1?} after sending; at most {most:?} is forgiven");
    Ok(format!("{status} after {}", ms(after)).into())
}

fn cut(bench: &Bench, shape: Shape) -> Outcome {
    let (mut wire, _) = send(bench, "/", Reply::of(shape))?;
    let (end, at) = wire.end(bench.patience())?;
    is_cut(&mut wire, end)?;
    ensure!(end != End::Silence, "the client was told nothing within {:.1?}", bench.patience());
    Ok(format!("{end} {} after sending", ms(at - wire.sent_at())).into())
}
