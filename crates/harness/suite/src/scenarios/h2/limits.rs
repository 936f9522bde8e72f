//! At most 100 streams, and at most 100 pieces of work: a slot is free when its work has ended, and not when its stream has.

use std::time::{Duration, Instant};

use testbed::capability::Capability::{Http2, StyleBlocking, Witness};
use wire::h2::session::Session;
use wire::h2::{Code, Ending, H2};

use super::attacks::times;
use super::{BASE, LIMIT, WATCHED, all_end, brief, goes_on, id, is, most_at_once, request};
use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Outcome, Scenario, Slot};

const REFUSED: &str = "RFC 9113, section 5.1.2 and 8.7";

/// Streams of a connection that is kept full.
const KEPT: usize = 5_000;

/// The common part of these scenarios: a server of their own, because they use all there is of one.
const LIMITED: Scenario = Scenario {
    judges: &[Judges::Answer, Judges::Work],
    slot: Slot::Own,
    limit: Duration::from_secs(30),
    ..WATCHED
};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "h2/over-the-limit",
        promise: "of 150 streams at once 100 are served, and 50 refused: REFUSED_STREAM or 503; the connection goes on",
        sent: "150 times `GET /slow?work=800ms&tick=100ms` in one write",
        why: "a client that goes over the limit made a mistake in counting, and its first 100 requests did not",
        wrong: "a limit that is announced and not enforced; one that ends the connection",
        sources: &[REFUSED],
        run: over,
        ..LIMITED
    },
    Scenario {
        id: "h2/kept-full",
        promise: "a client that keeps 100 streams under way, each opened behind an answer, is refused none of them",
        judges: &[Judges::Answer],
        sent: "100 times `GET /fast` on one connection, and one more behind each answer, 5,000 in all",
        why: "a proxy fills the limit that was announced: END_STREAM ends a stream for its client, which opens the next at once",
        wrong: "a slot that is given back by the task of the stream, which ends behind END_STREAM: a client that is quick is \
            refused now and then",
        sources: &["RFC 9113, section 5.1.2", "https://github.com/eclipse-ee4j/glassfish-grizzly/pull/2309"],
        run: kept_full,
        slot: Slot::Own,
        limit: Duration::from_secs(240),
        ..BASE
    },
    Scenario {
        id: "h2/slots-return",
        promise: "the slots of streams that were reset are free again when their work has ended",
        sent: "five rounds of 100 times `GET /slow?work=3000ms` on one connection, all reset once they work; then `GET /fast`",
        why: "a slot that is lost at each cancel ends in a connection that serves nobody",
        wrong: "a count that is taken down at the answer, which a reset stream has not",
        run: slots_return,
        ..LIMITED
    },
    Scenario {
        id: "h2/slots-held-by-work",
        promise: "a stream that is reset keeps its slot until its work has ended: live work is never above 100",
        needs: &[Http2, Witness, StyleBlocking],
        sent: "100 times `GET /slow?work=1500ms&style=blocking` on one connection, all reset once they work; at once 50 more; \
            then 50 more when the first have ended",
        why: "whoever counts streams lets a client that resets start work without end: rapid reset and MadeYouReset are this",
        wrong: "the limit of every library counts streams",
        sources: &["CVE-2023-44487", "CVE-2025-8671", "https://kb.cert.org/vuls/id/767506"],
        run: slots_held,
        ..LIMITED
    },
    Scenario {
        id: "h2/honest-cancels",
        promise: "1,500 requests that are canceled while their client waits for the answer are no attack: no GOAWAY",
        judges: &[Judges::Connection, Judges::Work],
        sent: "50 rounds of 30 times `GET /slow?work=3000ms&tick=500ms` on one connection, all reset once they work; \
            then `GET /fast`",
        why: "a proxy passes on the cancels of all its clients over one connection, and it lives for days",
        wrong: "a budget of resets for the life of a connection: h2 counts 1,024 by default",
        sources: &["https://github.com/hyperium/h2/issues/856"],
        run: honest,
        ..LIMITED
    },
];

/// Names of requests.
fn ids(requests: &[wire::Request]) -> Vec<String> {
    requests.iter().map(id).collect()
}

fn begin(bench: &Bench, ids: &[String]) -> Result<(), Failure> {
    ids.iter().try_for_each(|id| bench.work_begins(id).map(drop))
}

/// Resets all the streams in one write.
fn reset_all(h2: &mut H2, streams: &[u32]) -> Result<Instant, Failure> {
    let frames: Vec<_> = streams.iter().map(|stream| wire::h2::Frame::reset(*stream, Code::CANCEL)).collect();
    Ok(h2.send(&frames)?)
}

/// True when the stream was refused: reset with REFUSED_STREAM, or answered 503.
fn is_refused(h2: &H2, stream: u32) -> Result<bool, Failure> {
    let exchange = h2.exchange(stream)?;
    let status = exchange.head.as_ref().map(|(status, _)| *status);
    Ok(match exchange.ended {
        Some((Ending::Reset(Code::REFUSED_STREAM), _)) => true,
        Some((Ending::Complete, _)) => status == Some(503),
        _ => false,
    })
}

