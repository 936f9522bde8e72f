//! The server's accounts behind a disconnect: its counts, and its idle connections.

use std::time::Duration;

use testbed::capability::Capability::{Admin, KeepAlive, StyleContext, Witness};
use testbed::census::Census;
use wire::End;

use crate::ensure;
use crate::scenario::{Bench, Judges, Outcome, Scenario, Slot};
use crate::scenarios::disconnect::{BASE, Leave, canceled, request, send};

/// The scenarios of this topic.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        id: "disconnect/accounts",
        promise: "a client that left is counted once as a disconnect and as no answer, and nothing of it stays",
        needs: &[Witness, Admin, StyleContext],
        slot: Slot::Own,
        sent: "`GET /slow?work=3000ms` three times, ended by FIN, by RST and by `shutdown(WR)`; the server's count before and after",
        why: "a disconnect that is logged as a 504 or a 200 hides the clients' impatience from whoever looks for it",
        wrong: "servers that make up a status (499, 503) and count an answer that nobody got",
        run: accounts,
        ..BASE
    },
    Scenario {
        id: "disconnect/idle-half-close",
        promise: "a connection with no request that the client half-closes is closed at once",
        judges: &[Judges::Connection],
        needs: &[KeepAlive],
        sent: "`GET /fast` and its answer, then `shutdown(WR)`; on another connection `shutdown(WR)` alone; on a third \
            behind `GET /fa`",
        why: "no request can come any more, so the connection only takes up room until the idle timeout",
        run: idle_half_close,
        ..BASE
    },
];

fn accounts(bench: &Bench) -> Outcome {
    let ended = |census: &Census| census.requests.ended.get("disconnect").copied().unwrap_or(0);
    let before = bench.census()?;
    for leave in [Leave::Fin, Leave::Rst, Leave::HalfClose] {
        let mut wire = bench.connect()?;
        let id = send(&mut wire, &request(bench, ""))?;
        bench.work_begins(&id)?;
        let (left_at, _kept) = leave.act(wire);
        canceled(bench, &id, left_at)?;
    }
    let settled = |census: &Census| {
        let left = (census.requests.live, census.work.live, census.contexts.live, census.connections.live);
        left == (before.requests.live, before.work.live, before.contexts.live, before.connections.live)
    };
    let (census, _) = bench.census_until(bench.patience(), "back where it was", settled)?;
    let (left, answered) = (ended(&census) - ended(&before), &census.requests.answered);
    ensure!(left == 3, "{left} disconnects counted instead of 3: {:?}", census.requests.ended);
    ensure!(*answered == before.requests.answered, "answers counted that nobody got: {answered:?}");
    let canceled = census.work.canceled - before.work.canceled;
    ensure!(canceled == 3, "{canceled} works counted as canceled instead of 3");
    Ok("3 disconnects, no answer, nothing left".into())
}

fn idle_half_close(bench: &Bench) -> Outcome {
    let mut worst = Duration::ZERO;
    for (what, bytes) in
        [("a kept", None), ("a silent", Some(&b""[..])), ("a half-sent", Some(&b"GET /fa"[..]))]
    {
        let mut wire = bench.connect()?;
        match bytes {
            Some(bytes) => drop(wire.send(bytes)?),
            None => drop(wire.ask(&bench.fast())?),
        }
        std::thread::sleep(bench.ms(30));
        let left_at = wire.half_close();
        let (end, at) = wire.end(bench.patience())?;
        let after = at.saturating_duration_since(left_at);
        ensure!(
            end != End::Silence && after <= bench.answer_late(),
            "{what} connection: {end} after {after:.1?}"
        );
        worst = worst.max(after);
    }
    Ok(format!("all three closed within {worst:.1?}").into())
}
