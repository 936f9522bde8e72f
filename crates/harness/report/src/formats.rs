//! One run as text for people, JSON, JUnit XML and Markdown.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use measure::table::{Cell, Column, Table};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use suite::document::{Document, Row};
use suite::remedies;
use suite::runner::STDERR;
use suite::scenarios;
use suite::verdict::Verdict;

use crate::markdown;

/// The run as one JSON document.
pub fn json(run: &Document) -> String {
    let mut text = serde_json::to_string_pretty(run).expect("a run holds nothing that JSON cannot say");
    text.push('\n');
    text
}

/// The run for people; `color` adds ANSI colors.
pub fn human(run: &Document, color: bool) -> String {
    rows(run, &|_| true, color)
}

/// The same without a line for each scenario that the server does not support.
pub fn supported(run: &Document, color: bool) -> String {
    rows(run, &|row| row.verdict != Verdict::Unsupported, color)
}

fn rows(run: &Document, shown: &dyn Fn(&Row) -> bool, color: bool) -> String {
    let mut text = String::new();
    let width = run.results.iter().filter(|row| shown(row)).map(|row| row.id.len()).max().unwrap_or(0);
    for server in &run.servers {
        let version = server.version.as_ref().map(|version| format!(" ({version})")).unwrap_or_default();
        let _ = writeln!(text, "{}{version}", server.name);
        let mut logged = BTreeSet::new();
        for row in run.results.iter().filter(|row| row.server == server.name && shown(row)) {
            line(&mut text, row, width, &mut logged, color);
        }
        let counts = run.counts(Some(&server.name));
        let counts: Vec<_> = counts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        let _ = writeln!(text, "  = {}\n", counts.join(", "));
    }
    let _ = writeln!(
        text,
        "profile {}, {} cores, kernel {}; {}",
        run.profile, run.machine.cores, run.machine.kernel, run.noise
    );
    text
}

/// Writes a result; of a server's standard error only the lines that are not in `logged` yet.
fn line(text: &mut String, row: &Row, width: usize, logged: &mut BTreeSet<String>, color: bool) {
    let verdict = format!("{:<11}", row.verdict.word());
    let verdict = match (color, code(row.verdict)) {
        (true, Some(code)) => format!("\x1b[{code}m{verdict}\x1b[0m"),
        _ => verdict,
    };
    let _ = writeln!(text, "  {verdict} {:<width$}  {}", row.id, row.observed.replace('\n', "\n      "));
    if let (Verdict::Xfail | Verdict::Xpass | Verdict::Flaky, Some(why)) = (row.verdict, &row.expected) {
        let _ = writeln!(text, "      expected: {why}");
    }
    if (row.verdict.is_red() || row.verdict == Verdict::Error) && row.attempts > 0 {
        let _ = writeln!(text, "      promise: {} ({})", row.promise, row.level);
        let scenario = scenarios::every().into_iter().find(|scenario| scenario.id == row.id);
        if let Some(cause) = scenario.map(|scenario| scenario.wrong).filter(|cause| !cause.is_empty()) {
            let _ = writeln!(text, "      how it goes wrong: {cause}");
        }
        if let Some(remedy) = remedies::of(&row.id) {
            let _ = writeln!(text, "      what mends it: {remedy}");
        }
        for line in shortened(&row.trace) {
            let line = once(&line, logged);
            let _ = writeln!(text, "      | {}", line.replace('\n', "\n      | "));
        }
    }
}

/// The end of a standard error without the lines that were shown before; anything else as it is.
fn once(line: &str, logged: &mut BTreeSet<String>) -> String {
    let Some((head, log)) = line.split_once('\n').filter(|(head, _)| *head == STDERR) else {
        return line.to_owned();
    };
    let new: Vec<&str> = log.lines().filter(|line| logged.insert((*line).to_owned())).collect();
    if new.is_empty() { format!("{head} as shown above") } else { format!("{head}\n{}", new.join("\n")) }
}

/// The first and the last lines of a trace: a miss shows at its end, and how it came to it at its beginning.
fn shortened(trace: &[String]) -> Vec<String> {
    const HEAD: usize = 8;
    const TAIL: usize = 12;
    if trace.len() <= HEAD + TAIL + 1 {
        return trace.to_vec();
    }
    let left_out = trace.len() - HEAD - TAIL;
    let gap = format!("{:>14}({left_out} lines left out; --trace DIR keeps them all)", "");
    let (head, tail) = (&trace[..HEAD], &trace[trace.len() - TAIL..]);
    head.iter().cloned().chain([gap]).chain(tail.iter().cloned()).collect()
}

fn code(verdict: Verdict) -> Option<u8> {
    match verdict {
        Verdict::Pass => Some(32),
        Verdict::Fail | Verdict::Xpass | Verdict::Error => Some(31),
        Verdict::Warn | Verdict::Xfail | Verdict::Flaky => Some(33),
        Verdict::Unsupported => None,
    }
}

/// The run as a matrix, a scenario a line and a server a column, with the misses below.
pub fn markdown(run: &Document) -> String {
    let names: Vec<_> = run.servers.iter().map(|server| server.name.as_str()).collect();
    let mut table = Table::new("", "scenario", names.iter().map(|name| Column::words(name)));
    for row in &run.results {
        if table.lines.iter().all(|line| line.head != row.id) {
            let of = |name: &&str| run.results.iter().find(|one| one.id == row.id && one.server == **name);
            let cell = |name| Cell::plain(of(name).map_or("", |row| row.verdict.word()));
            table.line(row.id.as_str(), names.iter().map(cell).collect());
        }
    }
    let mut text = markdown::table(&table, |id| format!("`{id}`"));
    for row in run.results.iter().filter(|row| !matches!(row.verdict, Verdict::Pass | Verdict::Unsupported)) {
        let observed = row.observed.lines().next().unwrap_or_default();
        let _ = write!(text, "\n- `{}` on {}: **{}**, {observed}", row.id, row.server, row.verdict);
        if let Some(why) = &row.expected {
            let _ = write!(text, " (expected: {why})");
        }
    }
    let _ = writeln!(text, "\n\nProfile {}, {} cores; {}.", run.profile, run.machine.cores, run.noise);
    text
}

