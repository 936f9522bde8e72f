//! The conclusion of a run: a few labeled sentences that need no other text, each made from the run's own records.

use measure::disconnect::{ACTIONS, Heard};
use measure::registry;
use measure::results::Results;
use measure::storm::{Storm, summary as storms};
use measure::table::Tone;
use measure::text::{list, megabytes, number, span};
use measure::zombie::summary::{self, worst};
use measure::zombie::{Fate, STYLES};
use suite::document::{Gap, Status};
use suite::verdict::Verdict;

mod advice;
mod names;

use names::Names;

/// One labeled sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The grade of what it says.
    pub tone: Tone,
    /// The label: a word or two.
    pub label: String,
    /// The sentence.
    pub text: String,
}

/// The length of a conclusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Every server is named.
    Full,
    /// Costs are not compared.
    Short,
    /// And of a long list of servers the first are named, or those that it leaves out.
    Shortest,
}

/// The heading above the conclusion.
pub const TITLE: &str = "In short: does the work stop when its request times out, or its client leaves?";

/// Returns the conclusion of a run.
pub fn points(results: &Results, length: Length) -> Vec<Point> {
    let names = Names::of(results, length);
    let mut points: Vec<Point> = failed(results, &names).into_iter().collect();
    if results.measured.zombie.is_empty() {
        points.extend(otherwise(results, length));
    } else {
        points.extend(fates(results, &names));
    }
    points.extend(cost(results, length));
    points.extend(disconnects(results, &names));
    points.extend(not_run(results));
    points.extend(advice::of(results, length));
    points
}

/// The labels of the points that a conclusion can do without, the one that says most first.
pub const SPARE: [&str; 5] = ["cost", "stopped", "no 504", "late", "asked"];

fn point(tone: Tone, label: &str, text: String) -> Point {
    Point { tone, label: label.to_owned(), text }
}

/// The checks that failed and were not expected to.
fn failed(results: &Results, names: &Names<'_>) -> Option<Point> {
    const SHOWN: usize = 3;
    let misses = results.misses();
    let red: Vec<_> = misses
        .iter()
        .filter(|(_, row)| row.attempts > 0 && (row.verdict.is_red() || row.verdict == Verdict::Error))
        .collect();
    let first: Vec<String> =
        red.iter().take(SHOWN).map(|(who, row)| format!("{} on {}", row.id, names.plain(who))).collect();
    let more = match red.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let what = if red.len() == 1 { "1 check".to_owned() } else { format!("{} checks", red.len()) };
    (!red.is_empty()).then(|| {
        point(Tone::Bad, "failed", format!("{what} without being expected to: {}{more}.", first.join(", ")))
    })
}

/// The fates of work longer than its deadline: what was asked, what ran on, what was late, what stopped.
fn fates(results: &Results, names: &Names<'_>) -> Vec<Point> {
    let plan = &results.plan.zombie;
    let asked = format!(
        "{}: {} of work, a {} deadline, {} of code.",
        names.whole(),
        brief(plan.work_ms),
        brief(plan.deadline_ms),
        names.styles()
    );
    let mut points = vec![point(Tone::Plain, "asked", asked)];
    let of = |wanted: fn(Fate) -> Option<f64>| Group::of(results, wanted);
    let zombies = of(|fate| match fate {
        Fate::Zombie(ms) | Fate::Endless(ms) => Some(ms),
        _ => None,
    });
    let endless = !of(|fate| matches!(fate, Fate::Endless(_)).then_some(0.0)).styles.is_empty();
    if !zombies.styles.is_empty() {
        let more = if endless { ", and longer" } else { "" };
        let text = format!(
            "up to {} after the 504{more}, for nobody (zombies): {}.",
            span(zombies.longest),
            zombies.said(names)
        );
        points.push(point(Tone::Bad, "ran on", text));
    }
    let held = of(|fate| if let Fate::HeldAnswer(ms) = fate { Some(ms) } else { None });
    if !held.styles.is_empty() {
        let text =
            format!("the 504 itself, up to {} after the deadline: {}.", span(held.longest), held.said(names));
        points.push(point(Tone::Odd, "late", text));
    }
    let ended = of(|fate| if let Fate::Stopped(ms) = fate { Some(ms) } else { None });
    let above = zombies.pairs().chain(held.pairs()).collect();
    let stopped = Group { stopped: true, above, ..ended };
    if !stopped.styles.is_empty() {
        let text = format!("within {}: {}.", span(stopped.longest.max(1.0)), stopped.said(names));
        points.push(point(Tone::Good, "stopped", text));
    }
    points.extend(unanswered(results, names));
    points.extend(unseen(results));
    points
}

