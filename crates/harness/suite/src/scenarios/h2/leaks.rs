//! Storms of streams, round after round: what a stream took is given back, though its connection goes on.

use testbed::capability::Capability::{Admin, Http2, Process, StyleContext, Witness};
use wire::h2::{Code, Frame};

use super::{LIMIT, all_end, id, is, request};
use crate::scenario::{Bench, Outcome, Scenario};
use crate::scenarios::leak::storms::{BASE, rounds};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "h2/leak-storm",
        promise: "5 storms of 500 streams that time out, over 5 connections, leave nothing behind",
        needs: &[Http2, Process, Admin, StyleContext],
        sent: "5 times 5 connections with 100 times `GET /slow?work=3000ms` each, with `grpc-timeout: 300m`",
        wrong: "a context that is kept with the connection until it ends",
        run: storm,
        ..BASE
    },
    Scenario {
        id: "h2/leak-resets",
        promise: "5 storms of 500 streams that are reset, all over one connection that goes on, leave nothing behind",
        needs: &[Http2, Process, Admin, Witness, StyleContext],
        sent: "5 times 5 times 100 times `GET /slow?work=3000ms` on one connection, each reset once it works",
        wrong: "a table of streams from which those that were reset are never taken; they are remembered for what may still come",
        sources: &["RFC 9113, section 5.1: closed"],
        run: resets,
        ..BASE
    },
];

fn storm(bench: &Bench) -> Outcome {
    rounds(bench, 5 * LIMIT, || {
        let mut connections = Vec::new();
        for _ in 0..5 {
            let mut h2 = bench.h2()?;
            let requests: Vec<_> = (0..LIMIT).map(|_| bench.slow("tick=50ms")).collect();
            let streams = h2.together(&requests)?;
            connections.push((h2, streams));
        }
        for (mut h2, streams) in connections {
            for stream in streams {
                is(&h2.answer(stream)?, 504)?;
            }
        }
        Ok(())
    })
}

fn resets(bench: &Bench) -> Outcome {
    // It is open before the first count of connections is taken.
    let mut h2 = bench.h2()?;
    is(&h2.ask(&bench.fast())?, 200)?;
    rounds(bench, 5 * LIMIT, || {
        for _ in 0..5 {
            let requests: Vec<_> = (0..LIMIT).map(|_| request(bench, "tick=100ms")).collect();
            let streams = h2.together(&requests)?;
            for request in &requests {
                bench.work_begins(&id(request))?;
            }
            let frames: Vec<_> = streams.iter().map(|stream| Frame::reset(*stream, Code::CANCEL)).collect();
            h2.send(&frames)?;
            let ids: Vec<_> = requests.iter().map(id).collect();
            all_end(bench, &ids, bench.patience())?;
            h2.listen(bench.ms(20))?;
            h2.forget_closed();
        }
        Ok(())
    })
}