/// The run as JUnit XML: a suite per server, a class per area; a broken promise is a failure, what could not be judged
/// an error.
pub fn junit(run: &Document) -> String {
    let mut report = Report::new("deadline-lab");
    for server in &run.servers {
        let mut suite = TestSuite::new(server.name.as_str());
        for row in run.results.iter().filter(|row| row.server == server.name) {
            suite.add_test_case(case(row));
        }
        report.add_test_suite(suite);
    }
    report.to_string().expect("the report has no character that XML cannot hold")
}

fn case(row: &Row) -> TestCase {
    let non_success = |kind| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(row.observed.lines().next().unwrap_or_default());
        status.set_description(format!("{}\n{}", row.observed, row.trace.join("\n")));
        status
    };
    let status = match row.verdict {
        Verdict::Pass | Verdict::Warn => TestCaseStatus::success(),
        Verdict::Fail | Verdict::Xpass => non_success(NonSuccessKind::Failure),
        Verdict::Error => non_success(NonSuccessKind::Error),
        Verdict::Unsupported | Verdict::Xfail | Verdict::Flaky => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!(
                "{}: {}",
                row.verdict,
                row.observed.lines().next().unwrap_or_default()
            ));
            status
        }
    };
    let area = row.id.split_once('/').map_or(row.id.as_str(), |(area, _)| area);
    let mut case = TestCase::new(row.id.as_str(), status);
    case.set_classname(format!("{}.{area}", row.server));
    case.set_time(Duration::from_millis(row.took_ms));
    case.set_system_out(format!("{}: {}", row.promise, row.observed));
    case
}

#[cfg(test)]
mod tests {
    use measure::fixtures::empty;

    use super::*;

    fn run() -> Document {
        let row = |id, verdict, observed: &str| Row::whole_server("tokio", id, verdict, observed);
        let mut document = empty(&["tokio"]).document();
        document.results = vec![
            row("work/drop", Verdict::Pass, "stopped"),
            row("work/spin", Verdict::Fail, "went on <&>"),
            row("server/start", Verdict::Error, "no"),
        ];
        document
    }

    #[test]
    fn json_has_the_documented_fields() {
        let value: serde_json::Value = serde_json::from_str(&json(&run())).unwrap();
        let row = &value["results"][1];
        assert_eq!((&row["server"], &row["id"]), (&"tokio".into(), &"work/spin".into()));
        assert_eq!((&row["verdict"], &row["observed"]), (&"fail".into(), &"went on <&>".into()));
    }

    #[test]
    fn junit_tells_a_failure_from_an_error() {
        let xml = junit(&run());
        assert!(xml.contains(r#"failures="1""#) && xml.contains(r#"errors="1""#), "{xml}");
        assert!(xml.contains("went on &lt;&amp;&gt;"), "{xml}");
    }

    #[test]
    fn markdown_is_a_matrix_with_the_misses_below() {
        let text = markdown(&run());
        assert!(text.contains("| `work/drop` | pass |"), "{text}");
        assert!(text.contains("- `work/spin` on tokio: **fail**, went on <&>"), "{text}");
    }

    #[test]
    fn a_long_trace_keeps_its_beginning_and_its_end() {
        let trace: Vec<_> = (0..100).map(|number| number.to_string()).collect();
        let short = shortened(&trace);
        assert_eq!((short.len(), short[0].as_str(), short[20].as_str()), (21, "0", "99"));
        assert!(short[8].contains("80 lines left out"), "{}", short[8]);
        assert_eq!(shortened(&trace[..21]).len(), 21);
    }

    #[test]
    fn a_failure_stands_with_its_cause_and_its_remedy_and_a_log_is_shown_once() {
        let mut run = run();
        run.results = ["disconnect/fin", "disconnect/rst"]
            .map(|id| Row {
                attempts: 1,
                trace: vec!["1.00 ms  > GET".to_owned(), format!("{STDERR}\nlost\nlost\nfound")],
                ..Row::whole_server("tokio", id, Verdict::Fail, "went on")
            })
            .into();
        let text = human(&run, false);
        assert!(text.contains("how it goes wrong: actix by default"), "{text}");
        assert!(text.contains("what mends it: watch the client's socket"), "{text}");
        assert_eq!((text.matches("lost").count(), text.matches("found").count()), (1, 1), "{text}");
        assert!(text.contains("stderr ends: as shown above"), "{text}");
    }

    #[test]
    fn what_a_server_does_not_support_has_no_line_of_its_own() {
        let mut run = run();
        run.results[1].verdict = Verdict::Unsupported;
        assert!(human(&run, false).contains("work/spin"));
        let text = supported(&run, false);
        assert!(!text.contains("work/spin") && text.contains("1 unsupported"), "{text}");
    }

    #[test]
    fn text_without_color_has_no_escape() {
        assert!(!human(&run(), false).contains('\x1b'));
        assert!(human(&run(), true).contains("\x1b[31m"));
    }
}