/// Returns a length of the plan, as `300 ms` or `3 s`.
fn brief(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { format!("{} s", ms as f64 / 1e3) }
}

/// The servers whose work could not be watched, and why.
fn unseen(results: &Results) -> Option<Point> {
    let is_seen = |name: &str| results.measured.zombie.iter().any(|life| life.server == name);
    let of = |gap: &&Gap| gap.what.starts_with("zombie") && !is_seen(&gap.server);
    let gaps: Vec<&Gap> = results.measured.gaps.iter().filter(of).collect();
    let first = gaps.first()?;
    let mut who: Vec<&str> = gaps.iter().map(|gap| gap.server.as_str()).collect();
    who.dedup();
    let why = if first.unsupported {
        "its work sends no heartbeats; docs/own-server.md shows how to send them"
    } else {
        first.why.trim_end_matches('.')
    };
    Some(point(Tone::Odd, "not seen", format!("whether work stops on {}: {why}.", list(&who))))
}

/// The servers that gave no 504, and the work that no heartbeat was heard of.
fn unanswered(results: &Results, names: &Names<'_>) -> Option<Point> {
    let others = summary::others(results);
    let mut told: Vec<String> =
        others.iter().map(|(said, who)| format!("{said} from {}", names.plain(who))).collect();
    let unheard = Group::of(results, |fate| matches!(fate, Fate::Unborn).then_some(0.0));
    if told.is_empty() && !unheard.styles.is_empty() {
        told.push("of some work no start was heard".to_owned());
    }
    (!told.is_empty()).then(|| point(Tone::Odd, "no 504", told.join("; ") + "."))
}

/// The styles whose worst fate is of one kind, those of the same servers together.
struct Group<'a> {
    styles: Vec<(Vec<&'static str>, Vec<&'a str>)>,
    longest: f64,
    /// True when the fate is that the work stopped.
    stopped: bool,
    /// The work that points above have named: its style and its server.
    above: Vec<(&'static str, &'a str)>,
}

impl<'a> Group<'a> {
    fn of(results: &'a Results, wanted: fn(Fate) -> Option<f64>) -> Self {
        let mut group = Self { styles: Vec::new(), longest: 0.0, stopped: false, above: Vec::new() };
        for style in STYLES {
            let length = |name: &str| wanted(worst(results, name, style)?);
            let who: Vec<_> =
                results.names().into_iter().filter_map(|name| Some((name, length(name)?))).collect();
            group.longest = who.iter().map(|(_, ms)| *ms).fold(group.longest, f64::max);
            let who: Vec<&str> = who.into_iter().map(|(name, _)| name).collect();
            if who.is_empty() {
                continue;
            }
            match group.styles.iter_mut().find(|(_, have)| *have == who) {
                Some((styles, _)) => styles.push(style),
                None => group.styles.push((vec![style], who)),
            }
        }
        // Most servers first.
        group.styles.sort_by_key(|(_, who)| std::cmp::Reverse(who.len()));
        group
    }

    /// Returns each style with each of its servers.
    fn pairs(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        let pair = |(styles, who): &(Vec<&'static str>, Vec<&'a str>)| {
            let who = who.clone();
            styles
                .clone()
                .into_iter()
                .flat_map(move |style| who.clone().into_iter().map(move |name| (style, name)))
        };
        self.styles.iter().flat_map(pair)
    }

