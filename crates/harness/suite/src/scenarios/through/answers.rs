//! Answers through an intermediary whose client stays: every one comes, whole, in time, and to its own request.

use std::time::Instant;

use testbed::capability::Capability;
use testbed::upstream::{Reply, Shape};
use wire::{Leave, Request};

use super::{BASE, Caller, arrives, behind, is_answer_of, own_answer, send, upstream};
use crate::ensure;
use crate::scenario::{Bench, Failure, Judges, Level, Observed, Outcome, Scenario};

/// The scenarios.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "through/answers-200",
        promise: "a request goes to the upstream, and its answer to the client",
        sent: "a request; the upstream answers at once",
        why: "it gates all others: without it, \"no intermediary\"",
        run: |bench| {
            let seen = own_answer(bench)?;
            Ok(format!("on connection {} of the upstream", seen.connection).into())
        },
        ..BASE
    },
    Scenario {
        id: "through/one-after-another",
        promise: "ten requests, one after another, each get their own answer",
        judges: &[Judges::Answer, Judges::Connection],
        sent: "ten requests on one connection, or on a new one behind an answer that says `Connection: close`",
        why: "most requests are not the first of their connection, on either side",
        run: one_after_another,
        ..BASE
    },
    Scenario {
        id: "through/pipelined-in-order",
        promise: "two requests in one write are answered in order, each with its own answer",
        sent: "two requests in one write; the upstream answers the first after 100 ms and the second at once",
        why: "an answer that overtakes another goes to the wrong caller",
        sources: &["RFC 9112, section 9.3.2"],
        run: pipelined,
        ..BASE
    },
    Scenario {
        id: "through/large-answer-whole",
        promise: "an answer of 1 MiB comes whole",
        needs: &[Capability::Through, Capability::ThroughRaw],
        sent: "a request; the upstream sends a chunked body of 1 MiB",
        why: "a buffer that is cut, or a length that is wrong, shows only above the size of a buffer",
        run: large,
        ..BASE
    },
    Scenario {
        id: "through/upload-whole",
        promise: "an upload of 300,000 bytes comes to the upstream whole",
        needs: &[Capability::Through, Capability::ThroughRaw],
        sent: "a POST with `Content-Length: 300000`",
        why: "what is measured of uploads that break off means something only where others arrive",
        run: |bench| upload(bench, false),
        ..BASE
    },
    Scenario {
        id: "through/chunked-upload-whole",
        promise: "a chunked upload comes to the upstream whole, or is refused and does not come at all",
        needs: &[Capability::Through, Capability::ThroughRaw],
        sent: "a POST of 30,000 bytes with `Transfer-Encoding: chunked`",
        why: "half an upload that looks whole is stored as if it were",
        run: |bench| upload(bench, true),
        ..BASE
    },
    Scenario {
        id: "through/events-not-held-back",
        promise: "the first event of a stream comes to the client while the stream goes on",
        level: Level::Should,
        sent: "a request; the upstream sends an event each 100 ms for 2 s",
        why: "a stream that is held back until a buffer is full, or its end, is no stream: a reader of a model's answer sees \
              nothing, and leaves",
        wrong: "buffering of answers is on by default in some, and off by a header in few",
        run: not_held_back,
        ..BASE
    },
    Scenario {
        id: "through/others-untouched",
        promise: "when 10 of 20 clients leave, the other 10 get their own answers",
        judges: &[Judges::Answer, Judges::Work],
        sent: "20 requests, a connection each; every second client leaves by FIN or RST; the upstream answers after 400 ms",
        why: "one user's cancel button must not cancel somebody else",
        run: others,
        ..BASE
    },
];

fn one_after_another(bench: &Bench) -> Outcome {
    let (mut caller, mut reused) = (Caller::new(bench), 0);
    for _ in 0..10 {
        reused += usize::from(caller.own_answer()?.before > 0);
    }
    let opened = caller.opened;
    let text = format!(
        "{opened} connections of the client, {reused} of 10 requests on a reused one to the upstream"
    );
    Ok(Observed::new(text).with("client_connections", opened as f64).with("reused_upstream", reused as f64))
}

