//! The query parameters of each endpoint.

use std::time::{Duration, Instant};

use crate::{Refusal, duration, limits};

/// The style of the code under a deadline: the lab's first axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Waits for its next tick or for its context, whichever is first.
    Context,
    /// Knows no context; abandoned at the deadline in the runtime's own way.
    Drop,
    /// Spawned, its handle dropped or detached; knows no context.
    Detached,
    /// On the blocking pool, sleeping; knows no context.
    Blocking,
    /// On the blocking pool, asks its context at every tick.
    Polling,
    /// On the executor, burns CPU and never yields.
    Spin,
    /// Needs more than the server's own time.
    Outside(Outside),
}

/// Resources of work that are not the server's own: a dropped future gives none of them back by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// One of the permits, of which there are as many as flagged; with it, works as `context` does.
    Permit,
    /// A child process, which is killed and reaped when its request ends.
    Process,
    /// A child process that nobody kills: the trap.
    ProcessUnkilled,
    /// Another server, which is asked to do the work with what is left of the budget.
    Upstream,
    /// A query to the database, which is canceled when its request ends.
    Query,
    /// A query that nobody cancels, on a connection that is closed: the trap.
    QueryDropped,
}

/// The handler's use of the request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyUse {
    /// Reads it to its end before the work starts.
    Read,
    /// Holds it unread until the answer is made.
    Ignore,
    /// Drops it at once.
    Drop,
}

/// The parameters of `/slow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slow {
    /// The length of the work when nothing stops it.
    pub work: Duration,
    /// The style of the work.
    pub style: Style,
    /// The length of one unit of work.
    pub tick: Duration,
    /// The handler's use of the request's body.
    pub body: BodyUse,
    /// The number of servers that the request of style `upstream` still passes: 1 is the last that asks another.
    pub hops: u32,
}

/// The parameters of `/panic`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panic {
    /// The resource that the handler has taken when it panics.
    pub outside: Option<Outside>,
}

/// The parameters of `/stream`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The number of chunks of the body.
    pub chunks: u32,
    /// The time from one chunk to the next.
    pub every: Duration,
}

/// The parameters of `/fanout`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fanout {
    /// The number of children of the group.
    pub width: u32,
    /// The length of each child's work.
    pub work: Duration,
    /// The child that fails after its first tick.
    pub fail: Option<u32>,
    /// The length of one unit of work.
    pub tick: Duration,
}

/// The length of the work, and of one unit of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks {
    /// All of it.
    pub work: Duration,
    /// One unit.
    pub tick: Duration,
}

impl Ticks {
    /// The instants at which the units of work begun at `start` end; the last may be shorter.
    ///
    /// They are counted from the start and not from one another, so a timer's lateness does not add up.
    pub fn from(self, start: Instant) -> impl Iterator<Item = Instant> + Send {
        let mut done = Duration::ZERO;
        std::iter::from_fn(move || {
            (done < self.work).then(|| {
                done = (done + self.tick).min(self.work);
                start + done
            })
        })
    }
}

impl Slow {
    /// The units of its work.
    #[must_use]
    pub fn ticks(&self) -> Ticks {
        Ticks { work: self.work, tick: self.tick }
    }

    pub(crate) fn read(query: &str) -> Result<Self, Refusal> {
        let mut params = Params::of(query, &["work", "style", "tick", "body", "hops"])?;
        let hops = params.optional_number("hops", 1, limits::HOPS)?;
        let slow = Self {
            work: params.duration("work", WORK, Duration::ZERO)?,
            style: params.one_of("style", Style::Context, STYLES)?,
            tick: params.duration("tick", TICK, limits::TICK)?,
            body: params.one_of("body", BodyUse::Read, BODY_USES)?,
            hops: hops.unwrap_or(1),
        };
        if hops.is_some() && slow.style != Style::Outside(Outside::Upstream) {
            return Err(refuse("hops", "is of style `upstream` alone"));
        }
        Ok(slow)
    }
}

impl Panic {
    /// The units of the work that a process does meanwhile: as long as that of `/slow`.
    #[must_use]
    pub fn ticks(&self) -> Ticks {
        self.slow().ticks()
    }

