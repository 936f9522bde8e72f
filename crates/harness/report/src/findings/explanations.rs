//! Sentences of ours, each with the condition under which the run agrees with it.

use measure::results::Results;
use measure::zombie::Fate;
use suite::document::Row;
use suite::verdict::{Level, Verdict};

use crate::summary;
use measure::text::{list, span};

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

/// Why work of a style ends as it did; empty where the fate explains itself.
fn because(style: &str, fate: &Fate) -> &'static str {
    match (style, fate) {
        ("drop", Fate::Stopped(_)) => "a future that is dropped gets no further than its last await",
        ("drop", Fate::Zombie(_) | Fate::Endless(_)) => "nothing stops a thread or a goroutine from outside",
        ("detached", Fate::Zombie(_) | Fate::Endless(_)) => {
            "it was given no context, and its handle was let go"
        }
        ("blocking", Fate::Zombie(_) | Fate::Endless(_)) => {
            "a blocked thread never asks, and nobody can ask for it"
        }
        ("spin", Fate::Zombie(_) | Fate::Endless(_)) => {
            "something else than the loop answers, and the loop never looks"
        }
        ("spin", Fate::HeldAnswer(_)) => {
            "the loop keeps the thread on which the timeout would have been seen, so the 504 waits for it"
        }
        ("spin", Fate::NoTimeout) => {
            "the loop is over before anybody looks at the clock, so its work counts as done in time"
        }
        ("context" | "polling", Fate::Stopped(_)) => "it asks its context",
        _ => "",
    }
}

/// True when no request of that server and style was answered at all.
pub(super) fn unanswered(results: &Results, server: &str, style: &str) -> bool {
    results.measured.lives_of(server, style).iter().all(|life| life.status.is_none())
}

/// Returns the fates of a style's work on all servers: those with the same fate share a sentence.
pub(super) fn style(results: &Results, style: &str) -> Option<String> {
    let mut groups: Vec<(Fate, Vec<&str>, f64)> = Vec::new();
    for name in results.names() {
        let Some(fate) = summary::worst(results, name, style) else { continue };
        let silent = unanswered(results, name, style);
        let same = |(have, who, _): &&mut (Fate, Vec<&str>, f64)| {
            let same_silence = unanswered(results, who[0], style) == silent;
            std::mem::discriminant(have) == std::mem::discriminant(&fate) && same_silence
        };
        match groups.iter_mut().find(same) {
            Some((_, who, most)) => {
                who.push(name);
                *most = most.max(ms(&fate));
            }
            None => groups.push((fate, vec![name], ms(&fate))),
        }
    }
    let phrase = |(fate, who, most): &(Fate, Vec<&str>, f64)| {
        let silent = unanswered(results, who[0], style);
        let (who, most) = (list(who), span(*most));
        let what = match fate {
            Fate::Stopped(_) => format!("stops on {who}, at most {most} after the answer"),
            Fate::Zombie(_) => format!("goes on for up to {most} after the answer on {who}"),
            Fate::Endless(_) => format!("had not ended {most} after the answer on {who}"),
            Fate::HeldAnswer(_) if silent => {
                return format!(
                    "runs to its end on {who}, {most} past the timeout, and is then closed without an answer (nobody is \
                     told that the time is up)"
                );
            }
            Fate::HeldAnswer(_) => format!("holds the answer back, by up to {most}, on {who}"),
            Fate::Unborn => format!("never began on {who}"),
            Fate::NoTimeout => format!("is not timed out on {who}"),
        };
        match because(style, fate) {
            "" => what,
            why => format!("{what} ({why})"),
        }
    };
    let phrases: Vec<String> = groups.iter().map(phrase).collect();
    (!phrases.is_empty()).then(|| format!("{style} work {}.", phrases.join("; ")))
}

/// The time in a fate.
fn ms(fate: &Fate) -> f64 {
    match fate {
        Fate::Stopped(ms) | Fate::Zombie(ms) | Fate::Endless(ms) | Fate::HeldAnswer(ms) => *ms,
        Fate::Unborn | Fate::NoTimeout => 0.0,
    }
}
