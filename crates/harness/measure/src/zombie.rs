//! Zombie time: the time for which work runs on after its answer, from the work's own heartbeats to the witness.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use suite::document::Series;
use suite::verdict::Failure;
use testbed::capability::Capability;
use testbed::witness::{Witness, Word};
use wire::Request;
use wire::burst::{Burst, Shot};

use crate::measurement::{Measurement, Size, millis};
use crate::registry::Measured;
use crate::results::Results;
use crate::schedule::{Slot, Taker, styled};
use crate::series::{Gathered, Sample};
use crate::stats::ms_between;
use crate::table::Table;

pub mod summary;

/// The styles of work, in the order of every table.
pub const STYLES: &[&str] = &["context", "drop", "polling", "detached", "blocking", "spin"];
/// The style that keeps a processor busy.
const SPIN: &str = "spin";
/// The time for which work is watched past its natural end before it counts as "still running".
const PATIENCE: Duration = Duration::from_secs(3);

/// Requests of each style, and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The deadline.
    pub deadline_ms: u64,
    /// The work that a request asks for, the same in every style.
    pub work_ms: u64,
    /// A unit of work: it beats, and may look at its context, once in this time.
    pub tick_ms: u64,
    /// Requests of each style, per round.
    pub each: usize,
    /// Rounds of each server.
    pub rounds: usize,
}

/// Measures how long work goes on after its answer.
#[derive(Debug)]
pub struct Measure;

impl Measurement for Measure {
    type Record = Life;
    type Plan = Plan;

    const ALIASES: &'static [&'static str] = &["tails"];

    fn plan(size: Size) -> Plan {
        let work_ms = size.pick(1500, 3000, 3000);
        Plan { deadline_ms: 300, work_ms, tick_ms: 10, each: size.pick(1, 1, 2), rounds: 1 }
    }

    fn rounds(plan: &mut Plan) -> Vec<&mut usize> {
        vec![&mut plan.rounds]
    }

    fn run(plan: &Plan, taker: &mut Taker<'_>) -> Vec<Life> {
        // Work that waits leaves the machine to others; work that spins does not.
        let mut waiting = taker.step("", plan.rounds);
        (waiting.abreast, waiting.supports) = (2, vec![Capability::Witness]);
        let mut lives = taker.take(&waiting, |slot| {
            let supported = |style: &&str| *style != SPIN && slot.subject.supports(styled(style));
            watch(slot, &STYLES.iter().copied().filter(supported).collect::<Vec<_>>(), plan)
        });
        let mut spinning = taker.step(SPIN, plan.rounds);
        spinning.supports = vec![Capability::Witness, Capability::StyleSpin];
        // The round before has told what lacks a witness, and spinning is not asked of every server.
        let servers = std::mem::take(&mut spinning.servers).into_iter();
        spinning.servers = servers.filter(|subject| spinning.suits(subject)).collect();
        lives.extend(taker.take(&spinning, |slot| watch(slot, &[SPIN], plan)));
        lives.into_iter().flat_map(|round| round.found).collect()
    }

    fn series(results: &Results) -> Vec<Series> {
        let mut all = Gathered::default();
        let (noise, forgiven) = (results.noise.p99_ms, results.limits.zombie_ms);
        for life in &results.measured.zombie {
            let sample = |what: &str, value| Sample {
                server: &life.server,
                what: format!("{what}, {}", life.style),
                round: life.round,
                value,
            };
            all.less(sample("work after its answer", life.tail_ms()), "ms", forgiven);
            if let Some(series) = all.less(sample("lateness of the answer", life.late_ms()), "ms", noise) {
                series.latency_from = Some(life.deadline_ms);
            }
        }
        all.0
    }

    fn tables(results: &Results) -> Vec<Table> {
        summary::tables(results)
    }
}

impl Measured {
    /// The lives of one server and style, in the order of rounds.
    pub fn lives_of(&self, server: &str, style: &str) -> Vec<&Life> {
        self.zombie.iter().filter(|life| life.server == server && life.style == style).collect()
    }
}

/// One request and the life of its work; times are milliseconds since the request was sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Life {
    /// The server.
    pub server: String,
    /// The style of the work.
    pub style: String,
    /// The number of the round, from 0.
    pub round: usize,
    /// The deadline.
    pub deadline_ms: f64,
    /// The answer's status; none when the connection ended without an answer.
    pub status: Option<u16>,
    /// When the answer had been read, or the connection had ended.
    pub answered_ms: Option<f64>,
    /// When the work said that it began.
    pub started_ms: Option<f64>,
    /// Beats that were heard.
    pub beats: usize,
    /// Those of them after the answer had been read.
    pub beats_after: usize,
    /// The last beat.
    pub last_beat_ms: Option<f64>,
    /// When the work said that it ended; none when it was still running at `watched_ms`.
    pub ended_ms: Option<f64>,
    /// The ending of the work.
    pub how: Option<How>,
    /// The time for which it was watched.
    pub watched_ms: f64,
}

