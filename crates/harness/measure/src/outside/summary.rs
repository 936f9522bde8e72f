//! Work outside the process as a table and sentences.

use super::{End, Kind, Outside, STYLES, Style};
use crate::results::Results;
use crate::stats::Summary;
use crate::table::{Cell, Table, Tone};
use crate::text::{span, those};

impl Style {
    /// Returns the witness of its work.
    pub fn witness(&self) -> &'static str {
        match self.kind {
            Kind::Process => "/proc",
            Kind::Query => "pg_stat_activity",
            Kind::Upstream => "the server that is called",
            Kind::Permit => "the request that waits for the permit",
        }
    }
}

/// The fate of one server's work in one style behind requests that ended in one way.
fn cell(found: &[&Outside]) -> Cell {
    let Some(worst) = found.first() else { return Cell::none() };
    let left = if found.iter().any(|one| one.defunct) { "\na defunct entry is left" } else { "" };
    if worst.is_zombie() {
        let beyond = if worst.endless { "> " } else { "" };
        return Cell::new(Tone::Bad, format!("zombie {beyond}{}{left}", span(worst.outlived_ms)));
    }
    let median = Summary::of(found.iter().map(|one| one.outlived_ms)).map_or(0.0, |all| all.p50);
    Cell::new(Tone::Good, format!("stopped\n{}{left}", span(median)))
}

/// Servers by styles: whether the work outside stopped, after the deadline and after a disconnect.
pub(super) fn tables(results: &Results) -> Vec<Table> {
    let measured = |name: &&str| results.measured.outside.iter().any(|one| one.server == **name);
    let names: Vec<&str> = results.names().into_iter().filter(measured).collect();
    let table = |end: End| {
        let title = match end {
            End::Deadline => "Does the work outside the process stop at the deadline?",
            End::Disconnect => "Does the work outside the process stop when the client disconnects?",
        };
        let mut table = Table::new(title, "server", STYLES.iter().map(|style| style.name));
        let witnesses: Vec<String> =
            STYLES.iter().map(|style| format!("{}: {}", style.name, style.witness())).collect();
        table.note = format!(
            "From {} until the work was last seen from outside the server: the median if it stopped, the longest if not. Seen \
             in: {}.",
            end.word(),
            witnesses.join("; ")
        );
        for name in &names {
            let of = |style: &Style| cell(&results.measured.outside_of(name, style.name, end));
            table.line(*name, STYLES.iter().map(of).collect());
        }
        table.sentences = STYLES.iter().filter_map(|style| sentence(results, &names, style, end)).collect();
        table
    };
    End::ALL.map(table).into_iter().filter_map(Table::filled).collect()
}

/// Returns the fate of the work in one style after one kind of end, on the servers that have it.
fn sentence(results: &Results, names: &[&str], style: &Style, end: End) -> Option<String> {
    let of = |name: &str| -> Vec<&Outside> { results.measured.outside_of(name, style.name, end) };
    let (mut zombies, mut stopped) = (Vec::new(), Vec::new());
    let (mut zombie_ms, mut stopped_ms) = (Vec::new(), Vec::new());
    for name in names {
        let found = of(name);
        let longest = found.iter().map(|one| one.outlived_ms).fold(0.0, f64::max);
        match found.iter().any(|one| one.is_zombie()) {
            _ if found.is_empty() => {}
            true => (zombies.push(*name), zombie_ms.push(longest)).1,
            false => (stopped.push(*name), stopped_ms.push(longest)).1,
        }
    }
    let everybody = zombies.len() + stopped.len();
    let mut clauses = Vec::new();
    if !stopped.is_empty() {
        let most = span(stopped_ms.into_iter().fold(0.0, f64::max));
        let (who, why) = (those(&stopped, everybody), why_stopped(style.name));
        clauses.push(format!("stopped on {who}, at most {most} after its request{why}"));
    }
    if !zombies.is_empty() {
        let found: Vec<&Outside> = zombies.iter().flat_map(|name| of(name)).collect();
        let found: Vec<&Outside> = found.into_iter().filter(|one| one.is_zombie()).collect();
        let (who, why) = (those(&zombies, everybody), seen(style, &found, results.plan.outside.work_ms));
        let most = span(zombie_ms.into_iter().fold(0.0, f64::max));
        clauses.push(format!("a zombie on {who}, for up to {most} after its request{why}"));
    }
    (everybody > 0).then(|| format!("{}: {}.", style.name, clauses.join("; ")))
}

