//! The remedies: what mends a server that fails a scenario.

use crate::pattern;

/// Patterns over ids and the remedy of the scenarios that they select; the first that selects counts.
const REMEDIES: &[(&str, &str)] = &[
    (
        "*/stalled-body,*/expect-continue,h2/unread-body-504",
        "put the reading of the body under the deadline too: race the \
     read and the work together against the timer, or give the socket a read deadline",
    ),
    (
        "deadline/never-early",
        "count the deadline from the end of the request's head, with a monotonic clock, and round it up",
    ),
    (
        "deadline/fresh-for-each-request,deadline/kept-alive-after-504,*/reused-*",
        "make the timer and the cancel token anew for \
     each request, and drop both with its answer",
    ),
    (
        "deadline/header-*,deadline/zero-budget,deadline/caller-*",
        "parse the caller's timeout before the work starts, take the \
     shorter of it and your own, and refuse what is no duration with 400",
    ),
    (
        "deadline,h2/*deadline*,h2/*504*,hops/deadline",
        "race the work against a timer that is set when the head was parsed, and \
     answer 504 when the timer is first",
    ),
    (
        "work/completes-once,work/one-end-each",
        "report the end of the work in one place, with a guard that runs on every way out",
    ),
    (
        "work",
        "a timeout ends the wait and not the work: hand the work a cancel token and let it look between two units; \
     a thread cannot be stopped from outside",
    ),
    (
        "disconnect/pipelined-*,disconnect/body-*,disconnect/expect-*,disconnect/while-reading-*",
        "unread bytes hide the end from \
     a read: ask the kernel instead (`poll` for POLLRDHUP, POLLHUP and POLLERR), which sees it behind them",
    ),
    (
        "disconnect/serve-*,disconnect/detach*",
        "decide once, per server, whether an end of input, a reset or nothing cancels, \
     and ask that one place",
    ),
    ("disconnect/*stream*", "watch the socket while the handler waits, and not only when a write fails"),
    (
        "disconnect,vanish/lossy-fin,hops/fin,hops/rst,h2/connection-*,h2/reset-*",
        "watch the client's socket while the work runs (your \
     framework's signal, `http.disconnect`, `close` of the response, or `poll` for POLLRDHUP), and cancel the work from there",
    ),
    (
        "spared/body-*,spared/half-close-served-body",
        "the end of the body is not the end of the client: cancel on the close of the \
     socket or of the response, not on `close` of the request",
    ),
    (
        "spared/next-*,spared/ten-*,spared/empty-line-behind,spared/half-a-head-behind,spared/urgent-data",
        "only an end of input \
     or an error means that the client left: keep bytes that arrive meanwhile for the next request",
    ),
    (
        "spared/silent-*,spared/*-timeout,timeouts/*-spares-*,timeouts/*-spared",
        "stop idle, header and read timers once the \
     request was read, and start them anew after its answer",
    ),
    (
        "spared/*neighbor*,*/others-untouched,group/spares-other-groups,h2/*neighbor*",
        "give each request a token of its own, a child \
     of the server's, and never cancel the parent",
    ),
    ("spared", "cancel on one condition alone: the peer's end or reset of this very connection"),
    ("outside/permit-*", "release the permit in a guard that runs on every way out, canceled waits too"),
    (
        "outside",
        "end what the work began outside when its context ends: kill and reap the child, close the call, cancel the query",
    ),
    (
        "hops,through",
        "pass on what is left of the deadline, and close the call to the next hop when the client leaves",
    ),
    (
        "leak",
        "release everything that a request holds in guards, and give every task and thread an owner that ends it",
    ),
    (
        "values",
        "carry request-scoped values in the context that is handed to the work, not in a thread or a global",
    ),
    (
        "group",
        "give the children one parent context, cancel it at the first failure, and answer when all have ended",
    ),
    ("probe,baseline", "answer what the endpoint promises, or say that it is not there with 404, 405 or 501"),
    (
        "timeouts",
        "set a timer for the head, the body, the writes and the idle time each, and say 408 or close when it fires",
    ),
    (
        "closing",
        "say `Connection: close`, send the answer whole, end the writing side, and read on briefly before closing",
    ),
    ("faults", "refuse what is malformed or too large with its 4xx, close behind it, and bound every buffer"),
    ("start", "check every flag before listening, and end with one line on stderr and exit status 2"),
    ("log", "take a log that cannot be written for no reason to stop or to wait"),
    (
        "shutdown",
        "on SIGTERM stop accepting, let running requests end, and cancel what is left at the shutdown timeout",
    ),
    ("vanish", "turn on TCP keep-alive and TCP_USER_TIMEOUT on every accepted socket"),
    (
        "h2",
        "keep a slot taken until its work has ended, bound what a client can make the server do, and answer with the frame \
     that RFC 9113 names",
    ),
];

/// Returns what mends a server that fails this scenario, in a sentence without a full stop; none of an id that is not in
/// the table.
pub fn of(id: &str) -> Option<&'static str> {
    REMEDIES.iter().find(|(patterns, _)| pattern::selects(patterns, id)).map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios;

    #[test]
    fn every_scenario_has_a_remedy() {
        let without: Vec<_> =
            scenarios::every().iter().map(|one| one.id).filter(|id| of(id).is_none()).collect();
        assert_eq!(without, [""; 0]);
    }

    #[test]
    fn every_remedy_mends_something() {
        for (patterns, remedy) in REMEDIES {
            assert!(scenarios::every().iter().any(|one| of(one.id) == Some(remedy)), "{patterns}");
            for pattern in patterns.split(',') {
                let selects = scenarios::every().iter().any(|one| pattern::selects(pattern, one.id));
                assert!(selects, "`{pattern}` selects nothing");
            }
        }
    }
}
