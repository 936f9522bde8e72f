//! A connection to the upstream that a client has left behind: whose answer comes out of it?

use std::time::Duration;

use testbed::upstream::{Reply, Shape};
use wire::Leave;

use super::{BASE, arrives, behind, own_answer, send, upstream};
use crate::scenario::{Bench, Judges, Level, Observed, Outcome, Scenario};

const ANOTHERS: Scenario = Scenario {
    judges: &[Judges::Answer, Judges::Connection],
    why: "an answer that goes to another caller is the worst fault there is: nothing shows it, and it may be somebody's mail",
    wrong: "a connection that is given back to the pool when its client leaves still owes an answer",
    sources: &[
        "https://openai.com/index/march-20-chatgpt-outage/ (redis-py: a canceled request, its answer to the next)",
    ],
    ..BASE
};

/// The scenarios.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "through/no-answer-of-another",
        promise: "the requests behind one whose client has left get their own answers, though the upstream answers that one too",
        sent: "20 times: a request, which its client leaves after 20 ms and the upstream answers after 60 ms, whatever it was \
               told; a second one at once, a third one 80 ms later",
        run: |bench| anothers(bench, Reply::late(bench.ms(60)), &[80], 20),
        ..ANOTHERS
    },
    Scenario {
        id: "through/no-answer-of-another-race",
        promise: "the same when the answer and the client's leaving meet",
        sent: "60 times: a request that the upstream answers after 21 ms, which its client leaves after some 20 ms; then \
               two more at once",
        run: |bench| anothers(bench, Reply::late(bench.ms(20) + Duration::from_millis(1)), &[0, 1], 60),
        ..ANOTHERS
    },
    Scenario {
        id: "through/no-rest-of-another",
        promise: "the requests behind one that was half answered when its client left get their own answers, and no rest of it",
        sent: "20 times: a request, half of whose answer comes at once and half after 60 ms; its client leaves after 20 ms; a \
               second one at once, a third one 80 ms later",
        run: |bench| anothers(bench, Reply::of(Shape::Halves(bench.ms(60))), &[80], 20),
        ..ANOTHERS
    },
    Scenario {
        id: "through/no-answer-of-an-upload",
        promise: "the requests behind an upload whose client has left in its middle get their own answers",
        sent: "10 times: a POST with `Content-Length: 100` and 10 bytes, which its client leaves; then three requests",
        why: "what is sent on a connection that still owes a body becomes that body",
        run: upload,
        ..ANOTHERS
    },
    Scenario {
        id: "through/reused-after-cancels",
        promise: "how many connections to the upstream 20 requests take, and 20 more behind 20 that were left",
        level: Level::Info,
        sent: "20 requests one after another; 20 that their clients leave; 20 more",
        why: "over HTTP/1.1 a cancel costs a connection, which with TLS is most of what a short request costs",
        run: connections,
        ..ANOTHERS
    },
];

/// Leaves behind a request that will be answered all the same, and asks for more, at once and after each of the pauses.
fn anothers(bench: &Bench, reply: Reply, pauses: &[u64], times: usize) -> Outcome {
    let mut reused = 0;
    for number in 0..times {
        let (wire, id) = send(bench, "/", Reply { minds: false, ..reply })?;
        arrives(bench, &id)?;
        std::thread::sleep(bench.ms(20));
        let leave = if number % 2 == 0 { Leave::Fin } else { Leave::Rst };
        leave.act(wire);
        reused += usize::from(own_answer(bench)?.before > 0);
        for pause in pauses {
            std::thread::sleep(bench.ms(*pause));
            reused += usize::from(own_answer(bench)?.before > 0);
        }
    }
    let all = times * (1 + pauses.len());
    let text = format!("{all} own answers, {reused} of them on reused connections");
    Ok(Observed::new(text).with("reused_upstream", reused as f64))
}

fn upload(bench: &Bench) -> Outcome {
    for number in 0..10 {
        let (id, behind) = (bench.id(), behind(bench)?);
        behind.upstream.answer(&id, [Reply { minds: false, ..Reply::WHOLE }]);
        let mut wire = bench.connect()?;
        wire.send_request(&behind.post("/", &id, &"x".repeat(100), false, 10))?;
        behind.upstream.wait(&id, bench.ms(50), |_| true);
        let leave = if number % 2 == 0 { Leave::Fin } else { Leave::Rst };
        leave.act(wire);
        for _ in 0..3 {
            own_answer(bench)?;
        }
    }
    Ok("30 own answers".into())
}

fn connections(bench: &Bench) -> Outcome {
    let twenty = || -> Result<u64, crate::scenario::Failure> {
        let before = upstream(bench)?.connections();
        for _ in 0..20 {
            own_answer(bench)?;
        }
        Ok(upstream(bench)?.connections() - before)
    };
    let before = twenty()?;
    for _ in 0..20 {
        let (wire, id) = send(bench, "/", Reply::NOTHING)?;
        arrives(bench, &id)?;
        Leave::Fin.act(wire);
    }
    let after = twenty()?;
    Ok(Observed::new(format!(
        "{before} connections for 20 requests, {after} for 20 behind 20 that were left"
    ))
    .with("connections", before as f64)
    .with("connections_after_cancels", after as f64))
}
