//! The server's policy for a disconnect: `--on-disconnect serve` and `detach`.

use testbed::capability::Capability::{StyleDrop, Witness};
use testbed::witness::Word;
use wire::{End, Wire};

use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Observed, Outcome, Scenario};
use crate::scenarios::disconnect::{self, Leave, send, stops};

const SERVE: &[(&str, &str)] = &[("--on-disconnect", "serve")];
const DETACH: &[(&str, &str)] = &[("--on-disconnect", "detach")];
const LEGAL: &str = "a half-close is legal: a client may say that it has nothing more to ask and wait for the answer, \
    as `nc -N` does";
const COMMIT: &str =
    "a payment that has begun must not hang on the client's connection: it is done once, or not at all";
const ANSWER: &[Judges] = &[Judges::Answer];

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "disconnect/serve-half-close",
        promise: "under `serve` a client that shuts down its sending half gets its answer, and the connection is closed",
        judges: &[Judges::Answer, Judges::Work, Judges::Connection],
        flags: SERVE,
        sent: "`GET /slow?work=400ms`; 20 ms after the work began, `shutdown(WR)`; `--on-disconnect serve`",
        why: LEGAL,
        wrong: "hyper by default and Go cancel at the end of input, whether or not the client still reads",
        sources: &[
            "RFC 9112, section 9.6",
            "https://docs.rs/hyper/1.12.0/hyper/server/conn/http1/struct.Builder.html",
        ],
        run: serve_half_close,
        ..disconnect::BASE
    },
    Scenario {
        id: "disconnect/serve-pipelined-half-close",
        promise: "under `serve` every request sent before a half-close is answered, in order",
        judges: ANSWER,
        flags: SERVE,
        sent: "`GET /slow?work=200ms` and `GET /fast` in one write, and `shutdown(WR)`; `--on-disconnect serve`",
        why: "`printf 'GET …GET …' | nc -N` is a client too",
        run: serve_pipelined,
        ..disconnect::BASE
    },
    Scenario {
        id: "disconnect/serve-rst",
        promise: "under `serve` a reset still cancels the work",
        flags: SERVE,
        sent: "`GET /slow?work=3000ms`, then RST; `--on-disconnect serve`",
        why: "after a reset nobody reads any more, whatever was agreed on half-closes",
        wrong: "hyper with `half_close(true)` stops looking altogether, and so misses the reset",
        run: |bench| stops(bench, Leave::Rst, |bench, wire| send(wire, &disconnect::request(bench, ""))),
        ..disconnect::BASE
    },
    Scenario {
        id: "disconnect/serve-pipelined-rst",
        promise: "under `serve` a reset behind unread bytes still cancels the work",
        flags: SERVE,
        sent: "`GET /slow?work=3000ms` and `GET /fast` in one write, then RST; `--on-disconnect serve`",
        why: "a reset is no end of input: it is an error of the socket, and needs no read to be seen",
        run: |bench| stops(bench, Leave::Rst, pipelined),
        ..disconnect::BASE
    },
    Scenario {
        id: "disconnect/serve-half-close-then-rst",
        promise: "under `serve` a client that half-closes and later resets cancels its work",
        flags: SERVE,
        sent: "`GET /slow?work=3000ms`, `shutdown(WR)`, 30 ms later RST; `--on-disconnect serve`",
        why: "the end of input has been seen and served; the reset behind it is a second event on the same socket",
        wrong: "a watch that fires at the half-close, is told to ignore it, and never fires again",
        run: |bench| stops(bench, Leave::Rst, half_closed),
        ..disconnect::BASE
    },
    Scenario {
        id: "disconnect/serve-deadline",
        promise: "under `serve` the deadline holds after a half-close, and its 504 arrives",
        judges: &[Judges::Answer, Judges::Work],
        flags: SERVE,
        sent: "`GET /slow?work=3000ms` with `grpc-timeout: 300m`, `shutdown(WR)`; `--on-disconnect serve`",
        why: "leave to go on is no leave to go on for ever",
        run: serve_deadline,
        ..disconnect::BASE
    },
    Scenario {
        id: "disconnect/detach",
        promise: "under `detach` the work of a client that reset completes, exactly once",
        flags: DETACH,
        sent: "`GET /slow?work=400ms`; 20 ms after the work began, RST; `--on-disconnect detach`",
        why: COMMIT,
        wrong: "a server that drops the handler's future when the connection ends cuts the work wherever it stands",
        sources: &["https://docs.rs/tokio/1.54.1/tokio/macro.select.html#cancellation-safety"],
        run: |bench| detached(bench, Leave::Rst, |bench, wire| lasting(bench, wire, "")),
        ..disconnect::BASE
    },
    Scenario {
        id: "disconnect/detach-fin",
        promise: "under `detach` the work of a client that closed completes, exactly once",
        flags: DETACH,
        sent: "`GET /slow?work=400ms`; 20 ms after the work began, FIN; `--on-disconnect detach`",
        why: COMMIT,
        run: |bench| detached(bench, Leave::Fin, |bench, wire| lasting(bench, wire, "")),
        ..disconnect::BASE
    },
    Scenario {
        id: "disconnect/detach-pipelined-rst",
        promise: "under `detach` a reset behind unread bytes leaves the work alone: it completes, exactly once",
        flags: DETACH,
        sent: "`GET /slow?work=400ms` and `GET /fast` in one write, then RST; `--on-disconnect detach`",
        why: COMMIT,
        run: |bench| {
            detached(bench, Leave::Rst, |bench, wire| {
                let first = bench.slow_for(bench.ms(400), bench.ms(1800), "");
                wire.send(&[first.bytes(bench.host()), bench.fast().bytes(bench.host())].concat())?;
                Ok(first.id_given().expect("slow requests are named").to_owned())
            })
        },
        ..disconnect::BASE
    },
    Scenario {
        id: "disconnect/detach-drop",
        promise: "under `detach` even work that knows no context completes when its client leaves",
        needs: &[Witness, StyleDrop],
        flags: DETACH,
        sent: "`GET /slow?work=400ms&style=drop`, then RST; `--on-disconnect detach`",
        why: "work that is stopped by being dropped has no say in where it is cut",
        run: |bench| detached(bench, Leave::Rst, |bench, wire| lasting(bench, wire, "style=drop")),
        ..disconnect::BASE
    },
    Scenario {
        id: "disconnect/detach-deadline",
        promise: "under `detach` the deadline still cancels the work of a client that left",
        flags: DETACH,
        sent: "`GET /slow?work=3000ms` with `grpc-timeout: 300m`, then RST; `--on-disconnect detach`",
        why: "work that nobody waits for any more is the last that should run without a bound",
        wrong: "work moved to a task of its own, out of the timeout's reach",
        run: detach_deadline,
        ..disconnect::BASE
    },
    Scenario {
        id: "disconnect/detach-half-close",
        promise: "under `detach` a client that shuts down its sending half gets its answer",
        judges: &[Judges::Answer, Judges::Work],
        flags: DETACH,
        sent: "`GET /slow?work=400ms`, `shutdown(WR)`; `--on-disconnect detach`",
        why: LEGAL,
        run: answered,
        ..disconnect::BASE
    },
    Scenario {
        id: "disconnect/detach-many",
        promise: "under `detach` 100 clients reset at once, and all their work completes, each exactly once",
        flags: DETACH,
        sent: "100 connections, each `GET /slow?work=600ms&tick=200ms`; once all work, RST; `--on-disconnect detach`",
        why: "a lost commit in a hundred is found by an auditor, and a doubled one by a customer",
        run: detach_many,
        ..disconnect::BASE
    },
];

