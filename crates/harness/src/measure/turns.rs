//! Takes the turns of a plan: one server at a time, each turn on a fresh process.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::overshoot::{self, Overshoot};
use super::plan::{Plan, STYLES, order};
use super::storm::{self, Storm};
use super::tail::{self, Life};
use crate::server::Server;
use crate::subject::Subject;
use crate::verdict::Failure;

/// Everything measured, sample by sample.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// Two for each server: one request at a time, and many at once.
    pub overshoot: Vec<Overshoot>,
    /// A life for each server, style and turn.
    pub tails: Vec<Life>,
    /// A storm for each server, style and turn.
    pub storms: Vec<Storm>,
    /// What could not be measured.
    pub gaps: Vec<Gap>,
}

/// A turn that brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The server.
    pub server: String,
    /// What was to be measured.
    pub what: String,
    /// True when the server does not claim to support it.
    pub unsupported: bool,
    /// What happened instead.
    pub why: String,
}

/// How many turns there are in all.
pub fn count(plan: &Plan, servers: usize) -> usize {
    servers * (2 * plan.overshoot.turns + plan.tail.turns + plan.storm.styles.len() * plan.storm.turns)
}

/// Takes every turn; `note` hears of the server and what is measured, before each.
pub fn take(plan: &Plan, subjects: &[Subject], note: &mut dyn FnMut(&str, &str)) -> Measured {
    let mut measured = Measured::default();
    for (at_once, deadline) in
        [(1, plan.overshoot.alone_deadline), (plan.overshoot.at_once, plan.overshoot.at_once_deadline)]
    {
        let first = measured.overshoot.len();
        measured.overshoot.extend(subjects.iter().map(|s| Overshoot::new(s.name(), at_once, deadline)));
        let what = format!("overshoot, {at_once} at once");
        for index in order(subjects.len(), plan.overshoot.turns) {
            note(subjects[index].name(), &what);
            let samples = seated(plan, &subjects[index], &[], |server| match at_once {
                1 => overshoot::alone(server, plan.overshoot.alone, deadline),
                many => overshoot::at_once(server, many, deadline),
            });
            match samples {
                Ok(samples) => measured.overshoot[first + index].add(&samples),
                Err(failure) => measured.gap(&subjects[index], &what, &failure),
            }
        }
    }
    for (taken, index) in order(subjects.len(), plan.tail.turns).into_iter().enumerate() {
        let subject = &subjects[index];
        note(subject.name(), "tails");
        let styles: Vec<&'static str> =
            STYLES.iter().copied().filter(|style| subject.supports(&format!("style:{style}"))).collect();
        let turn = taken / subjects.len();
        let lives = seated(plan, subject, &["witness"], |server| {
            tail::watch(server, subject.name(), &styles, &plan.tail, turn)
        });
        match lives {
            Ok(lives) => measured.tails.extend(lives),
            Err(failure) => measured.gap(subject, "tails", &failure),
        }
    }
    for style in &plan.storm.styles {
        let (what, needs) = (format!("storm, {style}"), ["admin", "process", &format!("style:{style}")]);
        for (taken, index) in order(subjects.len(), plan.storm.turns).into_iter().enumerate() {
            let subject = &subjects[index];
            note(subject.name(), &what);
            let turn = taken / subjects.len();
            let storm = seated(plan, subject, &needs, |server| {
                storm::watch(server, subject.name(), style, &plan.storm, turn)
            });
            match storm {
                Ok(storm) => measured.storms.push(storm),
                Err(failure) => measured.gap(subject, &what, &failure),
            }
        }
    }
    measured
}

/// Starts a server of its own for one turn.
fn seated<T>(
    plan: &Plan,
    subject: &Subject,
    needs: &[&str],
    turn: impl FnOnce(&Server) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let Some(need) = needs.iter().find(|need| !subject.supports(need)) {
        return Err(Failure::unsupported(format!("lacks {need}")));
    }
    let flags: Vec<_> = plan.flags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let server = subject.start(&flags, None).map_err(Failure::harness)?;
    turn(&server).map_err(|failure| match server.died() {
        Some(death) => Failure::broken(format!("{}; {death}", failure.text())),
        None => failure,
    })
}

impl Measured {
    fn gap(&mut self, subject: &Subject, what: &str, failure: &Failure) {
        let gap = Gap {
            server: subject.name().to_owned(),
            what: what.to_owned(),
            unsupported: matches!(failure, Failure::Unsupported(_)),
            why: failure.text().to_owned(),
        };
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    /// The tails of one server and style, in the order of turns.
    pub fn tails_of(&self, server: &str, style: &str) -> Vec<&Life> {
        self.tails.iter().filter(|life| life.server == server && life.style == style).collect()
    }

    /// The storms of one server and style, in the order of turns.
    pub fn storms_of(&self, server: &str, style: &str) -> Vec<&Storm> {
        self.storms.iter().filter(|storm| storm.server == server && storm.style == style).collect()
    }

    /// How many answers came before their deadline.
    pub fn early(&self) -> usize {
        self.overshoot.iter().map(|overshoot| overshoot.early).sum()
    }
}
