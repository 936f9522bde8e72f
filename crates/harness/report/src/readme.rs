//! The run in the README: its conclusion and its tables between two markers, made from a document and checked for their shape.

use measure::results::Results;
use measure::text::list;
use suite::verdict::Verdict;

use crate::conclusion::TITLE;
use crate::terminal::render::Screen;
use crate::terminal::tables::{self, Depth};

/// The markers of the block.
const BEGIN: &str = "<!-- run: begin -->\n";
const END: &str = "<!-- run: end -->\n";

/// The beginnings of the sections that the block shows, in order.
const SECTIONS: [&str; 4] = [
    "Scenarios passed (",
    "Does the work stop?",
    "A storm of ",
    "Does the work hear that its client disconnected?",
];

/// Returns `readme` with the block of this run between its markers.
///
/// # Errors
/// When the markers are missing, or the run lacks a section.
pub fn put(readme: &str, results: &Results) -> Result<String, String> {
    let (before, _, after) = parts(readme)?;
    let readme = format!("{before}{BEGIN}{}{END}{after}", block(&of_siblings(results)));
    check(&readme).map(|()| readme)
}

/// Returns the run without the peers, where it has all four of the lab's own servers.
fn of_siblings(results: &Results) -> Results {
    const OWN: [&str; 4] = ["tokio", "async-std", "smol", "threads"];
    let mut own = results.clone();
    let names = results.names();
    if OWN.iter().all(|name| names.contains(name)) {
        let is_own = |name: &str| OWN.contains(&name);
        own.servers.retain(|server| is_own(&server.name));
        own.results.retain(|row| is_own(&row.server));
        own.measured.gaps.retain(|gap| is_own(&gap.server));
    }
    own
}

/// Checks the shape of the block: a date, the conclusion in at most ten lines, the sections in order, each with a table, and columns of verdicts that add up to the
/// number of scenarios, but for those that the block says to stand in no cell.
///
/// # Errors
/// A sentence that says what is missing or does not add up.
pub fn check(readme: &str) -> Result<(), String> {
    let (_, block, _) = parts(readme)?;
    let is_date = |rest: &str| rest.len() > 10 && rest[..10].chars().all(|c| c.is_ascii_digit() || c == '-');
    if !block.split(" on ").skip(1).any(is_date) {
        return Err("the run in README.md has no date".into());
    }
    let fences: Vec<&str> =
        block.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [conclusion, fence] = fences[..] else {
        return Err("the run in README.md has not a conclusion and tables, each in a fence".into());
    };
    if !conclusion.starts_with(TITLE) || !(3..=11).contains(&conclusion.lines().count()) {
        return Err(format!("the run in README.md does not begin with `{TITLE}` and at most ten lines"));
    }
    let mut lines = fence.lines();
    for section in SECTIONS {
        if !lines.any(|line| line.starts_with(section)) {
            return Err(format!("the run in README.md has no section `{section}`, or not in its place"));
        }
        // A long title is wrapped.
        let table = lines.by_ref().skip_while(|line| !line.is_empty() && !line.starts_with(' '));
        if table.take(2).filter(|line| line.starts_with(' ')).count() < 2 {
            return Err(format!("the section `{section}` of README.md has no table"));
        }
    }
    adds_up(block, fence)
}

/// Checks that the verdicts of each server, a column, add up.
fn adds_up(block: &str, fence: &str) -> Result<(), String> {
    let mut lines = fence.lines().skip_while(|line| !line.starts_with(SECTIONS[0]));
    let number = |text: &str| text.parse::<usize>().ok();
    let title = lines.next().unwrap_or_default();
    let chosen = title[SECTIONS[0].len()..].split(' ').find_map(number);
    let chosen = chosen.ok_or("the title of README.md's verdicts has no number of scenarios")?;
    let table = lines.skip_while(|line| !line.starts_with(' ')).take_while(|line| line.starts_with(' '));
    let table: Vec<Vec<&str>> = table.map(|line| line.split_whitespace().collect()).collect();
    let (servers, rows) = table.split_first().ok_or("the verdicts of README.md have no table")?;
    for (column, server) in servers.iter().enumerate().skip(1) {
        let cells = rows.iter().filter_map(|row| row.get(column)?.split_once('/'));
        let judged: usize = cells.filter_map(|(_, all)| number(all)).sum();
        let said = format!("{} of the {chosen} scenarios", chosen.abs_diff(judged));
        if judged != chosen && !block.contains(&said) {
            return Err(format!(
                "README.md: the column of {server} adds up to {judged}, and nothing says why `{said}` stand in no cell"
            ));
        }
    }
    Ok(())
}

