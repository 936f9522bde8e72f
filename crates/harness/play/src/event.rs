//! The events that pages receive.

use serde::Serialize;

use crate::stand::Style;
use crate::usage::Usage;
use crate::verdict::Words;

/// The servers and styles to choose from.
#[derive(Debug, Serialize)]
pub(crate) struct Stands<'a> {
    pub(crate) servers: Vec<Standing<'a>>,
    pub(crate) styles: &'a [Style],
    /// The experiments under way; their first events follow.
    pub(crate) running: Vec<u64>,
}

/// A server on show.
#[derive(Debug, Serialize)]
pub(crate) struct Standing<'a> {
    pub(crate) name: &'a str,
    pub(crate) about: &'a str,
    /// The styles of work that it has.
    pub(crate) styles: Vec<&'static str>,
    /// True when it takes a deadline from its client.
    pub(crate) takes_deadline: bool,
}

/// The bars of an experiment, as times in milliseconds since its request was sent.
#[derive(Debug, Serialize)]
pub(crate) struct Moved {
    pub(crate) id: u64,
    /// The time of this event.
    pub(crate) at: f64,
    /// The end of the client's side.
    pub(crate) over: Option<Over>,
    /// The beginning of the work.
    pub(crate) began: Option<f64>,
    /// The last heartbeat so far.
    pub(crate) last: Option<f64>,
    /// Heartbeats so far.
    pub(crate) beats: usize,
    /// Heartbeats after the end of the client's side.
    pub(crate) vain: usize,
    /// The end of the work.
    pub(crate) ended: Option<Ended>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Over {
    pub(crate) how: String,
    pub(crate) at: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Ended {
    pub(crate) how: String,
    pub(crate) at: f64,
}

/// The verdict on an experiment, so far or in the end.
#[derive(Debug, Serialize)]
pub(crate) struct Judged {
    pub(crate) id: u64,
    /// True when nothing more can become of it.
    pub(crate) settled: bool,
    #[serde(flatten)]
    pub(crate) words: Words,
}

/// The process of a server, now.
#[derive(Debug, Serialize)]
pub(crate) struct Used<'a> {
    pub(crate) server: &'a str,
    /// The time of this look, in milliseconds since the first.
    pub(crate) at: f64,
    #[serde(flatten)]
    pub(crate) usage: Usage,
}

/// An experiment that could not be run.
#[derive(Debug, Serialize)]
pub(crate) struct Failed {
    pub(crate) id: u64,
    pub(crate) says: String,
}
