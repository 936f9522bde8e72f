//! The samples of all rounds.

use suite::document::Gap;

use crate::disconnect::{Departure, Heard};
use crate::footprint::Memory;
use crate::interference::Strip;
use crate::leak::Leak;
use crate::overshoot::Overshoot;
use crate::stats::Summary;
use crate::storm::Storm;
use crate::throughput::Fast;
use crate::zombie::{How, Life};

/// Everything measured, sample by sample.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Two for each server: one request at a time, and many at once.
    pub overshoot: Vec<Overshoot>,
    /// A life for each server, style and turn.
    pub tails: Vec<Life>,
    /// Clients that left: some for each server, action and turn.
    pub departures: Vec<Departure>,
    /// A storm for each server, style and turn.
    pub storms: Vec<Storm>,
    /// `/fast` back to back: a row for each server and turn.
    pub throughput: Vec<Fast>,
    /// `/fast` in step with a schedule: a row for each server and turn.
    pub latency: Vec<Fast>,
    /// Requests in step over one second: one for each server and number of requests.
    pub spread: Vec<Overshoot>,
    /// Memory by connections: one for each server, state and turn.
    pub memory: Vec<Memory>,
    /// `/fast` beside a burst: one for each server, burst and turn.
    pub strips: Vec<Strip>,
    /// Storm after storm on one process: one for each server and turn.
    pub leaks: Vec<Leak>,
    /// The measurements that could not be taken.
    pub gaps: Vec<Gap>,
}

impl Measured {
    /// The tails of one server and style, in the order of turns.
    pub fn tails_of(&self, server: &str, style: &str) -> Vec<&Life> {
        self.tails.iter().filter(|life| life.server == server && life.style == style).collect()
    }

    /// Returns the endings of work for one server's clients that disconnected in one way.
    pub fn heard_of(&self, server: &str, action: &str) -> Option<Heard> {
        let wanted = |one: &&Departure| one.server == server && one.action == action;
        Heard::of(self.departures.iter().filter(wanted))
    }

    /// The time to cancel of all of one server's clients that left and were heard, in whichever way, in milliseconds.
    pub fn canceled_of(&self, server: &str) -> Option<Summary> {
        let heard = |one: &&Departure| one.server == server && one.how == Some(How::Canceled);
        Summary::of(self.departures.iter().filter(heard).map(|one| one.last_ms))
    }

    /// The storms of one server and style, in the order of turns.
    pub fn storms_of(&self, server: &str, style: &str) -> Vec<&Storm> {
        self.storms.iter().filter(|storm| storm.server == server && storm.style == style).collect()
    }

    /// Returns the number of answers that came before their deadline.
    pub fn early(&self) -> usize {
        self.overshoot.iter().map(|overshoot| overshoot.early).sum()
    }
}