/// Returns the reason why work of a style stops; empty where it should not.
fn why_stopped(style: &str) -> &'static str {
    match style {
        "process" => " (it is killed, and waited for)",
        "query" => " (a cancel request stops it, on a connection of its own)",
        "upstream" => " (the connection is closed, and the server that is called hears of it)",
        "permit" => " (a guard gives it back)",
        _ => "",
    }
}

/// Returns what the witness saw of zombies of a style; empty when it did not see each of them to its end.
fn seen(style: &Style, zombies: &[&Outside], work_ms: u64) -> &'static str {
    let to_its_end = |one: &&Outside| {
        let lasted = one.began_ms.zip(one.over_ms).map(|(began, over)| over + one.outlived_ms - began);
        // The witness looks at intervals, and the work may have begun before its first look.
        !one.endless && lasted.is_some_and(|lasted| lasted >= 0.9 * work_ms as f64)
    };
    if !zombies.iter().all(to_its_end) {
        return "";
    }
    match style.kind {
        Kind::Process => " (/proc shows the child process to the end of its work)",
        Kind::Query => " (pg_stat_activity shows the query to its own end: no cancel reached it)",
        Kind::Upstream => " (the server that is called worked to the end)",
        Kind::Permit => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{empty, outside};

    fn run() -> Results {
        let mut results = empty(&["a", "b", "c"]);
        results.measured.outside = vec![
            outside("a", "process", End::Deadline, 3.0),
            outside("a", "process", End::Disconnect, 1.0),
            outside("b", "process", End::Deadline, 600.0),
            outside("b", "query-dropped", End::Disconnect, 880.0),
        ];
        results
    }

    #[test]
    fn each_cell_says_whether_the_work_stopped_and_for_how_long_it_went_on() {
        let [deadline, disconnect] = &tables(&run())[..] else { panic!("two tables") };
        let of = |table: &Table, line: usize, style: usize| table.lines[line].cells[style].text.clone();
        assert_eq!(of(deadline, 0, 0), "stopped\n3.0 ms");
        assert_eq!(of(deadline, 1, 0), "zombie 600 ms");
        assert_eq!(of(disconnect, 1, 3), "zombie 880 ms");
        assert_eq!(of(disconnect, 1, 0), "–", "it was not measured");
        assert_eq!(deadline.lines.len(), 2, "a server without work outside has no line");
    }

    #[test]
    fn a_style_is_told_with_the_servers_that_stop_it_and_those_that_do_not() {
        let [deadline, disconnect] = &tables(&run())[..] else { panic!("two tables") };
        let told = &deadline.sentences;
        assert_eq!(
            told[0],
            "process: stopped on a, at most 3.0 ms after its request (it is killed, and waited for); a zombie on b, for up to \
             600 ms after its request (/proc shows the child process to the end of its work)."
        );
        assert_eq!(told.len(), 1, "styles that nobody has are not told");
        assert!(disconnect.sentences[0].contains("at most 1.0 ms"), "each end has figures of its own");
        assert!(
            disconnect.sentences[1].contains("a zombie on b, for up to 880 ms"),
            "{:?}",
            disconnect.sentences
        );
    }

    #[test]
    fn a_zombie_is_said_to_have_run_to_its_end_where_the_witness_saw_it() {
        let mut results = run();
        let told = |results: &Results| tables(results)[1].sentences[1].clone();
        assert!(told(&results).ends_with("shows the query to its own end: no cancel reached it)."));
        let query = results.measured.outside.last_mut().unwrap();
        (query.over_ms, query.outlived_ms) = (Some(301.0), 200.0);
        assert!(
            told(&results).ends_with("a zombie on b, for up to 200 ms after its request."),
            "it was ended before"
        );
    }

    #[test]
    fn an_entry_that_nobody_waits_for_is_said_so() {
        let mut results = run();
        results.measured.outside[0].defunct = true;
        assert_eq!(tables(&results)[0].lines[0].cells[0].text, "stopped\n3.0 ms\na defunct entry is left");
    }

    #[test]
    fn a_run_without_work_outside_has_no_table() {
        assert!(tables(&empty(&["a"])).is_empty());
    }
}
