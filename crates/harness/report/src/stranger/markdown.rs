//! The verdict as Markdown, to be pasted into an issue.

use std::fmt::Write;

use suite::document::Document;
use suite::missing::takes;
use suite::remedies;

use super::{Judged, bytes, first_line};

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
        text += "| question | answer | not with |\n|---|---|---|\n";
        for reply in &judged.replies {
            let failed: Vec<String> = reply.failed.iter().map(|row| format!("`{}`", row.id)).collect();
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                reply.question.heading(),
                [Some(reply.says()), reply.left_out()].into_iter().flatten().collect::<Vec<_>>().join("; "),
                failed.join(" ")
            );
        }
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
    let _ = writeln!(text, "\nJudged by `{}`.", run.command.join(" "));
    text
}
