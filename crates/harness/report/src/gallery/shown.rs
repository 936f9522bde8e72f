//! The contents of the gallery's page, in whatever format: the summary, the table, and each red cell with its cause and its mend.

use std::collections::BTreeSet;

use measure::table::{self, Column, Opens, Table, Tone};
use testbed::adapters::{Adapter, Question, Red, Variant};

use super::{Cell, Gallery, Shown, red, variants};

/// A server with a cell to explain.
pub(super) struct Missed<'a> {
    pub(super) name: String,
    /// The packages and their versions.
    pub(super) versions: String,
    /// The page of the documentation that it follows.
    pub(super) source: &'a str,
    pub(super) cells: Vec<Explained<'a>>,
}

/// A cell with a failure, and what its manifest says of it.
pub(super) struct Explained<'a> {
    pub(super) question: Question,
    pub(super) cell: &'a Cell,
    pub(super) red: Option<&'a Red>,
    /// The server that mends it, by its full name, and what this gallery shows of it.
    pub(super) mend: Option<(String, String)>,
}

impl Gallery {
    /// Returns the counts: the servers, the answers, and where and when they were taken.
    pub(super) fn summary(&self, adapters: &[Adapter]) -> [String; 3] {
        let shown: Vec<&Shown> = self.servers.values().filter(|shown| shown.absent.is_none()).collect();
        let all = variants(adapters).count();
        let languages: BTreeSet<&str> = variants(adapters)
            .filter(|(adapter, variant)| self.was_judged(adapter, variant))
            .map(|(adapter, _)| adapter.language.as_str())
            .collect();
        let green = |question: &Question| {
            shown.iter().filter(|shown| shown.cell(*question).is_some_and(Cell::is_green)).count()
        };
        let counts: Vec<String> =
            Question::ALL.iter().map(|question| format!("{} {}", green(question), question.verb())).collect();
        let unique = |of: fn(&Shown) -> &str| -> Vec<&str> {
            let all: BTreeSet<&str> = shown.iter().map(|shown| of(shown)).collect();
            all.into_iter().collect()
        };
        let (runs, machines) = (unique(|shown| &shown.taken_at), unique(|shown| &shown.machine));
        let taken = match runs[..] {
            [one] => format!("in one run, {one}"),
            _ => format!("in {} runs; the table has the day of each server's", runs.len()),
        };
        [
            format!("{} of {all} servers were judged, in {} languages.", shown.len(), languages.len()),
            format!("Of them, {}.", counts.join("; ")),
            format!("They were judged on {}, {taken}.", machines.join("; ")),
        ]
    }

    pub(super) fn was_judged(&self, adapter: &Adapter, variant: &Variant) -> bool {
        let name = format!("{}/{}", adapter.name, variant.name);
        self.servers.get(&name).is_some_and(|shown| shown.absent.is_none())
    }

    /// Returns the table: a line a server, which says in its note what it is, and a column a question; a cell that misses opens its reason.
    pub(super) fn table(&self, adapters: &[Adapter]) -> Table {
        let heads: Vec<&str> = Question::ALL.iter().map(|question| question.heading()).collect();
        let day_of = |(adapter, variant): (&Adapter, &Variant)| match self
            .servers
            .get(&format!("{}/{}", adapter.name, variant.name))
        {
            None => "not run",
            Some(shown) if shown.absent.is_some() => "absent",
            Some(shown) => day(&shown.taken_at),
        };
        // One day is said above the table, and not once more in each line.
        let days: BTreeSet<&str> = variants(adapters).map(day_of).collect();
        let dated: &[&str] = if days.len() > 1 { &["judged"] } else { &[] };
        let columns = [&heads[..], dated].concat();
        let mut table = Table::new("", "server", columns.into_iter().map(Column::words));
        for (adapter, variant) in variants(adapters) {
            let name = format!("{}/{}", adapter.name, variant.name);
            let shown = self.servers.get(&name);
            let cell = |question: &Question| {
                let Some(cell) = shown.and_then(|shown| shown.cell(*question)) else {
                    return table::Cell::none();
                };
                let opens = cell.has_missed().then(|| Opens::Part(part(&name, *question)));
                table::Cell { opens, ..table::Cell::new(cell.tone(), cell.answer()) }
            };
            let mut cells = Question::ALL.iter().map(cell).collect::<Vec<_>>();
            cells.extend(dated.iter().map(|_| table::Cell::new(Tone::Plain, day_of((adapter, variant)))));
            table.line(name, cells);
            let about = format!("{}, {}: {}", adapter.language, adapter.framework, variant.about);
            table.lines.last_mut().expect("a line was added").note = about;
        }
        table
    }

    /// Returns every server with a cell that misses, in the order of the table.
    pub(super) fn missed<'a>(&'a self, adapters: &'a [Adapter]) -> Vec<Missed<'a>> {
        let missed = variants(adapters).filter_map(|(adapter, variant)| {
            let name = format!("{}/{}", adapter.name, variant.name);
            let shown = self.servers.get(&name)?;
            let explained = |(question, cell): (&Question, &'a Cell)| {
                let red = red(variant, *question);
                let mend = red.and_then(|red| self.mend(adapter, *question, red));
                Explained { question: *question, cell, red, mend }
            };
            let cells: Vec<_> =
                shown.cells.iter().filter(|(_, cell)| cell.has_missed()).map(explained).collect();
            let versions: Vec<String> =
                adapter.versions.iter().map(|(package, version)| format!("{package} {version}")).collect();
            let missed = Missed { name, versions: versions.join(", "), source: &variant.source, cells };
            (!missed.cells.is_empty()).then_some(missed)
        });
        missed.collect()
    }

    /// Returns the server that mends a cell, and whether this gallery proves it.
    fn mend(&self, adapter: &Adapter, question: Question, red: &Red) -> Option<(String, String)> {
        let mend = red.mend.as_ref()?;
        let name = if mend.contains('/') { mend.clone() } else { format!("{}/{mend}", adapter.name) };
        let proven = match self.servers.get(&name).and_then(|shown| shown.cell(question)) {
            Some(cell) if cell.is_whole() => format!("all {} scenarios pass there", cell.judged),
            Some(cell) if cell.is_green() => "but a body that stalls holds its answer, too".to_owned(),
            Some(cell) if cell.is_red() => {
                format!("but it fails {} of {} there too", cell.failed.len(), cell.judged)
            }
            _ => "not judged here".to_owned(),
        };
        Some((name, proven))
    }

    /// Returns the servers that could not be judged, each with the reason in a line.
    pub(super) fn absent<'a>(&'a self, adapters: &[Adapter]) -> Vec<(&'a str, &'a str)> {
        let absent = variants(adapters).filter_map(|(adapter, variant)| {
            let (name, shown) = self.servers.get_key_value(&format!("{}/{}", adapter.name, variant.name))?;
            Some((name.as_str(), shown.absent.as_deref()?.lines().next().unwrap_or_default()))
        });
        absent.collect()
    }
}

/// Returns the id of the part that explains a cell.
pub(super) fn part(name: &str, question: Question) -> String {
    format!("{}-{}", name.replace('/', "-"), question.word())
}

/// Returns the day of an HTTP date.
fn day(taken_at: &str) -> &str {
    taken_at.get(5..16).unwrap_or(taken_at)
}
