//! The verdict as Markdown, to be pasted into an issue.

use std::fmt::Write;

use measure::table::{Cell, Column, Table};
use suite::document::Document;
use suite::missing::takes;
use suite::remedies;

use super::{Judged, bytes, first_line};
use crate::markdown;

/// The most lines of bytes.
const BYTES: usize = 12;

/// The verdict: a table of the four questions, what to mend first with its bytes, and what was not judged.
pub fn markdown(run: &Document) -> String {
    let mut text = String::new();
    for server in &run.servers {
        if let Some(error) = &server.error {
            let _ = writeln!(text, "Not judged: {error}");
            continue;
        }
        let judged = Judged::of(run, server);
        let mut table = Table::new("", "question", ["answer", "not with"].map(Column::words));
        for reply in &judged.replies {
            let failed: Vec<String> = reply.failed.iter().map(|row| format!("`{}`", row.id)).collect();
            let says: Vec<_> = [Some(reply.says()), reply.left_out()].into_iter().flatten().collect();
            let cells = [says.join("; "), failed.join(" ")].map(Cell::plain);
            table.line(reply.question.heading(), cells.into());
        }
        text += &markdown::table_of_markup(&table);
        if let Some((row, scenario)) = judged.first {
            let _ = writeln!(text, "\n**Mend first: `{}`**\n", row.id);
            let remedy = remedies::of(scenario.id).unwrap_or_default();
            let is = first_line(&row.observed);
            for (word, told) in
                [("should", scenario.promise), ("is", is), ("cause", scenario.wrong), ("remedy", remedy)]
            {
                if !told.is_empty() {
                    let _ = writeln!(text, "- {word}: {told}");
                }
            }
            let _ = writeln!(text, "\n```text\n{}\n```", bytes(row, BYTES).join("\n"));
        }
        let (errors, missing) = judged.unjudged();
        if !missing.is_empty() || !errors.is_empty() {
            text += "\nNot judged:\n\n";
        }
        if let Some(error) = errors.first() {
            let _ = writeln!(text, "- {} scenarios: {}", errors.len(), first_line(&error.observed));
        }
        for one in missing {
            let _ = writeln!(text, "- {} scenarios need `{}`: {}", one.scenarios, one.need, takes(one.need));
        }
        let others: Vec<String> = judged.others().iter().map(|row| format!("`{}`", row.id)).collect();
        if !others.is_empty() {
            let _ = writeln!(text, "\nFailed besides: {}", others.join(", "));
        }
    }
    let _ = writeln!(text, "\nJudged by `{}`.", shown(&run.command));
    text
}

/// The words of a command as a shell takes them.
fn shown(words: &[String]) -> String {
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}