/// Splits the text at its markers: before, between, behind.
fn parts(readme: &str) -> Result<(&str, &str, &str), String> {
    let missing = || format!("README.md lacks `{}` or `{}`", BEGIN.trim(), END.trim());
    let (before, rest) = readme.split_once(BEGIN).ok_or_else(missing)?;
    let (block, after) = rest.split_once(END).ok_or_else(missing)?;
    Ok((before, block, after))
}

/// Returns the block of a run: where and when, the tables, and what is missing to full columns.
fn block(results: &Results) -> String {
    let machine = &results.machine;
    let rustc = machine.rustc.as_deref().unwrap_or("no rustc");
    let rustc = rustc.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let (cores, kernel) = (machine.cores, &machine.kernel);
    let date = httpdate::parse_http_date(&results.taken_at).ok();
    let date = date.map_or_else(|| results.taken_at.clone(), day);
    // The release of a kernel is behind its version, and says nothing to others.
    let kernel = kernel.split('-').next().unwrap_or(kernel);
    let plan = &results.plan.zombie;
    let (work, deadline) = (plan.work_ms as f64 / 1e3, plan.deadline_ms);
    let mut text = format!(
        "From `scripts/compare.sh` on {date} ({cores} cores, Linux {kernel}, {rustc}; work of {work} s under a deadline of \
         {deadline} ms):\n\n```text\n"
    );
    text.push_str(tables::conclusion(results, Screen::FILE).trim_start());
    text.push_str("```\n\n<details><summary>The tables of the same run</summary>\n\n```text\n");
    text.push_str(&excerpt(&tables::print(results, Screen::FILE, Depth::Terse)));
    text.push_str("```\n\n");
    for sentence in missing(results) {
        text.push_str(&sentence);
        text.push('\n');
    }
    text + "\n</details>\n"
}

/// Returns the day of a time, as `2026-11-23`.
fn day(time: std::time::SystemTime) -> String {
    let days = time.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
    // The civil calendar, by days since March of the year 0.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02}")
}

/// Returns the tables of the block's sections, without their sentences.
fn excerpt(printed: &str) -> String {
    let sections = printed.trim_start_matches('\n').split("\n\n");
    let shown = sections.filter(|section| SECTIONS.iter().any(|title| section.starts_with(title)));
    let table = |section: &str| {
        // A long title is wrapped.
        let (title, rest) = section.split_once("\n ").unwrap_or((section, ""));
        // A table is indented by one space, and by more only where its first cell is empty; a sentence by two.
        let is_row =
            |line: &&str| line.starts_with(' ') && (!line.starts_with("  ") || line.starts_with("   "));
        let rest = format!(" {rest}");
        let rows: Vec<&str> = rest.lines().filter(is_row).collect();
        format!("{title}\n{}\n", rows.join("\n"))
    };
    shown.map(table).collect::<Vec<_>>().join("\n")
}