    /// The request to an upstream meanwhile.
    #[must_use]
    pub fn slow(&self) -> Slow {
        Slow { work: WORK, style: Style::Context, tick: TICK, body: BodyUse::Read, hops: 1 }
    }

    pub(crate) fn read(query: &str) -> Result<Self, Refusal> {
        let mut params = Params::of(query, &["style"])?;
        Ok(Self { outside: params.one_of("style", None, OUTSIDE)? })
    }
}

impl Stream {
    /// Its chunks as units of work.
    #[must_use]
    pub fn ticks(&self) -> Ticks {
        Ticks { work: self.every * self.chunks, tick: self.every }
    }

    pub(crate) fn read(query: &str) -> Result<Self, Refusal> {
        let mut params = Params::of(query, &["chunks", "every"])?;
        Ok(Self {
            chunks: params.number("chunks", 10, 0, limits::CHUNKS)?,
            every: params.duration("every", Duration::from_millis(100), limits::TICK)?,
        })
    }
}

impl Fanout {
    /// The units of work of child number `child`; the one that is to fail does so after its first.
    #[must_use]
    pub fn ticks(&self, child: u32) -> Ticks {
        let work = if self.fail == Some(child) { self.tick } else { self.work };
        Ticks { work, tick: self.tick }
    }

    pub(crate) fn read(query: &str) -> Result<Self, Refusal> {
        let mut params = Params::of(query, &["width", "work", "fail", "tick"])?;
        let width = params.number("width", 4, 1, limits::WIDTH)?;
        Ok(Self {
            width,
            work: params.duration("work", Duration::from_millis(100), Duration::ZERO)?,
            fail: params.optional_number("fail", 0, width - 1)?,
            tick: params.duration("tick", TICK, limits::TICK)?,
        })
    }
}

/// Checks that `query` has no parameter at all.
pub(crate) fn none(query: &str) -> Result<(), Refusal> {
    Params::of(query, &[]).map(drop)
}

/// The length of the work of a `/slow`, unless said.
const WORK: Duration = Duration::from_secs(5);
/// The length of one unit of work, unless said.
const TICK: Duration = Duration::from_millis(10);

const STYLES: &[(&str, Style)] = &[
    ("context", Style::Context),
    ("drop", Style::Drop),
    ("detached", Style::Detached),
    ("blocking", Style::Blocking),
    ("polling", Style::Polling),
    ("spin", Style::Spin),
    ("permit", Style::Outside(Outside::Permit)),
    ("process", Style::Outside(Outside::Process)),
    ("process-unkilled", Style::Outside(Outside::ProcessUnkilled)),
    ("upstream", Style::Outside(Outside::Upstream)),
    ("query", Style::Outside(Outside::Query)),
    ("query-dropped", Style::Outside(Outside::QueryDropped)),
];

const OUTSIDE: &[(&str, Option<Outside>)] = &[
    ("permit", Some(Outside::Permit)),
    ("process", Some(Outside::Process)),
    ("process-unkilled", Some(Outside::ProcessUnkilled)),
    ("upstream", Some(Outside::Upstream)),
    ("query", Some(Outside::Query)),
    ("query-dropped", Some(Outside::QueryDropped)),
];

const BODY_USES: &[(&str, BodyUse)] =
    &[("read", BodyUse::Read), ("ignore", BodyUse::Ignore), ("drop", BodyUse::Drop)];

