//! The first two questions to a server that nobody knows: one that answers nothing is not waited for again and again.

use std::time::{Duration, Instant};

use testbed::server::Server;
use wire::trace::Trace;
use wire::{Error, Request, Wire};

/// The longest time that a request may stay unanswered. Of the two questions the second has a deadline of [`BUDGET`] besides, so that the
/// answer to both is known within 10 s.
const PATIENCE: Duration = Duration::from_secs(4);
/// The deadline of the question for `/slow`.
const BUDGET: Duration = Duration::from_secs(1);
/// The areas whose scenarios are about the answers, the work and the connections of `/slow`.
pub(crate) const OF_SLOW: &[&str] = &["deadline", "work", "disconnect", "spared", "leak"];
/// The scenario that stands for them all when `/slow` is never answered.
pub(crate) const CANARY: &str = "deadline/answers-504";

/// Asks for `/fast`.
///
/// # Errors
/// A sentence, when nothing comes back.
pub fn fast(server: &Server) -> Result<(), String> {
    match silent(server, &Request::get("/fast"), PATIENCE) {
        Some(waited) => Err(format!(
            "http://{} accepts and never answers: nothing came back for `GET /fast` in {waited:.0?}",
            server.host()
        )),
        None => Ok(()),
    }
}

/// Asks for `/slow`, and gives the reason why its areas need not be tried when nothing comes back.
pub fn slow(server: &Server) -> Option<String> {
    let request = Request::get("/slow?work=1ms").timeout(BUDGET);
    let waited = silent(server, &request, BUDGET + PATIENCE)?;
    Some(format!("`GET /slow?work=1ms` with a deadline of {BUDGET:?} got no answer in {waited:.0?}"))
}

/// Returns the time that was waited in vain; `None` when something came back, whatever it was.
fn silent(server: &Server, request: &Request, patience: Duration) -> Option<Duration> {
    let wire = Wire::connect(server.address(), Instant::now() + patience, &Trace::default());
    match wire.and_then(|wire| wire.with_host(server.host()).ask(request)) {
        Err(Error::Silent { .. }) => Some(patience),
        _ => None,
    }
}
