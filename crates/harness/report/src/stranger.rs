//! The verdict on a server that is not of the list, on one screen: the four questions, what to mend first, and what was
//! not judged.

use suite::document::{Document, Row, Server};
use suite::missing::{Missing, takes};
use suite::questions::{self, Reply};
use suite::remedies;
use suite::runner::STDERR;
use suite::scenario::Scenario;
use suite::scenarios;
use suite::verdict::Verdict;
use testbed::adapters::Question;
use testbed::capability::Capability;

use crate::terminal::render::wrap;

mod markdown;

pub use markdown::markdown;

/// The most lines of the screen; what is said on stderr meanwhile has a place on it too.
pub const LINES: usize = 36;
/// The widest line.
const WIDTH: usize = 100;
/// The most lines of bytes, and the fewest.
const BYTES: (usize, usize) = (8, 3);
/// The most things that are lacking and told with what they take.
const LACKS: usize = 2;
/// The columns of a word before a sentence.
const WORD: usize = 8;

/// True when a run asked one of the four questions, so that there is something to answer.
pub fn is_asked(run: &Document) -> bool {
    let set = scenarios::select(questions::SET).unwrap_or_default();
    run.results.iter().any(|row| set.iter().any(|scenario| scenario.id == row.id))
}

/// The verdict for people; `color` adds ANSI colors.
pub fn screen(run: &Document, color: bool) -> String {
    let mut lines = Vec::new();
    for server in &run.servers {
        if let Some(error) = &server.error {
            lines.extend(sentence("", &format!("not judged: {error}"), 4));
            continue;
        }
        let judged = Judged::of(run, server);
        let (head, tail) = (judged.answers(color), judged.rest());
        let mut mend = judged.mend(color);
        if let Some((row, _)) = judged.first {
            let room = LINES.saturating_sub(3 + head.len() + mend.len() + tail.len());
            mend.extend(bytes(row, room.clamp(BYTES.1, BYTES.0)));
        }
        lines.extend([head, mend, tail].concat());
    }
    lines.truncate(LINES - 3);
    lines.push(String::new());
    lines.extend(counts(run));
    lines.join("\n") + "\n"
}

/// One server's rows and what they answer.
pub(crate) struct Judged<'a> {
    rows: Vec<&'a Row>,
    pub(crate) replies: Vec<Reply<'a>>,
    /// The failure to mend first, in the order of the questions, but what a client does that leaves comes last.
    pub(crate) first: Option<(&'a Row, &'static Scenario)>,
}

impl<'a> Judged<'a> {
    pub(crate) fn of(run: &'a Document, server: &Server) -> Self {
        let rows: Vec<&Row> = run.results.iter().filter(|row| row.server == server.name).collect();
        let replies = questions::replies(&rows);
        // A server that is not there at all fails the gate, which is of no question.
        let gate = rows.iter().copied().find(|row| row.id == scenarios::GATE && row.verdict == Verdict::Fail);
        // A client that waits and is let down comes before work that goes on for a client that has left.
        let harmed = replies.iter().filter(|reply| reply.question != Question::Disconnect);
        let of_set = harmed.chain(&replies).flat_map(|reply| &reply.failed).next().copied();
        let beyond = replies.iter().flat_map(|reply| &reply.beyond).next().copied();
        let other = rows.iter().copied().find(|row| row.verdict == Verdict::Fail && row.attempts > 0);
        let first = gate.or(of_set).or(other).or(beyond);
        let first = first.and_then(|row| {
            Some((row, scenarios::all().into_iter().find(|scenario| scenario.id == row.id)?))
        });
        Self { rows, replies, first }
    }