fn lasting(bench: &Bench, wire: &mut Wire, more: &str) -> Result<String, Failure> {
    send(wire, &bench.slow_for(bench.ms(400), bench.ms(1800), more))
}

fn pipelined(bench: &Bench, wire: &mut Wire) -> Result<String, Failure> {
    let first = disconnect::request(bench, "");
    wire.send(&[first.bytes(bench.host()), bench.fast().bytes(bench.host())].concat())?;
    Ok(first.id_given().expect("slow requests are named").to_owned())
}

fn half_closed(bench: &Bench, wire: &mut Wire) -> Result<String, Failure> {
    let id = send(wire, &disconnect::request(bench, ""))?;
    bench.work_begins(&id)?;
    let left_at = wire.half_close();
    std::thread::sleep(bench.ms(30));
    let ended = bench.witness()?.ended(&id);
    ensure!(ended.is_none(), "the half-close ended the work after {:.1?}", left_at.elapsed());
    Ok(id)
}

fn serve_half_close(bench: &Bench) -> Outcome {
    let observed = answered(bench)?;
    let mut wire = bench.connect()?;
    lasting(bench, &mut wire, "")?;
    wire.half_close();
    let answer = wire.answer()?;
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    let (end, at) = wire.end(bench.patience())?;
    let after = at.saturating_duration_since(answer.done_at);
    ensure!(end == End::Fin && after <= bench.answer_late(), "{end} {after:.1?} after the answer");
    Ok(Observed { text: format!("{}, then FIN {after:.1?} later", observed.text), ..observed })
}