fn pipelined(bench: &Bench) -> Outcome {
    let (first, second, behind) = (bench.id(), bench.id(), behind(bench)?);
    behind.upstream.answer(&first, [Reply::late(bench.ms(100))]);
    let mut wire = bench.connect()?;
    let requests = [&first, &second].map(|id| behind.request("/", id, false).bytes(bench.host()));
    wire.send(&requests.concat())?;
    is_answer_of(&wire.answer()?.response, &first)?;
    match wire.answer() {
        Ok(answer) => is_answer_of(&answer.response, &second).map(|()| "both, in order".into()),
        // A server may close behind any answer; the client asks again then.
        Err(_) if wire.is_over() && wire.buffered().is_empty() => {
            Ok("the first, then the connection was closed".into())
        }
        Err(error) => Err(error.into()),
    }
}

fn large(bench: &Bench) -> Outcome {
    const SIZE: usize = 1 << 20;
    let (mut wire, _) = send(bench, "/", Reply::of(Shape::Large(SIZE)))?;
    let response = wire.answer()?.response;
    let (length, whole) = (response.body.len(), response.whole);
    ensure!(response.status == 200 && whole && length == SIZE, "{} with {length} bytes", response.status);
    Ok("1 MiB".into())
}

fn upload(bench: &Bench, chunked: bool) -> Outcome {
    let (id, behind) = (bench.id(), behind(bench)?);
    let mut wire = bench.connect()?;
    let size = if chunked { 30_000 } else { 300_000 };
    if chunked {
        let request =
            Request::get(format!("/{id}")).method("POST").id(&id).header("Transfer-Encoding", "chunked");
        let chunk = format!("2710\r\n{}\r\n", "x".repeat(10_000));
        wire.send(
            &[request.bytes(bench.host()), chunk.repeat(3).into_bytes(), b"0\r\n\r\n".to_vec()].concat(),
        )?;
    } else {
        wire.send_request(&behind.post("/", &id, &"x".repeat(size), false, usize::MAX))?;
    }
    let answer = wire.answer()?;
    if chunked && matches!(answer.status(), 400..=499 | 501) {
        ensure!(behind.upstream.seen(&id).is_empty(), "{}, and the upstream was asked", answer.status());
        return Ok(format!("refused with {}", answer.status()).into());
    }
    is_answer_of(&answer.response, &id)?;
    let seen = arrives(bench, &id)?;
    ensure!(
        seen.body_at.is_some() && seen.body_bytes() == size,
        "{} of {size} bytes came",
        seen.body_bytes()
    );
    Ok(format!("{size} bytes").into())
}

fn not_held_back(bench: &Bench) -> Outcome {
    let (mut wire, id) =
        send(bench, "/", Reply::of(Shape::Events { every: bench.ms(100), count: Some(20) }))?;
    let sent_at = upstream(bench)?
        .wait(&id, bench.patience(), |seen| seen.sent.len() > 1)
        .ok_or_else(|| Failure::broken("the stream did not begin"))?
        .sent[1]
        .0;
    while !wire.buffered().windows(7).any(|bytes| bytes == b"event 0") {
        ensure!(!wire.is_over(), "the connection ended before the first event");
        ensure!(wire.fill(bench.give_up_at)?, "no event came");
    }
    let late = Instant::now().saturating_duration_since(sent_at);
    let most = bench.answer_late();
    ensure!(late <= most, "the first event came {late:.1?} after it was sent; at most {most:?} is forgiven");
    let late_ms = late.as_secs_f64() * 1e3;
    Ok(Observed::new(format!("the first event came after {late_ms:.2} ms")).with("event_late_ms", late_ms))
}

fn others(bench: &Bench) -> Outcome {
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(send(bench, "/", Reply::late(bench.ms(400)))?);
    }
    for (_, id) in &clients {
        arrives(bench, id)?;
    }
    std::thread::sleep(bench.ms(100));
    let mut stay = Vec::new();
    for (number, (wire, id)) in clients.into_iter().enumerate() {
        match number % 4 {
            0 => drop(Leave::Fin.act(wire)),
            2 => drop(Leave::Rst.act(wire)),
            _ => stay.push((wire, id)),
        }
    }
    for (wire, id) in &mut stay {
        is_answer_of(&wire.answer()?.response, id)?;
    }
    Ok("10 own answers".into())
}
