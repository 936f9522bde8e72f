//! `lab diff`: what changed from one run to another beyond the noise, and whether it got worse.

use measure::series::{self, Figure};
use measure::table::{Cell, Column, Table, Tone};
use measure::text::{megabytes, number};
use report::terminal::render::{self, Screen, wrap_to};
use serde::Serialize;
use suite::document::{Better, Document, Row};
use suite::exit::Exit;
use suite::verdict::Verdict;

use crate::args::{Diff, ListFormat};
use crate::progress::{print, screen};
use crate::report::read;

/// The differences between two runs.
#[derive(Debug, Serialize)]
struct Difference {
    /// When the first run was taken.
    before: String,
    /// When the second run was taken.
    after: String,
    /// The change for the worse, in percent, that a figure may have.
    threshold_percent: f64,
    /// The reasons why the runs are hard to compare.
    notes: Vec<String>,
    /// Verdicts that changed.
    verdicts: Vec<Turned>,
    /// Figures that changed beyond the noise.
    figures: Vec<Moved>,
    /// The number of figures that did not change.
    unchanged: usize,
    /// Figures of too few rounds in one of the runs to be judged.
    too_few: usize,
    /// Why no figure is judged; empty when they are.
    unlike: Vec<String>,
    /// Servers, scenarios and figures of the first run that the second has not: each is a regression.
    gone: Vec<String>,
    /// The number of verdicts and figures that could be compared.
    compared: usize,
    /// The number of changes that are regressions.
    regressions: usize,
}

/// A verdict that changed.
#[derive(Debug, Serialize)]
struct Turned {
    server: String,
    scenario: String,
    /// None when the first run did not have it.
    before: Option<Verdict>,
    after: Verdict,
    observed: String,
    regression: bool,
}

/// A figure that changed.
#[derive(Debug, Serialize)]
struct Moved {
    server: String,
    figure: String,
    unit: String,
    before: Spread,
    after: Spread,
    /// None when the first median is zero.
    change_percent: Option<f64>,
    worse: bool,
    /// Worse by more than the threshold.
    regression: bool,
}

/// The turns of a figure.
#[derive(Debug, Clone, Copy, Serialize)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
    turns: usize,
}

/// Prints the difference of two runs; the exit status is 3 when the second is worse.
pub(crate) fn diff(args: &Diff) -> Result<Exit, String> {
    let difference = Difference::of(&read(&args.before)?, &read(&args.after)?, args.threshold);
    match args.format {
        ListFormat::Json => {
            let text = serde_json::to_string_pretty(&difference).expect("a difference is JSON");
            print(format_args!("{text}\n"));
        }
        ListFormat::Human => print(difference.human(screen())),
    }
    if difference.regressions > 0 {
        return Ok(Exit::Worse);
    }
    if difference.compared == 0 {
        return Err("nothing was compared: the runs have no verdict and no figure in common".to_owned());
    }
    Ok(Exit::Good)
}

/// The rounds that a figure needs in both runs to be judged: a median of fewer has no spread.
const ROUNDS: usize = 3;

impl Difference {
    fn of(before: &Document, after: &Document, threshold: f64) -> Self {
        let (have, now) = (series::figures(before), series::figures(after));
        let find = |figure: &Figure| {
            now.iter().find(|other| (&other.server, &other.name) == (&figure.server, &figure.name))
        };
        let pairs: Vec<(&Figure, &Figure)> =
            have.iter().filter_map(|figure| Some((figure, find(figure)?))).collect();
        let unlike = unlike(before, after);
        let enough = |(a, b): &&(&Figure, &Figure)| a.rounds.count.min(b.rounds.count) >= ROUNDS;
        let judged: Vec<_> = pairs.iter().filter(enough).filter(|_| unlike.is_empty()).collect();
        let figures: Vec<Moved> =
            judged.iter().filter_map(|(a, b)| Moved::between(a, b, threshold)).collect();
        let mut gone = vanished(before, after);
        gone.extend(
            have.iter()
                .filter(|figure| find(figure).is_none())
                .map(|figure| format!("{}: {}", figure.server, figure.name)),
        );
        let verdicts = turned(before, after);
        let regressions = verdicts.iter().filter(|verdict| verdict.regression).count()
            + figures.iter().filter(|figure| figure.regression).count()
            + gone.len();
        Self {
            before: before.taken_at.clone(),
            after: after.taken_at.clone(),
            threshold_percent: threshold,
            notes: notes(before, after),
            unchanged: judged.len() - figures.len(),
            too_few: if unlike.is_empty() { pairs.len() - judged.len() } else { 0 },
            compared: judged.len() + shared(before, after),
            unlike,
            gone,
            verdicts,
            figures,
            regressions,
        }
    }

