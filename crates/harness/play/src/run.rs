//! One experiment under way: the client that sends and disconnects, and the eye on the work.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use testbed::server::Server;
use testbed::witness::{Witness, Word};
use wire::trace::Trace;
use wire::{Leave, Wire};

use crate::event::{Ended, Failed, Judged, Moved, Over as Told};
use crate::experiment::{Client, Experiment, word};
use crate::hub::Hub;
use crate::stand::{Pair, Stand};
use crate::verdict::{Over, Seen, Verdict};

/// The pause between two looks: a picture a frame.
const STEP: Duration = Duration::from_millis(16);
/// The time after the last moment at which the work could have ended by itself for which it is watched.
const WATCH: Duration = Duration::from_secs(5);

/// The orders that a person gives to a running experiment.
#[derive(Debug, Default)]
pub(crate) struct Orders(Mutex<Option<Leave>>);

impl Orders {
    /// Has the client disconnect.
    pub(crate) fn leave(&self, way: Leave) {
        *self.0.lock() = Some(way);
    }

    fn take(&self) -> Option<Leave> {
        self.0.lock().take()
    }
}

/// Runs an experiment to its end, and tells every page of each step.
pub(crate) fn run(id: u64, experiment: &Experiment, stand: &Stand, orders: &Orders, hub: &Hub) {
    let _busy = stand.busy();
    let pair = stand.pair();
    let watched = Run::start(id, experiment, &pair).and_then(|mut run| run.watch(experiment, orders, hub));
    if let Err(says) = watched {
        hub.send("failed", &Failed { id, says });
    }
}

/// The state of an experiment.
struct Run<'a> {
    id: u64,
    name: String,
    server: &'a Server,
    /// The ears of the server, and of its upstream; each with how much was heard.
    witnesses: Vec<(&'a Witness, usize)>,
    sent_at: Instant,
    until: Instant,
    /// The client's connection, as long as it is read.
    wire: Option<Wire>,
    /// Units of work that began and have not ended.
    open: usize,
    seen: Seen,
}

impl<'a> Run<'a> {
    fn start(id: u64, experiment: &Experiment, pair: &'a Pair) -> Result<Self, String> {
        let server = &pair.server;
        let heard = [Some(server), pair.upstream.as_ref()].into_iter().flatten();
        let witnesses = heard.filter_map(|server| Some((server.witness()?, 0))).collect();
        let longest = experiment.work.max(experiment.deadline.unwrap_or_default());
        let until = Instant::now() + longest + WATCH;
        let name = format!("play-{id}");
        let said = |error: wire::Error| error.to_string();
        let mut wire = Wire::connect(server.address(), until, &Trace::default()).map_err(said)?;
        let sent_at = wire.send_request(&experiment.request(&name)).map_err(said)?;
        let seen = Seen { deadline: experiment.deadline, ..Seen::default() };
        Ok(Self { id, name, server, witnesses, sent_at, until, wire: Some(wire), open: 0, seen })
    }

    fn watch(&mut self, experiment: &Experiment, orders: &Orders, hub: &Hub) -> Result<(), String> {
        let mut leaves = match experiment.client {
            Client::Waits => None,
            Client::Leaves(way, after) => Some((way, self.sent_at + after)),
        };
        let mut said: Option<Verdict> = None;
        loop {
            if let Some(way) = orders.take() {
                leaves = Some((way, Instant::now()));
            }
            self.client(&mut leaves)?;
            self.listen();
            let now = self.sent_at.elapsed();
            hub.send("moved", &self.moved(now));
            let verdict = self.seen.verdict(now);
            let settled = self.seen.is_settled(now);
            if settled || verdict.map(kind) != said.map(kind) {
                if let Some(verdict) = verdict {
                    hub.send("judged", &Judged { id: self.id, settled, words: verdict.words() });
                }
                said = verdict;
            }
            if settled {
                return Ok(());
            }
            if let Some(why) = self.server.died() {
                return Err(why);
            }
            if self.server.ended().is_some() {
                return Err("the server was started afresh: its work ended with its process".to_owned());
            }
            if Instant::now() >= self.until {
                return Err("the work was not seen to end in the time that it is watched".to_owned());
            }
        }
    }

