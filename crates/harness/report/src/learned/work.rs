//! Findings about the work itself: its style, its cost, loops, and timeouts that it is not told of.

use measure::results::Results;
use measure::storm::Storm;
use measure::storm::summary::shown;
use measure::table::{Cell, Column, Table};
use measure::text::{list, megabytes, number, range, span};
use measure::zombie::summary::{style as behavior, worst};
use measure::zombie::{Fate, Life, STYLES};

use super::who::who;
use super::{Finding, LINES, Source};

/// Servers and the fate of their work in one style; those of which it was not measured are left out.
fn fates<'a>(results: &'a Results, style: &str) -> Vec<(&'a str, Fate)> {
    let fate = |name| Some((name, worst(results, name, style)?));
    results.names().into_iter().filter_map(fate).collect()
}

/// The names of those whose fate is as wanted.
fn those<'a>(fates: &[(&'a str, Fate)], wanted: impl Fn(Fate) -> bool) -> Vec<&'a str> {
    fates.iter().filter(|(_, fate)| wanted(*fate)).map(|(name, _)| *name).collect()
}

fn is_zombie(fate: Fate) -> bool {
    matches!(fate, Fate::Zombie(_) | Fate::Endless(_))
}

fn is_stopped(fate: Fate) -> bool {
    matches!(fate, Fate::Stopped(_))
}

/// The fate of work by style, on every server.
pub(super) fn styles(results: &Results) -> Result<Finding, String> {
    let of = |style: &str| fates(results, style);
    if STYLES.iter().all(|style| of(style).is_empty()) {
        return Err("no work was watched".to_owned());
    }
    let breaks = |styles: [&'static str; 2], wrong: fn(Fate) -> bool| {
        styles.into_iter().find(|style| of(style).iter().any(|(_, fate)| wrong(*fate)))
    };
    if let Some(style) = breaks(["context", "polling"], is_zombie) {
        return Err(format!("{style} work went on after its answer somewhere"));
    }
    if let Some(style) = breaks(["detached", "blocking"], is_stopped) {
        return Err(format!("{style} work stopped somewhere"));
    }
    let columns = ["the work", "stops on", "goes on after its answer on", "has no answer before its end on"];
    let mut table = Table::new("", "style", columns.map(Column::words));
    for style in STYLES {
        let all = of(style);
        let everybody: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        let cell = |wanted: fn(Fate) -> bool| who(&those(&all, wanted), &everybody);
        let otherwise = |fate| !is_zombie(fate) && !is_stopped(fate);
        let cells = [behavior(style).to_owned(), cell(is_stopped), cell(is_zombie), cell(otherwise)];
        table.line(*style, cells.map(Cell::plain).into());
    }
    Ok(Finding {
        title: "Work stops where its code asks the context, on every runtime; work that is not told goes on to its end"
            .to_owned(),
        table,
        reason: "A cancel is a request to the code that works. A future that is dropped gets no further than its last \
                 `.await`, so it needs not be asked; a thread and a goroutine must look by themselves.",
        source: Source {
            name: "Go's `context`: a CancelFunc tells an operation to abandon its work, and does not wait for it to stop",
            at: "https://pkg.go.dev/context#CancelFunc",
        },
        more: "work",
    })
}

/// The cost of a storm of requests that time out, in style drop.
pub(super) fn storm(results: &Results) -> Result<Finding, String> {
    // A server that holds its answers back has no work left behind the last of them, and says nothing of zombies.
    let answers =
        |name: &str| worst(results, name, "drop").is_none_or(|fate| is_stopped(fate) || is_zombie(fate));
    let mut storms: Vec<&Storm> =
        shown(results, "drop").into_iter().filter(|storm| answers(&storm.server)).collect();
    storms.sort_by_key(|storm| std::cmp::Reverse(storm.left_behind()));
    let clean = storms.iter().filter(|storm| storm.left_behind() == 0).count();
    let worst = storms.first().filter(|storm| storm.left_behind() > 0);
    let worst = worst.ok_or("no storm left work behind")?;
    if clean == 0 {
        return Err("every storm left work behind".to_owned());
    }
    let same = storms.iter().filter(|storm| storm.left_behind() == worst.left_behind()).count();
    let title = format!(
        "{} timeouts at once left {} units of work running on {}, and none on {}",
        number(worst.requests as u64),
        number(worst.left_behind()),
        servers(same, &worst.server),
        servers(clean, &storms[storms.len() - 1].server)
    );
    let columns = [
        Column::of("still at work behind the last answer", ""),
        Column::of("for", ""),
        Column::of("task-seconds for nobody", ""),
        Column::of("threads at the peak", ""),
        Column::of("memory on top", ""),
    ];
    let mut table = Table::new("", "server", columns);
    let quiet = |storm: &Storm| match storm.left_behind() {
        0 => "–".to_owned(),
        _ => storm.quiesce_ms().map_or_else(|| "not seen".to_owned(), span),
    };
    for storm in storms.iter().take(LINES) {
        let cells = [
            number(storm.left_behind()),
            quiet(storm),
            format!("{:.0}", storm.zombie_area()),
            number(storm.peak().threads),
            megabytes(storm.grown()),
        ];
        table.line(storm.server.as_str(), cells.map(Cell::plain).into());
    }
    Ok(Finding {
        title,
        table,
        reason: "Where work is a thread, giving up on it means to let go of its handle: the thread, its stack and what it holds \
                 stay until its natural end.",
        source: Source {
            name: "Rust's `JoinHandle`, which detaches its thread when it is dropped",
            at: "https://doc.rust-lang.org/std/thread/struct.JoinHandle.html",
        },
        more: "work",
    })
}