    fn human(&self, screen: Screen) -> String {
        let mut text = format!("before: {}\nafter:  {}\n", self.before, self.after);
        for note in &self.notes {
            text += &format!("note: {note}\n");
        }
        for turned in &self.verdicts {
            let before = turned.before.map_or("not run", Verdict::word);
            let mark = if turned.regression { "WORSE " } else { "" };
            let Turned { server, scenario, after, observed, .. } = turned;
            text += &wrap_to(
                &format!("{mark}{server} {scenario}: {before} → {after}: {observed}"),
                "",
                screen.width,
            );
            text.push('\n');
        }
        if !self.figures.is_empty() {
            text += &format!("\n{}\n\n", render::table(&self.table(), screen).trim_end());
        }
        for gone in &self.gone {
            text += &format!("GONE {gone}\n");
        }
        for reason in &self.unlike {
            text += &format!("no figure is judged: {reason}\n");
        }
        if self.too_few > 0 {
            text += &format!(
                "{} figures are not judged: they have fewer than {ROUNDS} rounds in one of the runs\n",
                self.too_few
            );
        }
        let (changed, all) = (self.figures.len(), self.figures.len() + self.unchanged);
        text += &format!(
            "{changed} of {all} figures changed beyond the noise, {} verdicts changed, {} gone; {} regressions (worse by \
             more than {} %, or gone).\n",
            self.verdicts.len(),
            self.gone.len(),
            self.regressions,
            self.threshold_percent
        );
        text
    }

    fn table(&self) -> Table {
        let columns = [Column::words("figure"), "before".into(), "after".into(), "change".into(), "".into()];
        let mut table = Table::new("", "server", columns);
        for moved in &self.figures {
            let change =
                moved.change_percent.map_or("from 0".to_owned(), |percent| format!("{percent:+.0} %"));
            let (word, tone) = match (moved.regression, moved.worse) {
                (true, _) => ("WORSE", Tone::Bad),
                (false, true) => ("worse", Tone::Odd),
                (false, false) => ("better", Tone::Good),
            };
            let cells =
                [&moved.figure, &moved.before.say(&moved.unit), &moved.after.say(&moved.unit), &change];
            let mut cells: Vec<Cell> = cells.map(Cell::plain).into();
            cells.push(Cell::new(tone, word));
            table.line(moved.server.as_str(), cells);
        }
        table
    }
}

impl Moved {
    /// The change of a figure, if it is beyond the noise of both runs.
    fn between(a: &Figure, b: &Figure, threshold: f64) -> Option<Self> {
        let (before, after) = (Spread::of(a), Spread::of(b));
        let apart = after.median - before.median;
        if before.holds(after.median) || after.holds(before.median) || apart.abs() <= a.least.max(b.least) {
            return None;
        }
        let worse = match a.better {
            Better::Less => apart > 0.0,
            Better::More => apart < 0.0,
        };
        let change_percent = (before.median != 0.0).then(|| apart / before.median.abs() * 100.0);
        // From nothing to something is past every threshold.
        let far = change_percent.is_none_or(|percent| percent.abs() > threshold);
        Some(Self {
            server: a.server.clone(),
            figure: a.name.clone(),
            unit: a.unit.clone(),
            before,
            after,
            change_percent,
            worse,
            regression: worse && far,
        })
    }
}

impl Spread {
    fn of(figure: &Figure) -> Self {
        let turns = figure.rounds;
        Self { median: turns.p50, min: turns.min, max: turns.max, turns: turns.count }
    }