/// The parameters of one query, none of them unknown or given twice.
struct Params(Vec<(&'static str, String)>);

impl Params {
    fn of(query: &str, known: &[&'static str]) -> Result<Self, Refusal> {
        let mut params: Vec<(&'static str, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let Some(known) = known.iter().find(|known| **known == name) else {
                return Err(refuse(printable(&name), "is unknown"));
            };
            if params.iter().any(|(seen, _)| seen == known) {
                return Err(refuse(*known, "is given more than once"));
            }
            params.push((known, value.into_owned()));
        }
        Ok(Self(params))
    }

    fn take(&mut self, name: &'static str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn duration(
        &mut self,
        name: &'static str,
        default: Duration,
        least: Duration,
    ) -> Result<Duration, Refusal> {
        let Some(text) = self.take(name) else { return Ok(default) };
        let value = duration::parse(&text).map_err(|problem| refuse(name, problem))?;
        if (least..=limits::WORK).contains(&value) {
            Ok(value)
        } else {
            Err(refuse(name, format!("is out of range: it takes {least:?} to 1h")))
        }
    }

    fn number(&mut self, name: &'static str, default: u32, least: u32, most: u32) -> Result<u32, Refusal> {
        Ok(self.optional_number(name, least, most)?.unwrap_or(default))
    }

    fn optional_number(&mut self, name: &'static str, least: u32, most: u32) -> Result<Option<u32>, Refusal> {
        let Some(text) = self.take(name) else { return Ok(None) };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = if digits { text.parse().ok() } else { None };
        match value.filter(|value| (least..=most).contains(value)) {
            Some(value) => Ok(Some(value)),
            None => Err(refuse(name, format!("takes a whole number from {least} to {most}"))),
        }
    }

    fn one_of<T: Copy>(
        &mut self,
        name: &'static str,
        default: T,
        choices: &[(&'static str, T)],
    ) -> Result<T, Refusal> {
        let Some(text) = self.take(name) else { return Ok(default) };
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return Ok(*value);
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        Err(refuse(name, format!("takes one of {}", words.join(", "))))
    }
}

fn refuse(name: impl Into<String>, problem: impl Into<String>) -> Refusal {
    Refusal::Parameter { name: name.into(), problem: problem.into() }
}

/// An unknown name as an answer may repeat it: at most 40 characters, none of them a control character.
fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_has_the_documented_defaults() {
        let slow = Slow::read("").expect("an empty query is well formed");
        let work = Duration::from_secs(5);
        let tick = Duration::from_millis(10);
        assert_eq!(slow, Slow { work, style: Style::Context, tick, body: BodyUse::Read, hops: 1 });
    }

    #[test]
    fn every_style_is_read() {
        for (word, style) in STYLES {
            assert_eq!(Slow::read(&format!("style={word}")).map(|slow| slow.style), Ok(*style));
        }
    }

    #[test]
    fn a_panic_takes_every_style_that_is_outside_and_no_other() {
        for (word, style) in STYLES {
            let panic = Panic::read(&format!("style={word}"));
            match style {
                Style::Outside(outside) => assert_eq!(panic, Ok(Panic { outside: Some(*outside) })),
                _ => assert!(panic.is_err(), "{word}"),
            }
        }
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        for (query, name) in [
            ("work=", "work"),
            ("work=5", "work"),
            ("work=61m", "work"),
            ("work=-1s", "work"),
            ("tick=0s", "tick"),
            ("tick=999us", "tick"),
            ("style=lazy", "style"),
            ("body=eat", "body"),
            ("hops=2", "hops"),
            ("style=upstream&hops=0", "hops"),
            ("style=upstream&hops=9", "hops"),
            ("work=1s&work=1s", "work"),
            ("wrok=1s", "wrok"),
            ("work", "work"),
        ] {
            let refused = Slow::read(query).expect_err(query);
            assert!(matches!(&refused, Refusal::Parameter { name: named, .. } if named == name), "{refused}");
        }
    }

    #[test]
    fn the_limits_themselves_are_taken() {
        assert!(Slow::read("work=1h&tick=1ms").is_ok());
        assert!(Stream::read("chunks=10000&every=1ms").is_ok());
        assert!(Fanout::read("width=1000&fail=999").is_ok());
    }

    #[test]
    fn one_past_a_limit_is_refused() {
        for refused in [Stream::read("chunks=10001").is_err(), Fanout::read("width=1001").is_err()] {
            assert!(refused);
        }
        assert!(Fanout::read("width=3&fail=3").is_err());
        assert!(Fanout::read("width=0").is_err());
    }

    #[test]
    fn a_hostile_name_is_not_reflected_raw() {
        let refused = none("%0d%0aX-Evil=1").expect_err("no parameter is known");
        assert!(!refused.to_string().contains(['\r', '\n']), "{refused}");
    }

    #[test]
    fn ticks_end_on_a_grid_and_the_last_is_cut() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let ends: Vec<_> = Ticks { work: ms(25), tick: ms(10) }.from(start).map(|end| end - start).collect();
        assert_eq!(ends, [ms(10), ms(20), ms(25)]);
        assert_eq!(Ticks { work: Duration::ZERO, tick: ms(10) }.from(start).count(), 0);
    }
}