fn over(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let requests: Vec<_> =
        (0..150).map(|_| bench.slow_for(bench.ms(800), bench.ms(1900), "tick=100ms")).collect();
    let streams = h2.together(&requests)?;
    let (mut served, mut refused) = (0, 0);
    for stream in streams {
        h2.ending(stream, bench.patience())?;
        let exchange = h2.exchange(stream)?;
        let (status, ended) = (exchange.head.as_ref().map(|(status, _)| *status), exchange.ended);
        match (status, ended) {
            (Some(200), Some((Ending::Complete, _))) => served += 1,
            _ if is_refused(&h2, stream)? => refused += 1,
            (status, ended) => {
                let (status, ended) = (or_none(status), or_none(ended.map(|(how, _)| how)));
                return Err(Failure::broken(format!(
                    "stream {stream}: answered {status}, and ended by {ended}"
                )));
            }
        }
    }
    // More are served when the first have ended before the last are looked at.
    ensure!(served >= LIMIT, "{served} of 150 streams were served, and the limit is {LIMIT}");
    let most = most_at_once(bench, &ids(&requests))?;
    ensure!(most <= LIMIT, "{most} pieces of work at once, and the limit is {LIMIT}");
    goes_on(bench, &mut h2)?;
    Ok(format!("{served} served, {refused} refused, at most {most} at once").into())
}

fn kept_full(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    // The limit is known with the server's SETTINGS, which come before its first answer.
    is(&h2.ask(&bench.fast())?, 200)?;
    let announced = h2.session().theirs().and_then(|theirs| theirs.max_concurrent_streams);
    let limit = announced.map_or(LIMIT, |most| LIMIT.min(most as usize));
    let (mut left, mut refused) = (times(KEPT), 0);
    let mut open: Vec<u32> = Vec::new();
    loop {
        let more = left.min(limit - open.len());
        left -= more;
        let requests: Vec<_> = (0..more).map(|_| bench.fast()).collect();
        open.append(&mut h2.together(&requests)?);
        if open.is_empty() {
            break;
        }
        let has_ended = |session: &Session, stream: u32| {
            session.exchange(stream).is_none_or(|exchange| exchange.ended.is_some())
        };
        let until = Instant::now() + bench.patience();
        let came = h2.read_until(until, |session| open.iter().any(|stream| has_ended(session, *stream)))?;
        ensure!(came, "none of {} streams was answered within {:.0?}", open.len(), bench.patience());
        // All that has come is answered at once: the more streams are opened in a write, the fuller the server is.
        h2.listen(Duration::ZERO)?;
        let (ended, under_way): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|stream| has_ended(h2.session(), *stream));
        for stream in ended {
            match is_refused(&h2, stream)? {
                true => refused += 1,
                false => is(&h2.answer(stream)?, 200)?,
            }
        }
        open = under_way;
        h2.forget_closed();
    }
    let all = times(KEPT);
    ensure!(
        refused == 0,
        "{refused} of {all} streams were refused, and no more than {limit} were under way at once"
    );
    Ok(format!("{all} streams, {limit} under way at once, and none refused").into())
}

fn slots_return(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    for round in 1..=5 {
        let requests: Vec<_> = (0..LIMIT).map(|_| request(bench, "tick=100ms")).collect();
        let streams = h2.together(&requests)?;
        let ids = ids(&requests);
        let begun = begin(bench, &ids);
        begun.map_err(|failure| Failure::broken(format!("round {round}: {failure}")))?;
        reset_all(&mut h2, &streams)?;
        all_end(bench, &ids, bench.patience())?;
        // The word of an end is a datagram, which may be here before the slot is free.
        h2.listen(bench.ms(20))?;
    }
    goes_on(bench, &mut h2)?;
    Ok("five rounds of 100, all of them served".into())
}

fn slots_held(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let blocking = |_| bench.slow_for(bench.ms(1500), bench.ms(1900), "style=blocking&tick=50ms");
    let held: Vec<_> = (0..LIMIT).map(blocking).collect();
    let streams = h2.together(&held)?;
    begin(bench, &ids(&held))?;
    reset_all(&mut h2, &streams)?;
    let more: Vec<_> = (0..50).map(|_| brief(bench, 200)).collect();
    let extra = h2.together(&more)?;
    for stream in &extra {
        h2.ending(*stream, bench.patience())?;
    }
    let goaway = h2.session().goaway().map(|(first, _)| first.code);
    let all: Vec<_> = ids(&held).into_iter().chain(ids(&more)).collect();
    all_end(bench, &all, bench.patience())?;
    let most = most_at_once(bench, &all)?;
    ensure!(most <= LIMIT, "{most} pieces of work at once on one connection, and the limit is {LIMIT}");
    let mut refused = 0;
    for stream in extra {
        refused += usize::from(is_refused(&h2, stream)?);
    }
    if let Some(code) = goaway {
        return Ok(format!("at most {most} at once; GOAWAY {code}").into());
    }
    ensure!(refused == 50, "{refused} of 50 streams were refused while 100 pieces of work held their slots");
    // Now all slots are free.
    h2.listen(bench.ms(50))?;
    for request in (0..50).map(|_| brief(bench, 10)) {
        is(&h2.ask(&request)?, 200)?;
    }
    Ok(format!("at most {most} at once, {refused} refused, then 50 served").into())
}

fn honest(bench: &Bench) -> Outcome {
    let mut h2 = bench.h2()?;
    let mut canceled = 0;
    for _ in 0..50 {
        let requests: Vec<_> = (0..30).map(|_| request(bench, "tick=500ms")).collect();
        let streams = h2.together(&requests)?;
        begin(bench, &ids(&requests))?;
        reset_all(&mut h2, &streams)?;
        all_end(bench, &ids(&requests), bench.patience())?;
        canceled += streams.len();
        h2.listen(Duration::ZERO)?;
        if let Some((goaway, _)) = h2.session().goaway() {
            return Err(Failure::broken(format!("GOAWAY {} after {canceled} honest cancels", goaway.code)));
        }
        h2.forget_closed();
    }
    goes_on(bench, &mut h2)?;
    Ok(format!("{canceled} cancels, and the connection goes on").into())
}
