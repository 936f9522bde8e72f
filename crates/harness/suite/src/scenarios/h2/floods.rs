//! Frames that cost their sender little: too many of them, without end, or larger than they look.

use testbed::capability::Capability::{Http2, Post, Process};
use wire::Request;
use wire::h2::wrong::{bomb, endless_headers};
use wire::h2::{Ending, Frame, hpack, message};

use super::attacks::{ATTACK, beside, cost, given_back, is_told_off, times};
use super::is;
use crate::ensure;
use crate::said::or_none;
use crate::scenario::{Bench, Failure, Judges, Observed, Outcome, Scenario};

/// The common part of floods.
const FLOOD: Scenario = Scenario { needs: &[Http2], judges: &[Judges::Connection], ..ATTACK };

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "h2/settings-flood",
        promise: "5,000 SETTINGS whose acknowledgements nobody reads cost no other client its answer",
        sent: "5,000 SETTINGS without reading; beside it `GET /fast` over HTTP/1.1",
        why: "each has to be acknowledged, so a client that does not read makes the server queue",
        wrong: "a queue of acknowledgements without a bound",
        sources: &["https://cve.org/CVERecord?id=CVE-2019-9515"],
        run: |bench| flood(bench, |_, number| Frame::settings(&[(3, 100 + number % 2)])),
        ..FLOOD
    },
    Scenario {
        id: "h2/ping-flood",
        promise: "5,000 PINGs whose answers nobody reads cost no other client its answer",
        sent: "5,000 PINGs without reading; beside it `GET /fast` over HTTP/1.1",
        why: "each has to be answered, so a client that does not read makes the server queue",
        wrong: "a queue of answers without a bound",
        sources: &["https://cve.org/CVERecord?id=CVE-2019-9512"],
        run: |bench| flood(bench, |_, number| Frame::ping(u64::from(number).to_be_bytes())),
        ..FLOOD
    },
    Scenario {
        id: "h2/empty-data-flood",
        promise: "5,000 empty DATA frames cost no other client its answer",
        needs: &[Http2, Post],
        sent: "`POST /slow?work=3000ms&body=ignore`, and 5,000 DATA of 0 bytes on it; beside it `GET /fast` over HTTP/1.1",
        why: "flow control does not count them, so nothing bounds them",
        wrong: "a queue of frames for a body that nobody reads",
        sources: &["https://cve.org/CVERecord?id=CVE-2019-9518"],
        run: |bench| flood(bench, |stream, _| Frame::data(stream, [], false)),
        ..FLOOD
    },
    Scenario {
        id: "h2/endless-continuation",
        promise: "fields that never end are refused while they come, and not kept: 16 MB leave less than 8 MiB in use",
        needs: &[Http2, Process],
        sent: "HEADERS and 1,000 CONTINUATION of 16,000 bytes, none with END_HEADERS; beside it `GET /fast` over HTTP/1.1",
        why: "no request has begun yet, so no limit on requests, bodies or streams holds",
        wrong: "a block that is collected until it is whole",
        sources: &["https://kb.cert.org/vuls/id/421644", "https://nowotarski.info/http2-continuation-flood/"],
        run: endless,
        ..FLOOD
    },
    Scenario {
        id: "h2/hpack-bomb",
        promise: "fields that are small on the wire and large when read are refused, and leave less than 8 MiB in use",
        needs: &[Http2, Process],
        sent: "20 times HEADERS with a field of 4,000 bytes and 3,000 references to it: 7 KB that are 12 MB when read",
        why: "the limit on fields is on what they are when read, and the attacker sends what they are before",
        wrong: "a limit on the block alone",
        sources: &["RFC 7541, section 7.3", "https://cve.org/CVERecord?id=CVE-2016-6581"],
        run: bombs,
        ..FLOOD
    },
];

/// Sends frames that `frame` makes of a stream and a number, without reading, and looks at what it costs others.
fn flood(bench: &Bench, frame: fn(u32, u32) -> Frame) -> Outcome {
    let (all, before) = (times(5_000), bench.usage().ok());
    let attack = || {
        let mut h2 = bench.h2()?;
        let target = bench.slow_target(bench.ms(3000), "body=ignore");
        let stream = h2.open(&Request::get(target).method("POST").id(bench.id()))?;
        let mut sent = 0;
        while sent < all && !is_told_off(&h2) {
            let frames: Vec<_> = (0..1_000).map(|number| frame(stream, number)).collect();
            let taken = h2.flood(&frames, bench.ms(500), false)?;
            sent += taken;
            if taken < frames.len() {
                break;
            }
        }
        // The server may queue, slow the client down or end it; whatever it does, it does it soon.
        h2.listen(bench.ms(200))?;
        Ok((sent, is_told_off(&h2)))
    };
    let ((sent, told_off), fast) = beside(bench, attack)?;
    is(&bench.h2()?.ask(&bench.fast())?, 200)?;
    let how = if told_off { "the connection was ended" } else { "the connection went on" };
    fast.judged(bench, cost(bench, before, Observed::new(format!("{sent} frames taken; {how}"))))
}

/// The fields of a plain request, to which more is added.
fn fields(bench: &Bench) -> Vec<u8> {
    hpack::block(message::fields(&bench.fast()))
}

fn endless(bench: &Bench) -> Outcome {
    let (all, before) = (times(1_000), bench.usage()?);
    let attack = || {
        let mut h2 = bench.h2()?;
        let stream = 1;
        let frames = endless_headers(stream, &fields(bench), all, 16_000);
        let sent = h2.flood(&frames, bench.patience(), true)?;
        given_back(bench, before)?;
        h2.listen(bench.ms(500))?;
        ensure!(
            is_told_off(&h2),
            "{sent} frames of fields without end were taken, and the connection goes on"
        );
        Ok(sent)
    };
    let (sent, fast) = beside(bench, attack)?;
    is(&bench.h2()?.ask(&bench.fast())?, 200)?;
    let text = format!("ended after at most {sent} of {all} frames");
    fast.judged(bench, cost(bench, Some(before), Observed::new(text)))
}

fn bombs(bench: &Bench) -> Outcome {
    let (all, before) = (times(20), bench.usage()?);
    let attack = || {
        let (mut h2, mut refused) = (bench.h2()?, [0_usize; 2]);
        for _ in 0..all {
            let stream = h2.open_raw(bomb(&fields(bench), 4_000, 3_000), true)?;
            let ended = h2.ending(stream, bench.patience())?;
            let status = h2.exchange(stream)?.head.as_ref().map(|(status, _)| *status);
            ensure!(status.is_none_or(|status| status >= 400), "{} for 12 MB of fields", or_none(status));
            match ended {
                None => return Err(Failure::broken("no answer to 12 MB of fields")),
                Some((Ending::Complete | Ending::Reset(_), _)) => refused[0] += 1,
                Some(_) => refused[1] += 1,
            }
            if is_told_off(&h2) {
                h2 = bench.h2()?;
            }
        }
        given_back(bench, before)?;
        Ok(refused)
    };
    let ([streams, connections], fast) = beside(bench, attack)?;
    let text = format!("{streams} streams and {connections} connections refused");
    fast.judged(bench, cost(bench, Some(before), Observed::new(text)))
}
