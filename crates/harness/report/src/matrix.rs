//! The verdicts as tables. On the page a cell opens its details: its scenarios, and the bytes that each of them sent and
//! received.

use measure::measurement::Size;
use measure::registry;
use measure::results::Results;
use measure::table::{Cell, Line, Opens, Table, Tone};
use measure::text::list;
use suite::document::{Row, Server, Status};
use suite::verdict::Verdict;

/// Returns the grade of a verdict.
pub fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Pass => Tone::Good,
        Verdict::Fail | Verdict::Xpass | Verdict::Error => Tone::Bad,
        Verdict::Warn | Verdict::Xfail | Verdict::Flaky => Tone::Odd,
        Verdict::Unsupported => Tone::None,
    }
}

/// Areas by servers: the number of scenarios that were passed, of how many.
pub fn areas(results: &Results) -> Table {
    let chosen = &results.scenarios;
    let title = match results.plan.size {
        Size::Quick => {
            format!("Scenarios passed (quick run: {} of {}, {})", chosen.chosen, chosen.of, chosen.which)
        }
        _ if chosen.chosen == chosen.of => format!("Scenarios passed (all {} were tried)", chosen.of),
        _ => format!("Scenarios passed ({} of {} were tried: {})", chosen.chosen, chosen.of, chosen.which),
    };
    let servers: Vec<&str> = results.servers.iter().map(|server| server.name.as_str()).collect();
    let mut table = Table::by_server(title, "area", &servers);
    table.note =
        "What a server does not claim to support is not counted (–: it claims none of the area).".to_owned();
    for area in results.areas() {
        table.line(area, results.servers.iter().map(|server| score(results, server, area)).collect());
    }
    if table.lines.is_empty() && !results.misses().is_empty() {
        table.line("all", results.servers.iter().map(status).collect());
    }
    table.sentences = vec![summary(results)];
    table
}

/// Returns the number of scenarios of an area that a server passed, or why it passed none.
fn score(results: &Results, server: &Server, area: &str) -> Cell {
    let name = &server.name;
    let (passed, all) = results.score(name, area);
    let was_judged = |area: &&str| results.score(name, area).1 > 0;
    if server.status != Status::Ran && !results.areas().iter().any(was_judged) {
        return status(server);
    }
    let rows = results.results.iter().filter(|row| &row.server == name && row.area() == area);
    let Some(worst) = rows.map(|row| tone(row.verdict)).max() else {
        return Cell::new(Tone::None, "not run");
    };
    let opens = Some(Opens::Area { server: name.clone(), area: area.to_owned() });
    let text = if all == 0 { "–".to_owned() } else { format!("{passed}/{all}") };
    Cell { opens, ..Cell::new(worst, text) }
}

/// Returns the status of a server that was not judged.
fn status(server: &Server) -> Cell {
    Cell::new(if server.status == Status::Error { Tone::Bad } else { Tone::None }, server.status.word())
}

/// Scenarios by servers.
pub fn scenarios(results: &Results) -> Table {
    let names = results.names();
    let mut table = Table::by_server("Every scenario and its verdict", "scenario", &names);
    for row in results.results.iter().filter(|row| row.attempts > 0 || row.verdict == Verdict::Unsupported) {
        if table.lines.iter().any(|line| line.head == row.id) {
            continue;
        }
        let cell = |name: &&str| {
            let same = |(_, other): &(usize, &Row)| other.id == row.id && other.server == **name;
            match results.results.iter().enumerate().find(same) {
                Some((index, row)) => {
                    Cell { opens: Some(Opens::Row(index)), ..Cell::new(tone(row.verdict), row.verdict) }
                }
                None => Cell::new(Tone::None, "not run"),
            }
        };
        let cells = names.iter().map(cell).collect();
        table.lines.push(Line { head: row.id.clone(), note: row.promise.clone(), cells });
    }
    table
}

