//! The fate of work in words, the one place of them: a label for cells and bars, a sentence for each style, and the
//! headline of a run.

use super::{Fate, Life, STYLES};
use crate::registry::Measured;
use crate::results::Results;
use crate::table::{Cell, Table, Tone};
use crate::text::{list, range, span, those};

/// Returns the behavior of a style's work, to follow "work that".
pub fn style(style: &str) -> &'static str {
    match style {
        "context" => "waits for its next tick or its context, whichever is first",
        "drop" => "knows no context and is abandoned at the deadline, in the runtime's own way",
        "polling" => "blocks a thread and asks its context at every tick",
        "detached" => "knows no context and was spawned and let go",
        "blocking" => "knows no context and blocks a thread",
        "spin" => "burns CPU and never yields",
        _ => "is of a kind of its own",
    }
}

/// Returns the work of a style that stopped, or did not, as a noun, for a reader who does not know the style's name. A noun
/// that begins with that name needs no brackets.
pub fn noun(style: &str, stopped: bool) -> &'static str {
    match style {
        "context" | "polling" if !stopped => "work that should ask its context",
        "context" => "work that asks its context",
        "drop" => "dropped work",
        "polling" => "work that asks its context",
        "detached" => "spawned tasks",
        "blocking" => "blocking calls",
        "spin" => "CPU loops",
        _ => "other work",
    }
}

impl Fate {
    /// Orders fates: their kind counts first, and the longer is the worse.
    pub fn severity(self) -> f64 {
        const KIND: f64 = 1e9;
        match self {
            Self::Stopped(ms) => ms,
            Self::HeldAnswer(ms) => KIND + ms,
            Self::Unborn => 2.0 * KIND,
            Self::NoTimeout => 3.0 * KIND,
            Self::Zombie(ms) => 4.0 * KIND + ms,
            Self::Endless(ms) => 5.0 * KIND + ms,
        }
    }

    /// Returns its length.
    fn ms(self) -> f64 {
        match self {
            Self::Stopped(ms) | Self::HeldAnswer(ms) | Self::Zombie(ms) | Self::Endless(ms) => ms,
            Self::Unborn | Self::NoTimeout => 0.0,
        }
    }

    /// Returns its grade.
    pub fn tone(self) -> Tone {
        match self {
            Self::Stopped(_) => Tone::Good,
            Self::Zombie(_) | Self::Endless(_) => Tone::Bad,
            Self::HeldAnswer(_) | Self::NoTimeout => Tone::Odd,
            Self::Unborn => Tone::None,
        }
    }
}

impl Life {
    /// Returns the fate of the work, in a few words: the one wording for cells, bars and labels.
    pub fn label(&self, zombie_ms: f64) -> String {
        match (self.fate(zombie_ms), self.status) {
            (Fate::Stopped(_), _) => "stopped".to_owned(),
            (Fate::Zombie(ms), _) => format!("zombie {}", span(ms)),
            (Fate::Endless(ms), _) => format!("zombie > {}", span(ms)),
            (Fate::HeldAnswer(ms), Some(status)) => format!("{status} late by {}", span(ms)),
            (Fate::HeldAnswer(ms), None) => format!("closed, late by {}", span(ms)),
            (Fate::Unborn, _) => "no start heard".to_owned(),
            (Fate::NoTimeout, Some(status)) => format!("{status}, no 504"),
            (Fate::NoTimeout, None) => "no answer".to_owned(),
        }
    }
}

impl Measured {
    /// The worst life of a server's work in a style; `None` when none was measured.
    pub fn worst_of(&self, server: &str, style: &str, zombie_ms: f64) -> Option<&Life> {
        let by = |a: &&Life, b: &&Life| a.fate(zombie_ms).severity().total_cmp(&b.fate(zombie_ms).severity());
        self.lives_of(server, style).into_iter().max_by(by)
    }
}

/// The worst fate of a server's work in a style; `None` when it was not measured.
pub fn worst(results: &Results, server: &str, style: &str) -> Option<Fate> {
    let limit = results.limits.zombie_ms;
    Some(results.measured.worst_of(server, style, limit)?.fate(limit))
}

/// The fate of a server's work, style by style, as the headline says it.
#[derive(Default, PartialEq)]
struct Claim {
    /// Styles whose work went on after the answer.
    zombies: Vec<&'static str>,
    /// Styles whose work ended with the answer, or before it.
    clean: Vec<&'static str>,
    /// Styles whose requests were not timed out.
    untimed: Vec<&'static str>,
    /// Styles of whose work no start was heard.
    unheard: Vec<&'static str>,
}