/// Returns the sentences that say what is missing to full columns.
fn missing(results: &Results) -> Vec<String> {
    let chosen = results.scenarios.chosen;
    let mut missing: Vec<(usize, Vec<&str>)> = Vec::new();
    let mut expected = Vec::new();
    for server in &results.servers {
        let rows = || results.results.iter().filter(|row| row.server == server.name);
        let without = chosen - rows().filter(|row| row.verdict != Verdict::Unsupported).count().min(chosen);
        match missing.iter_mut().find(|(count, _)| *count == without) {
            Some((_, names)) => names.push(&server.name),
            None => missing.push((without, vec![&server.name])),
        }
        let failed = rows().filter(|row| row.verdict == Verdict::Xfail).count();
        if failed > 0 {
            expected.push(format!(
                "On {}, {failed} fail as announced in [`expect/{0}.txt`](expect/{0}.txt).",
                server.name
            ));
        }
    }
    let clauses = missing.iter().filter(|(count, _)| *count > 0);
    let clause =
        |(count, names): &(usize, Vec<&str>)| format!("{count} of the {chosen} scenarios on {}", list(names));
    let clauses: Vec<String> = clauses.map(clause).collect();
    let missing = (!clauses.is_empty())
        .then(|| format!("Not counted: {}, because the server lacks what they need.", clauses.join("; ")));
    missing.into_iter().chain(expected).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// Two areas, whose 5 scenarios both servers support.
    const ROWS: &str = " a  2/2  1/2\n b  1/3  3/3";

    fn readme(first: &str, rows: &str, behind: &str) -> String {
        let table = " server  a  b\n x  1  2\n";
        format!(
            "before\n{BEGIN}From it on 2026-11-23 (2 cores):\n\n```text\n{TITLE}\n asked\n ran on\n```\n\n\
             ```text\n{first}\n area  x  y\n{rows}\n\n\
             Does the work stop? (…)\n{table}\nA storm of 5\n{table}\n\
             Does the work hear that its client disconnected?\n{table}```\n\n{behind}\n{END}after\n"
        )
    }

    #[test]
    fn a_block_whose_columns_add_up_is_sound() {
        assert_eq!(check(&readme("Scenarios passed (run: 5 of 5, all)", ROWS, "")), Ok(()));
        assert_eq!(check(&readme("Scenarios passed (run: 5 of 5, all\nof 2 areas)", ROWS, "")), Ok(()));
    }

    #[test]
    fn a_column_that_does_not_add_up_is_named_unless_the_block_says_why() {
        let (title, rows) = ("Scenarios passed (run: 6 of 9, some)", ROWS);
        let error = check(&readme(title, rows, "")).unwrap_err();
        assert!(error.contains("the column of x adds up to 5"), "{error}");
        assert_eq!(check(&readme(title, rows, "1 of the 6 scenarios needs Go.")), Ok(()));
    }

    #[test]
    fn a_missing_section_table_date_or_marker_is_named() {
        let whole = readme("Scenarios passed (run: 5 of 5, all)", ROWS, "");
        for (part, other) in [
            ("A storm of", "No storm of"),
            (TITLE, "In long"),
            (" asked\n", ""),
            ("on 2026", "on some 2026"),
            ("<!-- run: end -->\n", ""),
            (" server  a  b\n x  1  2\n", ""),
        ] {
            assert!(check(&whole.replace(part, other)).is_err(), "{part}");
        }
    }

    #[test]
    fn a_run_with_peers_puts_the_four_servers_of_the_lab_into_the_readme() {
        let names = ["tokio", "async-std", "smol", "threads", "go-context"];
        let own = of_siblings(&measure::fixtures::empty(&names));
        assert_eq!(own.names(), names[..4]);
        let two = ["tokio", "go-context"];
        assert_eq!(
            of_siblings(&measure::fixtures::empty(&two)).names(),
            two,
            "a run of others is shown whole"
        );
    }

    #[test]
    fn an_excerpt_has_the_tables_and_no_sentences() {
        let printed = "\nScenarios passed (1\nof 2)\n  A sentence.\n server  a\n x     1/1\n         more\n  A note.\n\nOther\n y\n";
        assert_eq!(excerpt(printed), "Scenarios passed (1\nof 2)\n server  a\n x     1/1\n         more\n");
    }

    #[test]
    fn a_day_is_written_as_in_the_calendar() {
        assert_eq!(day(UNIX_EPOCH + Duration::from_secs(951_782_400)), "2000-02-29");
        assert_eq!(day(UNIX_EPOCH + Duration::from_secs(1_795_651_200)), "2026-11-26");
    }
}