/// Returns the verdicts of all servers in a sentence.
pub fn summary(results: &Results) -> String {
    let rows = || results.results.iter().filter(|row| row.attempts > 0);
    let count = |wanted: fn(Verdict) -> bool| rows().filter(|row| wanted(row.verdict)).count();
    let (all, passed) = (count(|v| v != Verdict::Unsupported), count(|v| v == Verdict::Pass));
    let mut summary = format!("{passed} of {all} checks passed of what each server claims to support");
    let expected = count(|verdict| verdict == Verdict::Xfail);
    if expected > 0 {
        summary += &format!("; {expected} failed as expected");
    }
    let red = count(|verdict| verdict.is_red() || verdict == Verdict::Error);
    if red > 0 {
        summary += &format!("; {red} failed unexpectedly, or could not be judged");
    }
    summary + "."
}

/// A sentence for each result that is neither passed nor unsupported.
pub fn misses(results: &Results) -> Vec<String> {
    let line = |(servers, row): (Vec<&str>, &Row)| {
        let why = match (row.verdict, &row.expected) {
            (Verdict::Xfail | Verdict::Xpass | Verdict::Flaky, Some(why)) => format!(" (expected: {why})"),
            _ => String::new(),
        };
        format!("{} {} {}: {}{why}", row.verdict, list(&servers), row.id, row.observed)
    };
    results.misses().into_iter().map(line).collect()
}

/// Returns the measurements and servers that stand in no table, each with its reason.
pub fn left_out(results: &Results) -> Vec<String> {
    let (asked, recorded) = (results.plan.asked(), results.measured.recorded());
    let why = |name: &str| match results.measured.gaps.iter().find(|gap| gap.what.starts_with(name)) {
        _ if !asked.contains(&name) => "this run did not ask for it".to_owned(),
        Some(gap) => format!("{}: {}", gap.server, gap.why),
        None => "no server brought any".to_owned(),
    };
    let missing = registry::ALL.iter().filter(|(name, _)| !recorded.contains(name));
    let missing = missing.map(|(name, about)| format!("{}: {}.", about.trim_end_matches('.'), why(name)));
    let scenarios = results.areas().is_empty().then(|| "Scenarios: this run judged none.".to_owned());
    scenarios.into_iter().chain(missing).collect()
}

/// Returns a sentence for each server that was not run and whose reason is not among the misses.
pub fn not_run(results: &Results) -> Vec<String> {
    let is_miss = |why: &str| results.misses().iter().any(|(_, row)| row.observed == why);
    let reason = |server: &Server| {
        let why = server.error.as_ref().filter(|why| !is_miss(why))?;
        Some(format!("{}: {}: {why}", server.name, server.status.word()))
    };
    results.servers.iter().filter_map(reason).collect()
}

#[cfg(test)]
mod tests {
    use measure::fixtures::{empty, whole};

    use super::*;

    #[test]
    fn every_cell_opens_what_it_is_about() {
        let results = whole();
        let names = results.names();
        for line in scenarios(&results).lines {
            for (name, cell) in names.iter().zip(&line.cells) {
                let Some(Opens::Row(row)) = cell.opens else { panic!("{cell:?}") };
                let row = &results.results[row];
                assert_eq!((row.id.as_str(), row.server.as_str()), (line.head.as_str(), *name));
            }
        }
        for line in areas(&results).lines {
            for (name, cell) in names.iter().zip(&line.cells) {
                let opens = Opens::Area { server: (*name).to_owned(), area: line.head.clone() };
                assert_eq!(cell.opens, Some(opens));
            }
        }
    }

    #[test]
    fn what_was_not_measured_is_said_with_its_reason() {
        assert_eq!(left_out(&empty(&["x"])).len(), 1 + registry::ALL.len());
        assert_eq!(left_out(&whole()).len(), registry::ALL.len() - 3, "it has lives, latenesses and storms");
        let mut results = empty(&["x"]);
        results.plan.storm.rounds = 0;
        let storm = left_out(&results).into_iter().find(|one| one.contains("storm")).unwrap();
        assert!(storm.ends_with("this run did not ask for it."), "{storm}");
    }
}