impl Claim {
    /// The claim of a server and the longest of its zombies; `None` when nothing was measured of it.
    fn of(results: &Results, server: &str) -> Option<(Self, f64)> {
        let (mut claim, mut longest) = (Self::default(), 0.0_f64);
        for style in STYLES {
            match worst(results, server, style) {
                None => {}
                Some(Fate::Zombie(ms) | Fate::Endless(ms)) => {
                    claim.zombies.push(style);
                    longest = longest.max(ms);
                }
                Some(Fate::Stopped(_) | Fate::HeldAnswer(_)) => claim.clean.push(style),
                Some(Fate::NoTimeout) => claim.untimed.push(style),
                Some(Fate::Unborn) => claim.unheard.push(style),
            }
        }
        (claim != Self::default()).then_some((claim, longest))
    }

    /// The sentence of the servers of which it is true. "No zombies" is said with the styles that were timed out.
    fn say(&self, who: &str, longest: f64) -> String {
        let mut text = match (&self.zombies[..], &self.clean[..]) {
            ([], []) => format!("{who}: no work was timed out, so none could outlive its answer"),
            ([], clean) if clean.len() == STYLES.len() => {
                format!("{who} left no zombies in any style of work")
            }
            ([], clean) => format!("{who} left no zombies in {} work, all that was timed out", list(clean)),
            (zombies, _) => format!(
                "{who} left zombies in {} work: it went on for up to {} after its 504",
                list(zombies),
                span(longest)
            ),
        };
        for (styles, what) in
            [(&self.untimed, "was not timed out"), (&self.unheard, "was not heard to start")]
        {
            if !styles.is_empty() {
                text += &format!("; {} work {what}", list(styles));
            }
        }
        text + "."
    }
}

/// Returns the servers that left zombies, with style and time: the answer to the lab's question.
pub fn headline(results: &Results) -> Vec<String> {
    let names = results.names();
    let mut groups: Vec<(Vec<&str>, Claim, f64)> = Vec::new();
    for (name, (claim, longest)) in names.iter().filter_map(|name| Some((*name, Claim::of(results, name)?))) {
        match groups.iter_mut().find(|(_, have, _)| *have == claim) {
            Some((who, _, most)) => {
                who.push(name);
                *most = most.max(longest);
            }
            None => groups.push((vec![name], claim, longest)),
        }
    }
    groups.sort_by_key(|(_, claim, _)| claim.zombies.is_empty());
    let told = groups.iter().map(|(who, claim, longest)| claim.say(&list(who), *longest));
    let other = |(said, who): (String, Vec<&str>)| format!("{} gave {said} instead of 504.", list(&who));
    told.chain(others(results).into_iter().map(other)).collect()
}

/// Returns the answers at the deadline that were not 504, each with the servers that gave it.
pub fn others(results: &Results) -> Vec<(String, Vec<&str>)> {
    let names = results.names();
    let mut others: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, said) in names.iter().filter_map(|name| Some((*name, otherwise(results, name)?))) {
        match others.iter_mut().find(|(alike, _)| *alike == said) {
            Some((_, who)) => who.push(name),
            None => others.push((said, vec![name])),
        }
    }
    others
}

/// Returns a description of a server's answer at the deadline, when it is not 504.
fn otherwise(results: &Results, server: &str) -> Option<String> {
    let lives = results.measured.zombie.iter().filter(|life| life.server == server);
    let mut said: Vec<String> = lives
        .filter(|life| life.status != Some(504))
        .map(|life| life.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string()))
        .collect();
    said.sort();
    said.dedup();
    (!said.is_empty()).then(|| said.join(" and "))
}

/// Returns the fate of the work in one style, and the reason; servers of one fate share a clause.
pub fn sentence(results: &Results, style: &str) -> Option<String> {
    let limit = results.limits.zombie_ms;
    let names = results.names();
    let worst = |name: &&'_ str| results.measured.worst_of(name, style, limit);
    let mut fates: Vec<(&str, Fate, bool)> = names
        .iter()
        .filter_map(|name| worst(name).map(|life| (*name, life.fate(limit), life.status.is_none())))
        .collect();
    let everybody = fates.len();
    let mut clauses = Vec::new();
    while let Some((_, first, silent)) = fates.first().copied() {
        let alike = |(_, fate, silence): &(&str, Fate, bool)| {
            let both_held = matches!((fate, first), (Fate::HeldAnswer(_), Fate::HeldAnswer(_)));
            std::mem::discriminant(fate) == std::mem::discriminant(&first)
                && (!both_held || *silence == silent)
        };
        let (found, rest): (Vec<_>, Vec<_>) = fates.into_iter().partition(alike);
        fates = rest;
        let who: Vec<&str> = found.iter().map(|(name, ..)| *name).collect();
        clauses.push((first.order(), clause(style, first, silent, &those(&who, everybody), &found)));
    }
    clauses.sort_by_key(|(order, _)| *order);
    let clauses: Vec<String> = clauses.into_iter().map(|(_, clause)| clause).collect();
    (everybody > 0).then(|| format!("{style}: {}.", clauses.join("; ")))
}