/// The endings of work, in its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum How {
    /// It came to its natural end.
    Completed,
    /// It was stopped before.
    Canceled,
    /// It panicked.
    Panicked,
}

impl How {
    /// The ending that the work told; `None` when it told something else.
    pub fn of(word: Word) -> Option<Self> {
        match word {
            Word::Completed => Some(Self::Completed),
            Word::Canceled => Some(Self::Canceled),
            Word::Panicked => Some(Self::Panicked),
            Word::Start | Word::Beat(_) => None,
        }
    }

    /// The word in reports.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// The fate of one request's work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    /// It stopped, so many milliseconds after the answer (0 when before it).
    Stopped(f64),
    /// It went on for so many milliseconds after the answer.
    Zombie(f64),
    /// It went on past all patience: for at least so many milliseconds.
    Endless(f64),
    /// It went on past its deadline to its natural end, and its own answer waited for it, so many milliseconds.
    HeldAnswer(f64),
    /// It never began.
    Unborn,
    /// The request was answered, and with something else than a timeout, or was not even let go.
    NoTimeout,
}

impl Life {
    /// From when the answer had been read to the last sign of life, below zero when that came before.
    pub fn tail_ms(&self) -> Option<f64> {
        let last = match (self.last_beat_ms, self.ended_ms) {
            (Some(beat), Some(end)) => beat.max(end),
            (beat, end) => end.or(beat)?,
        };
        Some(last - self.answered_ms?)
    }

    /// Returns when the work was last seen alive.
    pub fn alive_ms(&self) -> f64 {
        self.ended_ms.map_or(self.watched_ms, |end| end.max(self.last_beat_ms.unwrap_or(end)))
    }

    /// Returns the lateness of the answer.
    pub fn late_ms(&self) -> Option<f64> {
        Some(self.answered_ms? - self.deadline_ms)
    }

    /// Returns the fate of the work; a zombie time up to `zombie_ms` is forgiven, and so is a lateness of work that ran
    /// to its end.
    pub fn fate(&self, zombie_ms: f64) -> Fate {
        let (Some(answered), Some(late)) = (self.answered_ms, self.late_ms()) else { return Fate::NoTimeout };
        // Some servers say it with 503, and some only close the connection; their work matters as much.
        if !matches!(self.status, Some(503 | 504) | None) {
            return Fate::NoTimeout;
        }
        if self.started_ms.is_none() {
            return Fate::Unborn;
        }
        match (self.ended_ms, self.tail_ms()) {
            (None, _) => Fate::Endless(self.watched_ms - answered),
            (_, Some(tail)) if tail > zombie_ms => Fate::Zombie(tail),
            _ if late > zombie_ms && self.how == Some(How::Completed) => Fate::HeldAnswer(late),
            (_, tail) => Fate::Stopped(tail.unwrap_or(0.0).max(0.0)),
        }
    }

    /// Reads the life out of what the witness heard.
    pub fn read(
        mut self,
        sent_at: Instant,
        answered_at: Option<Instant>,
        events: &[(Instant, Word)],
        until: Instant,
    ) -> Self {
        let since = |at: Instant| ms_between(sent_at, at);
        self.answered_ms = answered_at.map(since);
        self.watched_ms = since(until);
        for (at, word) in events {
            match word {
                Word::Start => self.started_ms = Some(since(*at)),
                Word::Beat(_) => {
                    self.beats += 1;
                    self.beats_after += usize::from(answered_at.is_some_and(|answered| *at > answered));
                    self.last_beat_ms = Some(since(*at));
                }
                end => (self.ended_ms, self.how) = (Some(since(*at)), How::of(*end)),
            }
        }
        self
    }

    /// A request of which nothing is known yet.
    pub fn unknown(server: &str, style: &str, round: usize, deadline: Duration) -> Self {
        Self {
            server: server.to_owned(),
            style: style.to_owned(),
            round,
            deadline_ms: deadline.as_secs_f64() * 1e3,
            ..Self::default()
        }
    }
}

/// Sends `plan.each` requests of each of `styles` side by side, and watches their work to its end.
fn watch(slot: &Slot<'_>, styles: &[&'static str], plan: &Plan) -> Result<Vec<Life>, Failure> {
    let witness = slot.server.witness().ok_or_else(|| Failure::unsupported("no heartbeats"))?;
    let sent =
        |style: &'static str| (0..plan.each).map(move |number| Sent { style, round: slot.round, number });
    let sent: Vec<Sent> = styles.iter().copied().flat_map(sent).collect();
    // A spinning request takes a processor from the others, so each goes alone.
    let at_once = if styles == [SPIN] { 1 } else { sent.len().max(1) };
    let groups = sent.chunks(at_once).map(|sent| group(slot, witness, sent, plan));
    Ok(groups.collect::<Result<Vec<_>, _>>()?.concat())
}