/// The work of a client that half-closed completes, and its answer arrives.
fn answered(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let id = lasting(bench, &mut wire, "")?;
    bench.work_begins(&id)?;
    std::thread::sleep(bench.ms(20));
    wire.half_close();
    let answer = wire.answer()?;
    ensure!(answer.status() == 200, "{} instead of 200", answer.status());
    ensure!(answer.response.field("request_id").as_ref() == Some(&id), "not the answer to {id}");
    bench.completed_once(&id)?;
    Ok(format!("200 {:.0?} after sending", answer.after()).into())
}

fn serve_pipelined(bench: &Bench) -> Outcome {
    let requests = [bench.slow_for(bench.ms(200), bench.ms(1800), ""), bench.fast()];
    let mut wire = bench.connect()?;
    wire.send(&requests.iter().flat_map(|request| request.bytes(bench.host())).collect::<Vec<_>>())?;
    wire.half_close();
    for request in &requests {
        let answer = wire.answer()?;
        let (echoed, sent) = (answer.response.header("x-request-id"), request.id_given());
        ensure!(
            answer.status() == 200 && echoed == sent,
            "{} for {}, not {}",
            answer.status(),
            or_none(echoed),
            or_none(sent)
        );
    }
    Ok("both answered".into())
}

fn serve_deadline(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let request = bench.slow("");
    wire.send_request(&request)?;
    wire.half_close();
    let answer = wire.answer()?;
    let late = bench.is_504(&answer, bench.deadline())?;
    let (ended_at, _) = bench.work_ends(request.id_given().unwrap_or_default(), bench.patience())?;
    bench.stopped_soon(answer.first_byte_at, ended_at)?;
    Ok(format!("504, {late:.1?} late").into())
}

fn detached(
    bench: &Bench,
    leave: Leave,
    send: impl Fn(&Bench, &mut Wire) -> Result<String, Failure>,
) -> Outcome {
    let mut wire = bench.connect()?;
    let id = send(bench, &mut wire)?;
    bench.work_begins(&id)?;
    std::thread::sleep(bench.ms(20));
    let (left_at, _) = leave.act(wire);
    bench.work_ends(&id, bench.patience())?;
    let after = left_at.elapsed();
    // A doubled completion would be heard by now.
    std::thread::sleep(bench.ms(100));
    bench.completed_once(&id)?;
    Ok(format!("completed once, {after:.0?} after the client left").into())
}

fn detach_deadline(bench: &Bench) -> Outcome {
    let mut wire = bench.connect()?;
    let request = bench.slow("");
    let sent_at = wire.send_request(&request)?;
    let id = request.id_given().expect("slow requests are named");
    bench.work_begins(id)?;
    wire.reset();
    let (ended_at, how) = bench.work_ends(id, bench.patience())?;
    let after = ended_at.saturating_duration_since(sent_at);
    ensure!(how == Word::Canceled, "the work says {how} and not that it was canceled");
    ensure!(
        after >= bench.deadline(),
        "canceled after {after:.1?}, before its deadline of {:?}",
        bench.deadline()
    );
    let late = bench.stopped_soon(sent_at + bench.deadline(), ended_at)?;
    Ok(format!("canceled {late:.1?} after the deadline").into())
}

fn detach_many(bench: &Bench) -> Outcome {
    let requests: Vec<_> =
        (0..100).map(|_| bench.slow_for(bench.ms(600), bench.ms(1800), "tick=200ms")).collect();
    let ids: Vec<_> =
        requests.iter().map(|request| request.id_given().unwrap_or_default().to_owned()).collect();
    let mut storm = bench.storm(requests)?;
    storm.drive(std::time::Instant::now() + bench.ms(50))?;
    for id in &ids {
        bench.work_begins(id)?;
    }
    storm.reset();
    for id in &ids {
        bench.work_ends(id, bench.patience())?;
    }
    std::thread::sleep(bench.ms(50));
    for id in &ids {
        bench.completed_once(id)?;
    }
    Ok("100 completed, each once".into())
}