    /// Returns the groups with those of the same words as one, of the servers that are in both.
    fn merged(&self) -> Vec<(Vec<&'static str>, Vec<&'a str>)> {
        let mut merged: Vec<(Vec<&'static str>, Vec<&str>)> = Vec::new();
        for (styles, who) in &self.styles {
            let is_same = |(have, _): &&mut (Vec<&'static str>, Vec<&str>)| {
                [&have[..], styles]
                    .concat()
                    .iter()
                    .all(|style| summary::noun(style, true) == summary::noun(styles[0], true))
            };
            match merged.iter_mut().find(is_same) {
                Some((have, both)) => {
                    have.extend(styles);
                    both.retain(|name| who.contains(name));
                }
                None => merged.push((styles.clone(), who.clone())),
            }
        }
        merged.retain(|(_, who)| !who.is_empty());
        merged
    }

    /// Returns true when all other work of these styles, on the servers that are not among `who`, has been named already.
    fn is_rest(&self, styles: &[&'static str], who: &[&str], names: &Names<'_>) -> bool {
        let is_named =
            |style: &'static str, name: &&str| who.contains(name) || self.above.contains(&(style, *name));
        let all = |style: &&'static str| names.all().iter().all(|name| is_named(style, name));
        who.len() > 1 && !self.above.is_empty() && styles.iter().all(all)
    }

    fn said(&self, names: &Names<'_>) -> String {
        let noun = |style: &str| summary::noun(style, self.stopped);
        let bracketed = |same: &[&'static str]| match same {
            // A noun that begins with the name of its style needs no brackets.
            [style] if noun(style).starts_with(style) => noun(style).to_owned(),
            same => format!("{} ({})", noun(same[0]), same.join(", ")),
        };
        let clause = |(styles, who): &(Vec<&'static str>, Vec<&str>)| {
            // Styles with the same words share them.
            let work: Vec<String> = styles.chunk_by(|a, b| noun(a) == noun(b)).map(bracketed).collect();
            let work: Vec<&str> = work.iter().map(String::as_str).collect();
            match names.said(who) {
                said if said.is_empty() => list(&work),
                said if !self.is_rest(styles, who, names) => {
                    format!("{} on {said}", list(&work))
                }
                _ if who.len() == names.all().len() => list(&work),
                _ => format!("all other {}", list(&work)),
            }
        };
        let is_merged = self.stopped && names.length == Length::Shortest;
        let merged = if is_merged { self.merged() } else { self.styles.clone() };
        merged.iter().map(clause).collect::<Vec<_>>().join("; ")
    }
}

/// The cost of a storm: what it took on the server with the most work left, beside the one that needed least at the same load.
fn cost(results: &Results, length: Length) -> Option<Point> {
    let style = results.plan.storm.styles.iter().find(|style| !storms::shown(results, style).is_empty())?;
    let shown = storms::shown(results, style);
    let by_cost = |storm: &&&Storm| (storm.left_behind(), storm.more_threads());
    // Of several that are alike, the first.
    let (most, least) = (shown.iter().rev().max_by_key(by_cost)?, shown.iter().min_by_key(by_cost)?);
    let requests = most.requests as u64;
    let took = |storm: &Storm| {
        let left = match storm.left_behind() {
            0 => "none ran on".to_owned(),
            left => {
                let left = if left == requests { format!("all {requests}") } else { number(left) };
                let longest = storm
                    .quiesce_ms()
                    .map_or("beyond the watch".to_owned(), |ms| format!("for {}", span(ms)));
                format!("{left} ran on {longest}")
            }
        };
        let took = if shown.len() > 1 { format!("{} took ", storm.server) } else { String::new() };
        format!("{took}{}, {} more memory, and {left}", storm.threads_taken(), megabytes(storm.grown()))
    };
    let mut text = format!("{} timeouts at once: {}", number(requests), took(most));
    if by_cost(&most) != by_cost(&least) && length == Length::Full {
        text += &format!("; {}", took(least));
    }
    let tone = if most.left_behind() > 0 { Tone::Bad } else { Tone::Good };
    Some(point(tone, "cost", text + "."))
}

/// The servers on which work stopped when its client disconnected, and those on which it ran on.
fn disconnects(results: &Results, names: &Names<'_>) -> Option<Point> {
    let (mut heard, mut deaf, mut longest) = (Vec::new(), Vec::new(), 0.0_f64);
    for name in results.names() {
        let ways = ACTIONS.iter().filter_map(|action| results.measured.heard_of(name, action.name));
        let ways: Vec<Heard> = ways.collect();
        let missed = ways.iter().filter(|way| way.canceled < way.tries).count();
        match (ways.is_empty(), missed) {
            (true, _) => {}
            (_, 0) => {
                heard.push(name);
                longest = ways.iter().map(|way| way.worst_ms).fold(longest, f64::max);
            }
            (_, missed) => deaf.push((missed, ways.len(), name)),
        }
    }
    let (mut clauses, is_deaf) = (Vec::new(), !deaf.is_empty());
    if !heard.is_empty() {
        let who = names.said(&heard);
        let on = if who.is_empty() { String::new() } else { format!(" on {who}") };
        let whose = if names.length == Length::Shortest { "the" } else { "the request's" };
        clauses.push(format!(
            "when it leaves, {whose} context is canceled within {}{on}",
            span(longest.max(1.0))
        ));
    }
    deaf.sort_by_key(|(missed, of, _)| (*of, std::cmp::Reverse(*missed)));
    if names.length == Length::Shortest && deaf.len() > 1 {
        clauses.push(deaf_of_many(&deaf, heard.len(), names));
        deaf.clear();
    }
    for group in deaf.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let who: Vec<&str> = group.iter().map(|(_, _, name)| *name).collect();
        let (missed, of, _) = group[0];
        clauses.push(format!(
            "on {} the work runs to its end for nobody in {missed} of {of} ways to leave",
            names.plain(&who)
        ));
    }
    let tone = if is_deaf { Tone::Bad } else { Tone::Good };
    (!clauses.is_empty()).then(|| point(tone, "client", clauses.join("; ") + "."))
}

/// Returns in how many ways of leaving the work ran on, the servers taken together: each with the ways that its server missed,
/// and the ways that it was asked.
fn deaf_of_many(deaf: &[(usize, usize, &str)], heard: usize, names: &Names<'_>) -> String {
    let missed = || deaf.iter().map(|(missed, ..)| *missed);
    let (least, most) = (missed().min().unwrap_or(0), missed().max().unwrap_or(0));
    let of = deaf.iter().map(|(_, of, _)| *of).max().unwrap_or(0);
    let who: Vec<&str> = deaf.iter().map(|(_, _, name)| *name).collect();
    // The others have just been named.
    let who = match heard > 0 && heard + who.len() == names.all().len() {
        true => format!("the other {}", who.len()),
        false => names.said(&who),
    };
    let missed = if least == most { most.to_string() } else { format!("{least} to {most}") };
    format!("on {who} the work runs on in {missed} of {of} ways to leave")
}

/// The points of a run that did not watch work: its checks, and the first sentence of each measurement.
fn otherwise(results: &Results, length: Length) -> Vec<Point> {
    let mut points = Vec::new();
    points.extend(unseen(results));
    if !results.plan.asked().contains(&"zombie") {
        let text = "whether work stops; this run measured other things.".to_owned();
        points.push(point(Tone::None, "not asked", text));
    }
    let judged = results.results.iter().filter(|row| row.attempts > 0).count();
    if judged > 0 {
        points.push(point(Tone::Plain, "checks", crate::matrix::summary(results)));
    }
    let most = if length == Length::Full { 6 } else { 3 };
    let told =
        registry::tables(results).into_iter().filter(|(name, _)| !["storm", "disconnect"].contains(name));
    let first = |(name, tables): (&str, Vec<measure::table::Table>)| {
        let sentence = tables.iter().flat_map(|table| &table.sentences).find(|one| !one.is_empty())?;
        Some(point(Tone::Plain, name, sentence.clone()))
    };
    points.extend(told.filter_map(first).take(most));
    points
}

/// The servers that were not run.
fn not_run(results: &Results) -> Option<Point> {
    let missing: Vec<&str> = results
        .servers
        .iter()
        .filter(|server| server.status != Status::Ran)
        .map(|server| server.name.as_str())
        .collect();
    (!missing.is_empty()).then(|| {
        let text = format!("{}; the reasons stand below.", list(&missing));
        point(Tone::Odd, "not run", text)
    })
}

#[cfg(test)]
mod tests;
