//! The client leaves while its answer is owed, in every way, and its upstream must be told.

use std::time::Duration;

use testbed::noise::quantile;

use super::BASE;
use crate::departure::{State, Times, Told, Way, depart};
use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Observed, Outcome, Scenario};

const WASTE: &str = "a server that does everything right works on behind an intermediary that does not tell it, and \
    the client's cancel button does nothing";
const BLIND: &str = "an intermediary that waits for its upstream alone looks at its client only when it has something to \
    write, which for a stalled answer is never";
const BUFFERED: &str = "an intermediary that reads no further than one request sees its client's end only behind the \
    bytes of the next";
const TRIES: usize = 3;

/// The base of scenarios in which the upstream has sent nothing when the client leaves.
const STALLED: Scenario = Scenario { judges: &[Judges::Work], why: WASTE, wrong: BLIND, ..BASE };
/// The base of scenarios in which the upstream sends one event after the other.
const STREAM: Scenario = Scenario {
    why: "each event that nobody reads costs as much as one that somebody does, and for a model that is a processor's time",
    wrong: "an intermediary that learns of its client's end by failing to write learns of a half-close never",
    ..STALLED
};
/// The base of scenarios in which the upstream has sent half of its answer.
const HALF: Scenario = Scenario {
    why: "an answer that stalls in the middle is as much waiting as one that has not begun",
    ..STALLED
};
/// The base of scenarios in which the end of the client stands behind bytes that are not read yet.
const BEHIND: Scenario = Scenario { wrong: BUFFERED, ..STALLED };
/// The base of scenarios in which the client leaves in the middle of its body.
const UPLOAD: Scenario = Scenario {
    wrong: "an intermediary that passes a body on as it comes has begun the upstream's work, and must end it",
    ..STALLED
};

