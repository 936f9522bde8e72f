//! Sentences of ours, each with the condition under which the run agrees with it.

use measure::results::Results;
use measure::text::list;
use suite::document::Row;
use suite::verdict::{Level, Verdict};

/// Returns the servers' reactions to a disconnect, server by server, as the verdicts say.
pub(super) fn disconnect(results: &Results) -> Vec<String> {
    let names = results.names();
    let verdict = |server: &str, id: &str| {
        let row = results.results.iter().find(|row| row.server == server && row.id == id)?;
        match row.verdict {
            Verdict::Pass => Some(true),
            Verdict::Xfail | Verdict::Fail => Some(false),
            _ => None,
        }
    };
    let those = |wanted: &dyn Fn(&str) -> bool| -> Vec<&str> {
        names.iter().copied().filter(|name| wanted(name)).collect()
    };
    let all_kept = |name: &str| {
        let must = |row: &&Row| row.server == name && row.area() == "disconnect" && row.level == Level::Must;
        let mut rows = results.results.iter().filter(must);
        rows.all(|row| matches!(row.verdict, Verdict::Pass | Verdict::Unsupported))
    };
    let is = |name: &str, id: &str, kept: bool| verdict(name, id) == Some(kept);
    // Of a run of few scenarios nothing can be said about whatever bytes.
    let hears_all = |name: &str| {
        let hard = ["disconnect/pipelined-later-fin", "disconnect/body-partial-unread-fin"];
        hard.iter().all(|id| is(name, id, true)) && all_kept(name)
    };
    let groups = [
        (those(&hears_all), "hear of every client that leaves, in whichever way and behind whatever bytes"),
        (
            those(&|name| {
                is(name, "disconnect/fin", true) && is(name, "disconnect/pipelined-later-fin", false)
            }),
            "hear of a client that closes behind a plain GET, and not behind a request that came later: they learn of the \
             end by reading, and what lies before it is not read while a request runs",
        ),
        (
            those(&|name| {
                is(name, "disconnect/fin", true) && is(name, "disconnect/body-partial-unread-fin", false)
            }),
            "hear of a client that closes behind a plain GET, and not behind a body that nobody has read",
        ),
        (
            those(&|name| is(name, "disconnect/rst", true) && is(name, "disconnect/fin", false)),
            "stop at a reset and not at a close: they take a FIN for a half-close, and serve it",
        ),
        (
            those(&|name| is(name, "disconnect/rst", false) && is(name, "disconnect/fin", false)),
            "stop neither at a close nor at a reset: nothing looks at the socket while the handler works",
        ),
        (
            those(&|name| is(name, "disconnect/urlopen-gives-up", false)),
            "work on for every try of a client that gives up after its own timeout and asks again, so that several works \
             run for it at once",
        ),
        (
            those(&|name| is(name, "disconnect/drop", false) && is(name, "disconnect/fin", true)),
            "tell work that listens; work that knows no context runs on, for it cannot be dropped",
        ),
    ];
    let told = groups.into_iter().filter(|(who, _)| !who.is_empty());
    told.map(|(who, what)| format!("{}: {what}.", list(&who))).collect()
}
