//! The gallery's page as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;

use measure::table::{self, Column, Table, Tone};
use testbed::adapters::Adapter;

use super::shown::Explained;
use super::{Cell, DAGGER, Gallery};
use crate::markdown;

const HEAD: &str = "# The gallery

Does the work stop, in other people's frameworks? Written by `lab gallery`; `lab docs --check` fails when it is stale.

Each server is an adapter in [`peers/`](../peers/README.md), asked those scenarios of the set `stranger` that it supports: of `deadline` what judges the
answer alone, of `work` and `disconnect` what its heartbeats tell, of `spared` everything. `lab check --run COMMAND --only stranger` asks the same of any other
server. Two servers are judged side by side, for at most 90 s each. *Yes* means that every scenario passed that was judged; *in 9 of 11* that two failed;
*no* that all did; *–* that none was judged. A red cell is explained below, with the server that mends it where one is known.

† The answer waits for a body that the client has announced and does not send (`deadline/stalled-body`, `deadline/expect-continue`). We know of
no framework here whose documentation says that the deadline of a handler ends the reading of a body, so that this makes no cell red; cause and mend stand below all the same.
";

impl Gallery {
    /// Returns the page as Markdown: a table of every server and question, and each red cell with its cause and its mend.
    pub fn page(&self, adapters: &[Adapter]) -> String {
        let mut text = format!("{HEAD}\n{}\n\n", self.summary(adapters).join("\n"));
        text.push_str(&markdown::table_of_markup(&marked(self.table(adapters))));
        text.push_str("\n## Why, and what mends it\n");
        for missed in self.missed(adapters) {
            let (name, versions, source) = (&missed.name, &missed.versions, missed.source);
            let _ = writeln!(text, "\n### `{name}`\n\n{versions}; written as <{source}> does.\n");
            missed.cells.iter().for_each(|cell| explained(&mut text, cell));
        }
        let absent = self.absent(adapters);
        if !absent.is_empty() {
            text.push_str("\n## Absent\n\n");
        }
        for (name, why) in absent {
            let _ = writeln!(text, "- `{name}`: {why}");
        }
        text
    }
}

/// Returns the table as markup: names as code, the notes as a column of their own, and red answers bold.
fn marked(mut table: Table) -> Table {
    table.columns.insert(0, Column::words("what it is"));
    for line in &mut table.lines {
        line.head = format!("`{}`", line.head);
        for cell in line.cells.iter_mut().filter(|cell| cell.tone == Tone::Bad) {
            let answer = cell.text.trim_end_matches(DAGGER);
            cell.text = format!("**{answer}**{}", &cell.text[answer.len()..]);
        }
        line.cells.insert(0, table::Cell::plain(&line.note));
    }
    table
}

fn explained(text: &mut String, cell: &Explained<'_>) {
    let _ = writeln!(text, "- **{}** {}", cell.question.heading(), seen(cell.cell));
    let Some(red) = cell.red else {
        text.push_str("  - cause: not known yet; `lab check --run` with `--trace` shows every byte\n  - mend: none known, and none tried\n");
        return;
    };
    let _ = writeln!(text, "  - cause: {} (<{}>)", red.cause, red.source);
    let tried = red.tried.as_ref().map(|tried| format!("; tried: {tried}")).unwrap_or_default();
    let _ = match &cell.mend {
        None => writeln!(text, "  - mend: none known{tried}"),
        Some((name, proven)) => writeln!(text, "  - mend: `{name}` ({proven}){tried}"),
    };
}

/// Returns the scenarios that failed: the first with what was seen, the others by their ids.
fn seen(cell: &Cell) -> String {
    let listed = |failed: &BTreeMap<String, String>| {
        let mut failed = failed.iter();
        let first = failed.next().map(|(id, observed)| format!("`{id}`: {observed}")).unwrap_or_default();
        let others: Vec<String> = failed.map(|(id, _)| format!("`{id}`")).collect();
        let others = if others.is_empty() { String::new() } else { format!("; also {}", others.join(", ")) };
        format!("{first}{others}")
    };
    let red = cell
        .is_red()
        .then(|| format!("fails {} of {}: {}", cell.failed.len(), cell.judged, listed(&cell.failed)));
    let beyond = (!cell.beyond.is_empty()).then(|| format!("† {}", listed(&cell.beyond)));
    red.into_iter().chain(beyond).collect::<Vec<_>>().join("; ")
}