/// The scenarios.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "through/stalled-fin",
        promise: "a client that closes while its upstream is silent has its upstream told",
        sent: "a request; 20 ms after it came to the upstream, which says nothing, FIN",
        run: |bench| leaves(bench, State::Stalled, "fin"),
        ..STALLED
    },
    Scenario {
        id: "through/stalled-rst",
        promise: "a client that resets while its upstream is silent has its upstream told",
        sent: "a request; 20 ms after it came to the upstream, which says nothing, RST",
        run: |bench| leaves(bench, State::Stalled, "rst"),
        ..STALLED
    },
    Scenario {
        id: "through/stalled-half-close",
        promise: "a client that shuts down its sending half is answered, or its upstream is told",
        judges: &[Judges::Work, Judges::Answer],
        sent: "a request; 20 ms after it came to the upstream, `shutdown(WR)`; the upstream answers 500 ms later, unless told",
        why: "a half-close may mean either; what it must not mean is work to the end and no answer",
        sources: &["RFC 9112, section 9.6"],
        run: |bench| leaves(bench, State::Stalled, "half-close"),
        ..STALLED
    },
    Scenario {
        id: "through/stalled-pipelined-fin",
        promise: "a FIN behind a second request that came in the same segment has the upstream of the first told",
        sent: "two requests in one write; 20 ms after the first came to the upstream, FIN",
        run: |bench| leaves(bench, State::Stalled, "pipelined-fin"),
        ..BEHIND
    },
    Scenario {
        id: "through/stalled-pipelined-rst",
        promise: "a RST behind a second request that came in the same segment has the upstream of the first told",
        sent: "two requests in one write; 20 ms after the first came to the upstream, RST",
        run: |bench| leaves(bench, State::Stalled, "pipelined-rst"),
        ..BEHIND
    },
    Scenario {
        id: "through/stalled-later-fin",
        promise: "a FIN behind a second request that came later has the upstream of the first told",
        sent: "a request; once it has come to the upstream a second one; 20 ms later FIN",
        run: |bench| leaves(bench, State::Stalled, "later-fin"),
        ..BEHIND
    },
    Scenario {
        id: "through/stalled-later-rst",
        promise: "a RST behind a second request that came later has the upstream of the first told",
        sent: "a request; once it has come to the upstream a second one; 20 ms later RST",
        run: |bench| leaves(bench, State::Stalled, "later-rst"),
        ..BEHIND
    },
    Scenario {
        id: "through/stalled-part-fin",
        promise: "a FIN in the middle of an upload that the upstream does not read has it told",
        sent: "a POST with `Content-Length: 100` and 10 bytes; FIN. An upstream that was never asked needs no telling",
        run: |bench| leaves(bench, State::Stalled, "part-fin"),
        ..UPLOAD
    },
    Scenario {
        id: "through/stalled-part-rst",
        promise: "a RST in the middle of an upload that the upstream does not read has it told",
        sent: "a POST with `Content-Length: 100` and 10 bytes; RST. An upstream that was never asked needs no telling",
        run: |bench| leaves(bench, State::Stalled, "part-rst"),
        ..UPLOAD
    },
    Scenario {
        id: "through/stalled-part-read-fin",
        promise: "a FIN in the middle of an upload that the upstream reads has it told",
        sent: "a POST with `Content-Length: 100` and 10 bytes; FIN. An upstream that was never asked needs no telling",
        run: |bench| leaves(bench, State::Stalled, "part-read-fin"),
        ..UPLOAD
    },
    Scenario {
        id: "through/stalled-whole-fin",
        promise: "a FIN behind a whole upload has the upstream told",
        sent: "a POST with a body of 3 bytes; 20 ms after it came to the upstream, which says nothing, FIN",
        run: |bench| leaves(bench, State::Stalled, "whole-fin"),
        ..STALLED
    },
    Scenario {
        id: "through/half-fin",
        promise: "a client that closes when half of its answer has come has its upstream told",
        sent: "a request; the upstream sends half of the body that it announces and stalls; FIN",
        run: |bench| leaves(bench, State::Half, "fin"),
        ..HALF
    },
    Scenario {
        id: "through/half-rst",
        promise: "a client that resets when half of its answer has come has its upstream told",
        sent: "a request; the upstream sends half of the body that it announces and stalls; RST",
        run: |bench| leaves(bench, State::Half, "rst"),
        ..HALF
    },
    Scenario {
        id: "through/half-half-close",
        promise: "a client that half-closes when half of its answer has come is answered, or its upstream is told",
        judges: &[Judges::Work, Judges::Answer],
        sent: "a request; the upstream sends half of its answer; `shutdown(WR)`; the other half 500 ms later, unless told",
        run: |bench| leaves(bench, State::Half, "half-close"),
        ..HALF
    },
    Scenario {
        id: "through/stream-fin",
        promise: "a client that closes while events stream has its upstream told",
        sent: "a request; the upstream sends an event each 20 ms; FIN",
        run: |bench| leaves(bench, State::Stream, "fin"),
        ..STREAM
    },
    Scenario {
        id: "through/stream-rst",
        promise: "a client that resets while events stream has its upstream told",
        sent: "a request; the upstream sends an event each 20 ms; RST",
        run: |bench| leaves(bench, State::Stream, "rst"),
        ..STREAM
    },
    Scenario {
        id: "through/stream-half-close",
        promise: "a client that half-closes while events stream gets all of them, or its upstream is told",
        judges: &[Judges::Work, Judges::Answer],
        sent: "a request; the upstream sends an event each 20 ms; `shutdown(WR)`; the stream ends 500 ms later, unless told",
        run: |bench| leaves(bench, State::Stream, "half-close"),
        ..STREAM
    },
    Scenario {
        id: "through/stream-pipelined-fin",
        promise: "a FIN behind a second request in the same segment has the upstream of a stream told",
        sent: "two requests in one write; the upstream streams the first answer; FIN",
        run: |bench| leaves(bench, State::Stream, "pipelined-fin"),
        ..STREAM
    },
    Scenario {
        id: "through/stream-pipelined-rst",
        promise: "a RST behind a second request in the same segment has the upstream of a stream told",
        sent: "two requests in one write; the upstream streams the first answer; RST",
        run: |bench| leaves(bench, State::Stream, "pipelined-rst"),
        ..STREAM
    },
    Scenario {
        id: "through/stream-later-fin",
        promise: "a FIN behind a second request that came later has the upstream of a stream told",
        sent: "a request; once it has come to the upstream, which streams, a second one; FIN",
        run: |bench| leaves(bench, State::Stream, "later-fin"),
        ..STREAM
    },
    Scenario {
        id: "through/stream-later-rst",
        promise: "a RST behind a second request that came later has the upstream of a stream told",
        sent: "a request; once it has come to the upstream, which streams, a second one; RST",
        run: |bench| leaves(bench, State::Stream, "later-rst"),
        ..STREAM
    },
    Scenario {
        id: "through/stream-part-fin",
        promise: "a FIN in the middle of an upload that is not read has the upstream of a stream told",
        sent: "a POST with `Content-Length: 100` and 10 bytes; the upstream streams all the same; FIN",
        run: |bench| leaves(bench, State::Stream, "part-fin"),
        ..STREAM
    },
    Scenario {
        id: "through/stream-part-rst",
        promise: "a RST in the middle of an upload that is not read has the upstream of a stream told",
        sent: "a POST with `Content-Length: 100` and 10 bytes; the upstream streams all the same; RST",
        run: |bench| leaves(bench, State::Stream, "part-rst"),
        ..STREAM
    },
    Scenario {
        id: "through/stream-part-read-fin",
        promise: "a FIN in the middle of an upload that is read has the upstream of a stream told",
        sent: "a POST with `Content-Length: 100` and 10 bytes; the upstream streams all the same; FIN",
        run: |bench| leaves(bench, State::Stream, "part-read-fin"),
        ..STREAM
    },
    Scenario {
        id: "through/stream-whole-fin",
        promise: "a FIN behind a whole upload has the upstream of a stream told",
        sent: "a POST with a body of 3 bytes; the upstream sends an event each 20 ms; FIN",
        run: |bench| leaves(bench, State::Stream, "whole-fin"),
        ..STREAM
    },
];

