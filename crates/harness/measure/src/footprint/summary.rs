//! The memory of a connection as tables and sentences.

use testbed::floor;

use super::{Footprint, State};
use crate::results::Results;
use crate::stats::Summary;
use crate::table::{Cell, Table, Tone};
use crate::text::{ABOUT, BARE, BARE_IS, alike, extremes, list, number, ratio};

/// The share of the change of memory that a line must explain to be called one.
const FIT: f64 = 0.98;
/// Servers that do next to nothing, the one that does least first: what holding a connection costs anybody.
const FLOORS: [&str; 2] = [floor::NAME, "plain-hyper"];

/// Returns true for a server that is there only to compare with.
pub fn is_floor(server: &str) -> bool {
    FLOORS.contains(&server)
}

/// Returns the records of a state whose readings have a line, by server: those that were compared, then the floors.
pub fn by_server(results: &Results, state: State) -> Vec<(&str, Vec<&Footprint>)> {
    let names = results.names();
    let floors = FLOORS.iter().copied().filter(|name| !names.contains(name));
    let of = |name| {
        let all = results.measured.footprint.iter();
        let all: Vec<_> = all.filter(|f| f.server == name && f.state == state && f.pss.is_some()).collect();
        (!all.is_empty()).then_some((name, all))
    };
    names.iter().copied().chain(floors).filter_map(of).collect()
}

/// Returns the bytes of each connection in every round.
pub fn slopes(rounds: &[&Footprint]) -> Option<Summary> {
    Summary::of(rounds.iter().filter_map(|round| Some(round.pss?.slope)))
}

/// A table for each state.
pub(super) fn tables(results: &Results) -> Vec<Table> {
    let states = [(State::InFlight, "a request in flight"), (State::Idle, "an idle connection")];
    states.into_iter().filter_map(|(state, what)| table(results, state, what).filled()).collect()
}

fn table(results: &Results, state: State, what: &str) -> Table {
    let all = by_server(results, state);
    let base = all.iter().find(|(name, _)| name.starts_with("go-")).or(all.first());
    let base = base.and_then(|(name, rounds)| Some((*name, slopes(rounds)?)));
    let times = base.map_or(String::new(), |(name, _)| format!("× {name}"));
    let columns =
        ["bytes each", "least", "most", &times, "heap and stacks", "fit of the line", "most connections"];
    let mut table = Table::new(format!("What does {what} cost in memory?"), "server", columns);
    let held: Vec<String> = results.plan.footprint.held.iter().map(|held| number(*held as u64)).collect();
    table.note = format!(
        "The slope of a line through the process's memory (PSS) with {} connections; what the kernel keeps for their sockets \
         is not in it. {ABOUT} {BARE_IS}",
        list(&held.iter().map(String::as_str).collect::<Vec<_>>())
    );
    table.sentences = vec![compared(results, state)];
    for (name, rounds) in &all {
        let Some(slope) = slopes(rounds) else { continue };
        let fit = rounds.iter().filter_map(|round| Some(round.pss?.r2)).fold(1.0, f64::min);
        if fit < FIT {
            table.sentences.push(format!("⚠ {name}: the readings lie on no line, so the slope says little."));
        }
        let own = base.is_some_and(|(base, _)| base == *name);
        let times =
            base.map_or(String::new(), |(_, base)| if own { "1.00".into() } else { ratio(&slope, &base) });
        table.line(
            if is_floor(name) { format!("{name}{BARE}") } else { (*name).to_owned() },
            row(rounds, &slope, times, fit),
        );
    }
    table
}

fn row(rounds: &[&Footprint], slope: &Summary, times: String, fit: f64) -> Vec<Cell> {
    // A slope below zero is noise about nothing.
    let whole = |value: f64| {
        Cell::plain(if value < 0.0 { format!("{value:.0}") } else { number(value.round() as u64) })
    };
    let anonymous = Summary::of(rounds.iter().filter_map(|round| Some(round.anonymous?.slope)));
    let held = rounds.iter().flat_map(|round| &round.readings).map(|reading| reading.held).max();
    let fit = if fit < FIT {
        Cell::new(Tone::Odd, format!("⚠ {fit:.4}"))
    } else {
        Cell::plain(format!("{fit:.4}"))
    };
    vec![
        whole(slope.p50),
        whole(slope.min),
        whole(slope.max),
        Cell::plain(times),
        anonymous.map_or(Cell::none(), |anonymous| whole(anonymous.p50)),
        fit,
        Cell::plain(number(held.unwrap_or(0) as u64)),
    ]
}

/// Says which server needs least and which most, where they can be told apart.
pub fn compared(results: &Results, state: State) -> String {
    let say = |bytes: f64| number(bytes.max(0.0).round() as u64);
    let all = by_server(results, state);
    let servers = all.iter().filter(|(name, _)| !is_floor(name));
    let rounds: Vec<(&str, Summary)> =
        servers.filter_map(|(name, rounds)| Some((*name, slopes(rounds)?))).collect();
    match (extremes(&rounds), &rounds[..]) {
        (Some([least, most]), _) => format!(
            "Each costs {} bytes on {}, and {} on {}.",
            say(least.1.p50),
            least.0,
            say(most.1.p50),
            most.0
        ),
        (None, []) => String::new(),
        (None, [(server, slope)]) => format!("Each costs {} bytes on {server}.", say(slope.p50)),
        (None, _) => {
            let (least, most, why) = alike(&rounds);
            format!("Each costs {} to {} bytes{why}.", say(least), say(most))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::empty;
    use crate::stats::Line;

    #[test]
    fn servers_are_told_apart_only_when_the_ranges_of_three_rounds_part() {
        let record = |server: &str, round, slope| Footprint {
            pss: Some(Line { slope, base: 1e6, r2: 1.0 }),
            round,
            ..Footprint::of(server, State::Idle, round, Vec::new())
        };
        let mut results = empty(&["x", "y", "plain-hyper"]);
        for (round, slope) in [5000.0, 5100.0, 5200.0].into_iter().enumerate() {
            results.measured.footprint.push(record("x", round, slope));
            results.measured.footprint.push(record("y", round, slope * 2.0));
            results.measured.footprint.push(record("plain-hyper", round, 100.0));
        }
        assert_eq!(compared(&results, State::Idle), "Each costs 5,100 bytes on x, and 10,200 on y.");
        results.measured.footprint.retain(|one| one.round < 2);
        assert_eq!(compared(&results, State::Idle), "Each costs 5,000 to 10,200 bytes.");
        let table = tables(&results).remove(0);
        let heads: Vec<_> =
            table.lines.iter().map(|line| (&line.head[..], &line.cells[3].text[..])).collect();
        assert_eq!(heads, [("x", "1.00"), ("y", "~2.00"), ("plain-hyper (bare)", "~0.02")]);
    }
}