    /// Plays the client for one step.
    fn client(&mut self, leaves: &mut Option<(Leave, Instant)>) -> Result<(), String> {
        let step = Instant::now() + STEP;
        let Some(wire) = self.wire.take() else {
            std::thread::sleep(STEP);
            return Ok(());
        };
        let is_waiting = self.seen.over.is_none();
        if let Some((way, at)) = leaves.filter(|(_, at)| is_waiting && *at <= step) {
            self.wire = Some(wire);
            self.read(at)?;
            let Some(wire) = self.wire.take().filter(|_| self.seen.over.is_none()) else { return Ok(()) };
            *leaves = None;
            let (left_at, rest) = way.act(wire);
            self.seen.over = Some((Over::Left(way), left_at - self.sent_at));
            self.seen.half_open = rest.is_some();
            self.wire = rest;
            return Ok(());
        }
        // A killed client that had shut down its sending half before resets or closes now.
        if !is_waiting && let Some((way, _)) = leaves.take() {
            if way == Leave::HalfClose {
                self.wire = Some(wire);
            } else {
                way.act(wire);
                self.seen.half_open = false;
            }
            return Ok(());
        }
        self.wire = Some(wire);
        self.read(step)
    }

    /// Reads what has come until then: an answer, or the end of the connection.
    fn read(&mut self, until: Instant) -> Result<(), String> {
        let Some(mut wire) = self.wire.take() else { return Ok(()) };
        wire.fill(until).map_err(|error| error.to_string())?;
        if wire.buffered().is_empty() && !wire.is_over() {
            self.wire = Some(wire);
            return Ok(());
        }
        let at = |instant: Instant| instant.saturating_duration_since(self.sent_at);
        let came = match wire.answer() {
            Ok(answer) => (Over::Answered(answer.status()), at(answer.first_byte_at)),
            Err(_) => (Over::Unanswered, at(Instant::now())),
        };
        if self.seen.over.is_none() {
            self.seen.over = Some(came);
        } else if let (Over::Answered(status), at) = came {
            self.seen.served = Some((status, at));
        }
        self.seen.half_open = false;
        Ok(())
    }

    /// Hears what the work has said since the last time, here and upstream.
    fn listen(&mut self) {
        let mut news = Vec::new();
        for (witness, heard) in &mut self.witnesses {
            let more = witness.events_from(&self.name, *heard);
            *heard += more.len();
            news.extend(more);
        }
        news.sort_by_key(|(at, _)| *at);
        for (at, heard) in news {
            let at = at.saturating_duration_since(self.sent_at);
            match heard {
                Word::Start => {
                    self.open += 1;
                    self.seen.began.get_or_insert(at);
                    self.seen.ended = None;
                }
                Word::Beat(_) => self.seen.beats.push(at),
                end => {
                    self.open = self.open.saturating_sub(1);
                    self.seen.ended = (self.open == 0).then_some((end, at));
                }
            }
        }
    }

    fn moved(&self, now: Duration) -> Moved {
        let ms = |time: Duration| (time.as_secs_f64() * 1e4).round() / 10.0;
        let over = self.seen.over.map(|(over, at)| {
            let how = match (over, self.seen.served) {
                (Over::Left(way), Some((status, _))) => format!("{}, then answered {status}", word(way)),
                (Over::Left(way), None) => word(way).to_owned(),
                (Over::Answered(status), _) => status.to_string(),
                (Over::Unanswered, _) => "no answer".to_owned(),
            };
            Told { how, at: ms(at) }
        });
        let vain = match self.seen.over {
            Some((_, over)) => self.seen.beats.iter().rev().take_while(|beat| **beat > over).count(),
            None => 0,
        };
        Moved {
            id: self.id,
            at: ms(now),
            over,
            began: self.seen.began.map(ms),
            last: self.seen.beats.last().copied().map(ms),
            beats: self.seen.beats.len(),
            vain,
            ended: self.seen.ended.map(|(how, at)| Ended { how: how.to_string(), at: ms(at) }),
        }
    }
}

/// The kind of a verdict, without its figures.
fn kind(verdict: Verdict) -> &'static str {
    verdict.words().kind
}
