//! Streams of HTTP/2: the lateness of their 504s, the time to cancel one that is reset, and the cost of rapid reset.
//!
//! A server that speaks no HTTP/2 is left out: the area `h2` tells that it does not.

use std::time::{Duration, Instant};

use suite::verdict::Failure;
use testbed::capability::Capability;
use testbed::server::Server;
use wire::Request;
use wire::h2::H2;
use wire::trace::Trace;

use crate::schedule::{Step, Taker};

pub mod late;
pub mod rapid_reset;
pub mod reset;

/// The most streams that are under way on a connection at once; fewer where the server announces fewer.
const LIMIT: usize = 100;
/// The time for which anything is waited for past its natural end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Returns a step of the servers that speak HTTP/2 and have what else is needed.
fn step<'a>(taker: &Taker<'a>, rounds: usize, needs: &[Capability]) -> Step<'a> {
    let mut step = taker.step("", rounds);
    step.supports = [&[Capability::Http2, Capability::StyleContext], needs].concat();
    let servers = std::mem::take(&mut step.servers);
    step.servers = servers.into_iter().filter(|subject| step.suits(subject)).collect();
    step
}

/// Opens a connection, and returns it with the number of streams that may be under way on it.
fn connect(server: &Server, give_up_at: Instant) -> Result<(H2, usize), Failure> {
    let mut h2 = H2::connect(server.address(), give_up_at, &Trace::default())?;
    // The server's SETTINGS come before its first answer.
    let status = h2.ask(&Request::get("/fast"))?.status();
    if status != 200 {
        return Err(Failure::broken(format!("{status} instead of 200 to the first /fast of a connection")));
    }
    let announced = h2.session().theirs().and_then(|theirs| theirs.max_concurrent_streams);
    Ok((h2, announced.map_or(LIMIT, |most| LIMIT.min(most as usize)).max(1)))
}