impl Fate {
    /// The place of its kind in a sentence.
    fn order(self) -> usize {
        match self {
            Self::Stopped(_) => 0,
            Self::Zombie(_) => 1,
            Self::Endless(_) => 2,
            Self::HeldAnswer(_) => 3,
            Self::Unborn => 4,
            Self::NoTimeout => 5,
        }
    }
}

/// The clause of the servers that share a fate.
fn clause(style: &str, fate: Fate, silent: bool, who: &str, found: &[(&str, Fate, bool)]) -> String {
    let lengths = || found.iter().map(|(_, fate, _)| fate.ms());
    let (length, most) = (range(lengths(), span), span(lengths().fold(0.0, f64::max)));
    let what = match fate {
        Fate::Stopped(_) => format!("stopped on {who}, at most {most} after the answer"),
        Fate::Zombie(_) => format!("a zombie on {who}, for {length} after the answer"),
        Fate::Endless(_) => format!("still running on {who} after {length}, when the lab stopped watching"),
        Fate::HeldAnswer(_) if silent => {
            format!("ran to its end on {who}, {length} past the timeout, and was closed without an answer")
        }
        Fate::HeldAnswer(_) => format!("nothing could interrupt it on {who}, and the 504 came {length} late"),
        Fate::Unborn => format!("on {who} no heartbeat said that it started"),
        Fate::NoTimeout => format!("on {who} the request was not timed out"),
    };
    match because(style, fate) {
        "" => what,
        why => format!("{what} ({why})"),
    }
}

/// Returns the reason why work of a style ends as it did; empty where the fate explains itself.
fn because(style: &str, fate: Fate) -> &'static str {
    match (style, fate) {
        ("drop", Fate::Stopped(_)) => "a future that is dropped gets no further than its last await",
        ("drop", Fate::Zombie(_) | Fate::Endless(_)) => "nothing stops a thread or a goroutine from outside",
        ("detached", Fate::Zombie(_) | Fate::Endless(_)) => {
            "it was given no context, and its handle was let go"
        }
        ("blocking", Fate::Zombie(_) | Fate::Endless(_)) => "a blocked thread never looks at its context",
        ("spin", Fate::Zombie(_) | Fate::Endless(_)) => {
            "another thread answers, and the loop never looks at its context"
        }
        ("spin", Fate::HeldAnswer(_)) => {
            "the loop keeps the thread on which the timeout would have been seen"
        }
        ("spin", Fate::NoTimeout) => {
            "the loop ends before the clock is looked at, so its work counts as done in time"
        }
        ("context" | "polling", Fate::Stopped(_)) => "it asks its context",
        _ => "",
    }
}

/// Servers by styles: whether the work stopped, and if not, for how long it went on.
pub(super) fn tables(results: &Results) -> Vec<Table> {
    let limit = results.limits.zombie_ms;
    let mut table = Table::new("Does the work stop?", "server", STYLES.iter().copied());
    table.note = "What became of work that was longer than its deadline, by the style in which it is written: how long it \
                  went on after its answer had been read. The worst of all rounds."
        .to_owned();
    let cell = |name: &str, style: &str| {
        let Some(life) = results.measured.worst_of(name, style, limit) else { return Cell::none() };
        let fate = life.fate(limit);
        let more = match fate {
            Fate::Stopped(ms) => format!("\n{}", span(ms)),
            Fate::Zombie(_) | Fate::Endless(_) => format!("\n{} beats", life.beats_after),
            _ => String::new(),
        };
        Cell::new(fate.tone(), life.label(limit) + &more)
    };
    let measured = |name: &&str| results.measured.zombie.iter().any(|life| life.server == **name);
    for name in results.names().into_iter().filter(measured) {
        table.line(name, STYLES.iter().map(|style| cell(name, style)).collect());
    }
    table.sentences = headline(results);
    table.sentences.extend(STYLES.iter().filter_map(|style| sentence(results, style)));
    table.filled().into_iter().collect()
}

#[cfg(test)]
mod tests;