/// Returns a number of servers in words; a single one by its name.
fn servers(count: usize, name: &str) -> String {
    if count == 1 { name.to_owned() } else { format!("each of {count} servers") }
}

/// Work that burns the processor and never yields.
pub(super) fn spin(results: &Results) -> Result<Finding, String> {
    let limit = results.limits.zombie_ms;
    let lives: Vec<&Life> = results
        .names()
        .into_iter()
        .filter_map(|name| results.measured.worst_of(name, "spin", limit))
        .collect();
    let pick = |wanted: fn(Fate, Option<u16>) -> bool| -> Vec<&&Life> {
        lives.iter().filter(|life| wanted(life.fate(limit), life.status)).collect()
    };
    let held = pick(|fate, status| matches!(fate, Fate::HeldAnswer(_)) && status.is_some());
    if held.is_empty() {
        return Err("no loop held its answer back".to_owned());
    }
    let silent = pick(|fate, status| matches!(fate, Fate::HeldAnswer(_)) && status.is_none());
    let groups = [
        ("the 504 waits until the loop has ended", &held),
        ("no answer; the connection is closed when the loop has ended", &silent),
        ("504 in time, and the loop goes on", &pick(|fate, _| is_zombie(fate))),
        ("no timeout: the answer is a 200", &pick(|fate, _| fate == Fate::NoTimeout)),
        ("504 in time, and the loop has ended", &pick(|fate, _| is_stopped(fate))),
    ];
    let names = |found: &[&&Life]| list(&found.iter().map(|life| life.server.as_str()).collect::<Vec<_>>());
    let columns = ["on", "the loop's end, past the deadline"].map(Column::words);
    let mut table = Table::new("", "what happens at the deadline", columns);
    for (what, found) in groups.iter().filter(|(_, found)| !found.is_empty()) {
        let past = found.iter().filter_map(|life| Some(life.ended_ms? - life.deadline_ms));
        table.line(*what, vec![Cell::plain(names(found)), Cell::plain(range(past, span))]);
    }
    Ok(Finding {
        title: format!("A loop that never yields holds its own 504 back, on {}", names(&held)),
        table,
        reason: "The timeout is looked at by the thread that the loop keeps. A task that is done when it is asked for the first \
                 time counts as done in time, however long that took.",
        source: Source {
            name: "tokio's `timeout`: the future is polled before the timeout is checked",
            at: "https://docs.rs/tokio/1/tokio/time/fn.timeout.html",
        },
        more: "work",
    })
}

/// Go's three ways to bound a handler, beside each other.
pub(super) fn timeouts(results: &Results) -> Result<Finding, String> {
    const WAYS: [&str; 3] = ["go-context", "go-timeouthandler", "go-writetimeout"];
    let limit = results.limits.zombie_ms;
    let life = |name: &str, style: &str| results.measured.worst_of(name, style, limit);
    let last = life(WAYS[2], "context").ok_or("Go's servers were not measured")?;
    if !matches!(last.fate(limit), Fate::HeldAnswer(_)) || last.status.is_some() {
        return Err("the work of go-writetimeout did not run to its end without an answer".to_owned());
    }
    let columns = ["answer", "late by", "work that asks its context", "work that does not"];
    let mut table = Table::new("", "server", columns.map(Column::words));
    for name in WAYS {
        let (Some(asks), Some(does_not)) = (life(name, "context"), life(name, "drop")) else { continue };
        let answer = asks.status.map_or_else(|| "none, closed".to_owned(), |status| status.to_string());
        let late = asks.late_ms().map_or_else(|| "–".to_owned(), span);
        let told = |fate| match fate {
            Fate::Stopped(_) => "stops".to_owned(),
            Fate::Zombie(ms) | Fate::Endless(ms) => format!("goes on for {}", span(ms)),
            Fate::HeldAnswer(ms) => format!("runs to its end, {} late", span(ms)),
            Fate::Unborn | Fate::NoTimeout => "is not timed out".to_owned(),
        };
        let cells = [answer, late, told(asks.fate(limit)), told(does_not.fate(limit))];
        table.line(name, cells.map(Cell::plain).into());
    }
    Ok(Finding {
        title: "A timeout of the connection is none of the work: Go's `WriteTimeout` tells no handler, and answers nothing"
            .to_owned(),
        table,
        reason: "`WriteTimeout` bounds the writes of the response. A handler that writes late finds that out when it writes; its \
                 context is not canceled.",
        source: Source {
            name: "Go's `http.Server`: WriteTimeout is the longest time before writes of the response time out",
            at: "https://pkg.go.dev/net/http#Server",
        },
        more: "work",
    })
}