/// One request of a round.
#[derive(Debug, Clone, Copy)]
struct Sent {
    style: &'static str,
    round: usize,
    number: usize,
}

impl Sent {
    fn id(&self) -> String {
        format!("zombie-{}-{}-{}", self.round, self.style, self.number)
    }
}

/// Sends these requests at once and waits for the end of their work.
fn group(slot: &Slot<'_>, witness: &Witness, sent: &[Sent], plan: &Plan) -> Result<Vec<Life>, Failure> {
    let request = |sent: &Sent| {
        let (work, tick) = (plan.work_ms, plan.tick_ms);
        let target = format!("/slow?style={}&work={work}ms&tick={tick}ms", sent.style);
        Request::get(target).timeout(millis(plan.deadline_ms)).id(sent.id())
    };
    let give_up_at = Instant::now() + millis(plan.work_ms) + PATIENCE;
    let mut storm = Burst::launch(slot.server.address(), sent.iter().map(request).collect(), give_up_at)?;
    storm.drive(give_up_at)?;
    for one in sent {
        witness.wait_end(&one.id(), give_up_at.saturating_duration_since(Instant::now()));
    }
    let until = Instant::now();
    let life = |(sent, shot): (&Sent, &Shot)| {
        let mut life = Life::unknown(slot.subject.name(), sent.style, sent.round, millis(plan.deadline_ms));
        life.status = shot.status();
        life.read(shot.sent_at, shot.done_at, &witness.events(&sent.id()), until)
    };
    Ok(sent.iter().zip(storm.shots()).map(life).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A life of work that began at once: answered, its beats, its end.
    fn life(answered: u64, beats: &[u64], end: Option<(u64, Word)>) -> Life {
        let sent_at = Instant::now();
        let at = |ms: u64| sent_at + Duration::from_millis(ms);
        let mut events = vec![(at(0), Word::Start)];
        events.extend(beats.iter().zip(1..).map(|(ms, number)| (at(*ms), Word::Beat(number))));
        events.extend(end.map(|(ms, word)| (at(ms), word)));
        let mut life = Life::unknown("x", "drop", 0, Duration::from_millis(300));
        life.status = Some(504);
        life.read(sent_at, Some(at(answered)), &events, at(6000))
    }

    #[test]
    fn work_that_goes_on_to_its_natural_end_is_a_zombie() {
        let life = life(301, &[100, 2999], Some((3000, Word::Completed)));
        assert_eq!(life.fate(25.0), Fate::Zombie(2699.0));
        assert_eq!((life.beats, life.beats_after, life.how), (2, 1, Some(How::Completed)));
    }

    #[test]
    fn work_that_ends_with_its_answer_has_stopped() {
        assert_eq!(life(301, &[300], Some((302, Word::Canceled))).fate(25.0), Fate::Stopped(1.0));
        assert_eq!(life(301, &[290], Some((300, Word::Canceled))).fate(25.0), Fate::Stopped(0.0));
    }

    #[test]
    fn a_beat_after_the_end_is_life_too() {
        assert_eq!(life(301, &[900], Some((302, Word::Canceled))).fate(25.0), Fate::Zombie(599.0));
    }

    #[test]
    fn work_without_an_end_is_censored_and_not_left_out() {
        assert_eq!(life(301, &[5990], None).fate(25.0), Fate::Endless(5699.0));
    }

    #[test]
    fn an_answer_that_waits_for_its_work_is_no_zombie_but_late() {
        assert_eq!(life(901, &[890], Some((900, Word::Completed))).fate(25.0), Fate::HeldAnswer(601.0));
    }

    #[test]
    fn a_late_answer_of_a_busy_machine_is_not_blamed_on_the_work() {
        assert_eq!(life(340, &[330], Some((339, Word::Canceled))).fate(25.0), Fate::Stopped(0.0));
    }

    #[test]
    fn a_server_that_times_out_in_another_way_has_zombies_too() {
        let mut life = life(301, &[2999], Some((3000, Word::Completed)));
        for status in [Some(503), None] {
            life.status = status;
            assert_eq!(life.fate(25.0), Fate::Zombie(2699.0));
        }
    }

    #[test]
    fn work_that_never_began_and_requests_that_never_timed_out_are_said_so() {
        let mut unborn = Life::unknown("x", "drop", 0, Duration::from_millis(300));
        (unborn.status, unborn.answered_ms) = (Some(504), Some(301.0));
        assert_eq!(unborn.fate(25.0), Fate::Unborn);
        unborn.status = Some(200);
        assert_eq!(unborn.fate(25.0), Fate::NoTimeout);
    }
}