/// Leaves in the way of that slug a few times; each time the upstream must be told within the profile's time, or need none.
fn leaves(bench: &Bench, state: State, slug: &str) -> Outcome {
    let way = Way::of(slug).ok_or_else(|| Failure::harness(format!("`{slug}` is no way to leave")))?;
    let (mut took, mut served, mut not_asked) = (Vec::new(), 0, 0);
    for _ in 0..TRIES {
        let times = Times {
            arrival: bench.ms(if way.may_be_kept_back() { 300 } else { 3000 }),
            settle: bench.ms(20),
            watch: bench.ms(1500),
            give_up_at: bench.give_up_at,
        };
        match depart(bench.server(), way, state, &bench.id(), times, bench.trace())? {
            Told::After(after) => {
                let most = bench.stop_late();
                ensure!(
                    after <= most,
                    "the upstream was told {after:.1?} later; at most {most:?} is forgiven"
                );
                took.push(after);
            }
            Told::Served => served += 1,
            Told::NotAsked => not_asked += 1,
            Told::Never => {
                return Err(Failure::broken(format!("the upstream was not told within {:.1?}", times.watch)));
            }
        }
    }
    Ok(observed(&took, served, not_asked))
}

fn observed(took: &[Duration], served: usize, not_asked: usize) -> Observed {
    if took.is_empty() {
        let what = if served > 0 { "answered whole" } else { "the upstream was never asked" };
        return Observed::new(format!("{what}, {TRIES} of {TRIES}"));
    }
    let mut took: Vec<_> = took.iter().map(|took| took.as_secs_f64() * 1e3).collect();
    took.sort_by(f64::total_cmp);
    let (median, worst) = (quantile(&took, 0.5), quantile(&took, 1.0));
    let rest = if served + not_asked > 0 {
        format!(", {served} answered, {not_asked} not asked")
    } else {
        String::new()
    };
    Observed::new(format!(
        "told after {median:.2} ms (median of {}), {worst:.2} ms (worst){rest}",
        took.len()
    ))
    .with("told_median_ms", median)
    .with("told_worst_ms", worst)
}