    fn holds(&self, value: f64) -> bool {
        (self.min..=self.max).contains(&value)
    }

    fn say(&self, unit: &str) -> String {
        let short = |value: f64| match unit {
            "bytes" => megabytes(value.max(0.0) as u64),
            "ms" if value.abs() < 100.0 => format!("{value:.1} ms"),
            "ms" => format!("{value:.0} ms"),
            _ if value.abs() >= 100.0 => number(value.abs().round() as u64),
            _ => format!("{value:.1}").trim_end_matches(".0").to_owned(),
        };
        let median = short(self.median);
        let bare = |value: f64| short(value).trim_end_matches([' ', 'm', 's', 'M', 'B']).to_owned();
        if self.turns < 2 { median } else { format!("{median} ({}–{})", bare(self.min), bare(self.max)) }
    }
}

/// Returns the rank of a verdict, the worst highest; one that comes and goes is no worse than one that stays.
fn badness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass | Verdict::Xpass | Verdict::Flaky => 0,
        Verdict::Unsupported => 1,
        Verdict::Warn | Verdict::Xfail => 2,
        Verdict::Fail | Verdict::Error => 3,
    }
}

/// The verdicts that changed, and new ones that are bad from the start.
fn turned(before: &Document, after: &Document) -> Vec<Turned> {
    let of = |row: &Row| {
        let same = |other: &&Row| (&other.server, &other.id) == (&row.server, &row.id);
        let before = before.results.iter().find(same).map(|row| row.verdict);
        let regression = badness(row.verdict) > before.map_or(2, badness);
        (before.is_some_and(|before| before != row.verdict) || (before.is_none() && regression)).then(|| {
            Turned {
                server: row.server.clone(),
                scenario: row.id.clone(),
                before,
                after: row.verdict,
                observed: row.observed.clone(),
                regression,
            }
        })
    };
    after.results.iter().filter_map(of).collect()
}

/// Returns the number of verdicts of the first run that the second has too.
fn shared(before: &Document, after: &Document) -> usize {
    before.results.iter().filter(|row| has(after, row)).count()
}

fn has(document: &Document, row: &Row) -> bool {
    document.results.iter().any(|other| (&other.server, &other.id) == (&row.server, &row.id))
}

/// The servers that ran only before, and the scenarios of the others that did.
fn vanished(before: &Document, after: &Document) -> Vec<String> {
    let ran = after.names();
    let lost: Vec<&str> = before.names().into_iter().filter(|name| !ran.contains(name)).collect();
    let servers = lost.iter().map(|name| format!("{name}: the whole server"));
    let rows = before.results.iter().filter(|row| !lost.contains(&row.server.as_str()) && !has(after, row));
    servers.chain(rows.map(|row| format!("{}: {}", row.server, row.id))).collect()
}

/// Why figures of two runs say nothing about each other; empty when they do.
fn unlike(before: &Document, after: &Document) -> Vec<String> {
    let mut reasons = Vec::new();
    let (a, b) = (&before.machine, &after.machine);
    if (&a.cpu, a.cores) != (&b.cpu, b.cores) {
        reasons.push("the runs were taken on different machines".to_owned());
    }
    if before.plan != after.plan {
        reasons.push("the runs measured by different plans".to_owned());
    }
    if let (Some(one), Some(other)) = (a.load, b.load)
        && (one - other).abs() > a.cores as f32 / 2.0
    {
        reasons.push(format!("the machine's load was {one:.1} before and {other:.1} after"));
    }
    reasons
}

/// Returns the reasons why two runs are hard to compare.
fn notes(before: &Document, after: &Document) -> Vec<String> {
    let mut notes = Vec::new();
    let (a, b) = (&before.machine, &after.machine);
    if a.kernel != b.kernel {
        notes.push("the runs were taken on different kernels".to_owned());
    }
    if before.profile != after.profile {
        notes.push("the scenarios were judged by different profiles".to_owned());
    }
    if a.rustc != b.rustc {
        notes.push("the runs were built by different compilers".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests;