    /// Returns the failures that make no answer a no: of the first question, and of the other areas.
    pub(crate) fn others(&self) -> Vec<&'a Row> {
        let told: Vec<&str> =
            self.replies.iter().flat_map(|reply| &reply.failed).map(|row| row.id.as_str()).collect();
        let is_other = |row: &&Row| row.verdict == Verdict::Fail && !told.contains(&row.id.as_str());
        self.rows.iter().copied().filter(is_other).collect()
    }

    /// Returns what was not judged because the harness could not, with its first reason, and what the server lacks.
    pub(crate) fn unjudged(&self) -> (Vec<&'a Row>, Vec<Missing>) {
        let rows = self.replies.iter().flat_map(|reply| reply.unjudged.iter().copied());
        let (errors, lacking): (Vec<&Row>, Vec<&Row>) = rows.partition(|row| row.verdict == Verdict::Error);
        let mut missing = Missing::of(lacking);
        // A witness is all that the first style takes.
        if missing.iter().any(|one| one.need == Capability::Witness) {
            missing.retain(|one| one.need != Capability::StyleContext);
        }
        (errors, missing)
    }

    /// A line for each question, and the ways in which the answer is no.
    fn answers(&self, color: bool) -> Vec<String> {
        let mut lines = Vec::new();
        for reply in &self.replies {
            let says = reply.says();
            let paint = match says.as_str() {
                "yes" => "32",
                "not judged" => "33",
                _ => "31",
            };
            let shown = if color { format!("\x1b[{paint}m{says}\x1b[0m") } else { says };
            let left_out = reply.left_out().map(|left_out| format!(" ({left_out})")).unwrap_or_default();
            lines.push(format!("{:<36}{shown}{left_out}", reply.question.heading()));
            lines.extend(ways(&reply.failed));
        }
        lines
    }

    /// The lines of the first thing to mend, without its bytes.
    fn mend(&self, color: bool) -> Vec<String> {
        let Some((row, scenario)) = self.first else { return Vec::new() };
        let (bold, plain) = if color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        let mut lines = vec![String::new(), format!("{bold}Mend first: {}{plain}", row.id)];
        lines.extend(sentence("should:", scenario.promise, 2));
        lines.extend(sentence("is:", first_line(&row.observed), 2));
        lines.extend(sentence("cause:", scenario.wrong, 2));
        lines.extend(sentence("remedy:", remedies::of(scenario.id).unwrap_or_default(), 3));
        lines
    }

    /// The scenarios that were not judged, the means to judge them, and the other failures.
    fn rest(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let (errors, missing) = self.unjudged();
        if let Some(error) = errors.first() {
            let told = first_line(&error.observed);
            lines.extend(sentence("", &format!("Not judged: {} scenarios; {told}", errors.len()), 2));
        }
        if !missing.is_empty() {
            lines.push("Not judged, and what it would take:".to_owned());
        }
        for one in missing.iter().take(LACKS) {
            let count = format!("{} need `{}`: {}", one.scenarios, one.need, takes(one.need));
            lines.extend(sentence("", &format!("  {count}"), 2));
        }
        if let Some(others) = missing.get(LACKS..).filter(|others| !others.is_empty()) {
            let others: Vec<_> =
                others.iter().map(|one| format!("`{}` ({})", one.need, one.scenarios)).collect();
            lines.extend(sentence("", &format!("  the others: {}", others.join(", ")), 1));
        }
        let others: Vec<&str> = self.others().iter().map(|row| row.id.as_str()).collect();
        if !others.is_empty() {
            lines.extend(sentence("", &format!("Failed besides: {}", others.join(", ")), 2));
        }
        if !lines.is_empty() {
            lines.insert(0, String::new());
        }
        lines
    }
}

/// The names of the ways in which the answer is no, in up to two lines.
fn ways(failed: &[&Row]) -> Vec<String> {
    const ROOM: usize = 2 * WIDTH - 40;
    let mut shown = String::new();
    for (index, row) in failed.iter().enumerate() {
        let name = row.id.split_once('/').map_or(row.id.as_str(), |(_, slug)| slug);
        if shown.len() + name.len() > ROOM {
            shown += &format!(" and {} more", failed.len() - index);
            break;
        }
        shown += &format!("{} {name}", if index > 0 { "," } else { "" });
    }
    if shown.is_empty() { Vec::new() } else { sentence("", &format!("  not with{shown}"), 2) }
}

/// The lines of a trace that hold bytes and heartbeats: the first that were sent, and the last.
pub(crate) fn bytes(row: &Row, most: usize) -> Vec<String> {
    // A second attempt shows the same again.
    let attempt = row.trace.iter().position(|line| line.starts_with("attempt ")).unwrap_or(row.trace.len());
    let is_wire = |line: &&String| !line.starts_with(STDERR) && !line.starts_with("census ");
    let lines: Vec<&str> =
        row.trace[..attempt].iter().filter(is_wire).flat_map(|line| line.lines()).collect();
    let shown = |line: &&str| cut(&format!("  | {}", line.trim_start()));
    if lines.len() <= most {
        return lines.iter().map(shown).collect();
    }
    let (head, tail) = (&lines[..most / 2], &lines[lines.len() + 1 + most / 2 - most..]);
    let gap = format!("  | ({} lines left out)", lines.len() - head.len() - tail.len());
    head.iter().map(shown).chain([gap]).chain(tail.iter().map(shown)).collect()
}

/// The last lines: how many verdicts of which kind, and where the rest is.
fn counts(run: &Document) -> Vec<String> {
    let counts: Vec<_> =
        run.counts(None).iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    let more =
        "`lab explain ID` tells more of one, `--trace DIR` keeps every byte, `--format json` has every row.";
    sentence("", &format!("{}. {more}", counts.join(", ")), 2)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The line, cut where it is too wide.
fn cut(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    let short: String = line.chars().take(WIDTH - 1).collect();
    short + "…"
}

/// A sentence behind a word, in at most so many lines; nothing when it is empty.
fn sentence(word: &str, text: &str, most: usize) -> Vec<String> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let indent = if word.is_empty() { text.len() - text.trim_start().len() } else { WORD + 2 };
    let mut lines: Vec<String> = wrap(text, &" ".repeat(indent)).lines().map(str::to_owned).collect();
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = cut(&format!("{last} …"));
        }
    }
    if let (Some(first), false) = (lines.first_mut(), word.is_empty()) {
        *first = format!("  {word:<WORD$}{}", first.trim_start());
    }
    lines.iter().map(|line| cut(line)).collect()
}

#[cfg(test)]
mod tests;
