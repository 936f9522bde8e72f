//! The verdict on the work of one request: a pure function of what was seen.

use std::time::Duration;

use serde::Serialize;
use testbed::witness::Word;
use wire::Leave;

/// The time after the end of its request in which work may still stop: it is told at its next tick, and this machine's other
/// processes delay both.
pub const GRACE: Duration = Duration::from_millis(100);
/// The silence after which work that has said that it ended is believed: a child process beats on when the server has let go of it.
const QUIET: Duration = Duration::from_millis(100);
/// The longest time after the end of its request at which work may begin.
const BEGIN: Duration = Duration::from_millis(300);

/// The end of the client's side of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// It was answered with this status.
    Answered(u16),
    /// The client disconnected.
    Left(Leave),
    /// The server ended the connection without an answer.
    Unanswered,
}

/// The events of one request, as times since it was sent.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The deadline that the client gave.
    pub deadline: Option<Duration>,
    /// The end of the client's side, and its time.
    pub over: Option<(Over, Duration)>,
    /// True while a half-closed connection stays open: its client may still be served.
    pub half_open: bool,
    /// The status and the time of an answer that came after a half-close.
    pub served: Option<(u16, Duration)>,
    /// The beginning of the work.
    pub began: Option<Duration>,
    /// The heartbeats of the work, in their order.
    pub beats: Vec<Duration>,
    /// The end of the work, in its own words.
    pub ended: Option<(Word, Duration)>,
}

/// The outcome of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It ended by itself, and its request was answered.
    Completed,
    /// It stopped no later than this after the end of its request.
    Stopped(Duration),
    /// It goes on, or went on, after the end of its request.
    Zombie {
        /// The time from the end of its request to its last sign of life.
        lasted: Duration,
        /// The heartbeats in that time.
        beats: usize,
    },
    /// It kept the answer back until this long after the deadline.
    Late(Duration),
    /// A client that had shut down its sending half was served.
    Served(u16),
    /// The request was refused with this status, and no work began.
    Refused(u16),
    /// No work began.
    Idle,
    /// The server ended the connection without an answer, and the work with it.
    Lost,
}

impl Seen {
    /// Says what became of the work, `now` since it was sent; `None` while that is open.
    ///
    /// A zombie is called one as soon as it is seen, and again when it has ended.
    pub fn verdict(&self, now: Duration) -> Option<Verdict> {
        let (over, left_at) = self.over?;
        let at = self.served.map_or(left_at, |(_, at)| at);
        if self.half_open && self.ended.is_none() {
            return None;
        }
        if self.began.is_none() {
            return (now > at + BEGIN).then_some(match over {
                Over::Answered(status) if status != 504 => Verdict::Refused(status),
                _ => Verdict::Idle,
            });
        }
        let last = self.last();
        if last > at + GRACE {
            let beats = self.beats.iter().filter(|beat| **beat > at).count();
            return Some(Verdict::Zombie { lasted: last - at, beats });
        }
        if !self.is_quiet(now) {
            return None;
        }
        if let Some((status, _)) = self.served {
            return Some(Verdict::Served(status));
        }
        let late = self.deadline.map_or(Duration::ZERO, |deadline| at.saturating_sub(deadline));
        Some(match over {
            Over::Answered(_) if late > GRACE => Verdict::Late(late),
            Over::Answered(200) => Verdict::Completed,
            Over::Unanswered => Verdict::Lost,
            _ => Verdict::Stopped(last.saturating_sub(at)),
        })
    }

    /// True once nothing more can become of it.
    pub fn is_settled(&self, now: Duration) -> bool {
        self.verdict(now).is_some() && (self.began.is_none() || self.is_quiet(now))
    }

    /// True once the work has said that it ended, and nothing was heard of it since.
    fn is_quiet(&self, now: Duration) -> bool {
        self.ended.is_some() && now > self.last() + QUIET
    }

    /// The last sign of life.
    fn last(&self) -> Duration {
        let ended = self.ended.map(|(_, ended)| ended);
        ended.max(self.beats.last().copied()).unwrap_or_default()
    }
}

/// A verdict as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Words {
    /// One word, which is also its color: `stopped`, `zombie`.
    pub kind: &'static str,
    /// One sentence with the figures.
    pub says: String,
}

impl Verdict {
    /// The verdict in words.
    pub fn words(self) -> Words {
        let ms = |time: Duration| match time.as_secs_f64() * 1e3 {
            under if under < 0.05 => "less than 0.1 ms".to_owned(),
            over if over >= 1e3 => format!("{:.2} s", over / 1e3),
            ms => format!("{ms:.1} ms"),
        };
        let (kind, says) = match self {
            Self::Completed => ("completed", "The work ended in time, and its result was sent.".to_owned()),
            Self::Stopped(after) if after.is_zero() => {
                ("stopped", "The work stopped before its request ended.".to_owned())
            }
            Self::Stopped(after) => {
                ("stopped", format!("The work stopped {} after its request ended.", ms(after)))
            }
            Self::Zombie { lasted, beats } => {
                let units = if beats == 1 { "unit" } else { "units" };
                (
                    "zombie",
                    format!(
                        "{} and {beats} {units} of work after the request ended; the result goes to no client.",
                        ms(lasted)
                    ),
                )
            }
            Self::Late(by) => (
                "late",
                format!("The answer came {} after the deadline: the work let nothing else run.", ms(by)),
            ),
            Self::Served(status) => (
                "served",
                format!(
                    "The server took the half-close for a client that still reads, and answered {status}."
                ),
            ),
            Self::Refused(status) => {
                ("refused", format!("The server refused the request with {status}, and began no work."))
            }
            Self::Idle => ("idle", "The request ended before any work began.".to_owned()),
            Self::Lost => ("lost", "The server ended the connection without an answer.".to_owned()),
        };
        Words { kind, says }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Work that began at 1 ms and beat each 10 ms until it ended, under a deadline of 300 ms.
    fn seen(over: Over, at: u64, word: Word, ended: u64) -> Seen {
        Seen {
            deadline: Some(ms(300)),
            over: Some((over, ms(at))),
            half_open: false,
            served: None,
            began: Some(ms(1)),
            beats: (1..=ended / 10).map(|n| ms(n * 10)).collect(),
            ended: Some((word, ms(ended))),
        }
    }

    #[test]
    fn each_outcome_has_its_verdict() {
        let rst = Over::Left(Leave::Rst);
        for (seen, wanted) in [
            (seen(Over::Answered(504), 301, Word::Canceled, 300), Verdict::Stopped(ms(0))),
            (seen(rst, 100, Word::Canceled, 105), Verdict::Stopped(ms(5))),
            (seen(rst, 100, Word::Completed, 3000), Verdict::Zombie { lasted: ms(2900), beats: 290 }),
            (
                seen(Over::Answered(504), 301, Word::Completed, 3000),
                Verdict::Zombie { lasted: ms(2699), beats: 270 },
            ),
            (seen(Over::Answered(504), 3001, Word::Completed, 3000), Verdict::Late(ms(2701))),
            (seen(Over::Answered(200), 201, Word::Completed, 200), Verdict::Completed),
            (seen(Over::Unanswered, 301, Word::Canceled, 300), Verdict::Lost),
        ] {
            assert_eq!(seen.verdict(ms(5000)), Some(wanted), "{seen:?}");
            assert!(seen.is_settled(ms(5000)));
        }
    }

    #[test]
    fn work_is_called_a_zombie_while_it_still_runs() {
        let mut running = seen(Over::Answered(504), 301, Word::Completed, 380);
        running.ended = None;
        assert_eq!(running.verdict(ms(381)), None, "it may still stop");
        running.beats.extend([ms(390), ms(402)]);
        assert_eq!(running.verdict(ms(403)), Some(Verdict::Zombie { lasted: ms(101), beats: 10 }));
        assert!(!running.is_settled(ms(403)), "its end is to come");
    }

    #[test]
    fn work_that_beats_on_after_its_end_is_a_zombie() {
        let mut seen = seen(Over::Answered(504), 301, Word::Canceled, 300);
        assert_eq!(seen.verdict(ms(390)), None, "it may be heard of again");
        seen.beats.extend((31..=60).map(|n| ms(n * 10)));
        assert_eq!(seen.verdict(ms(601)), Some(Verdict::Zombie { lasted: ms(299), beats: 30 }));
        assert!(!seen.is_settled(ms(601)) && seen.is_settled(ms(701)));
    }

    #[test]
    fn work_that_never_began_is_no_zombie() {
        let none = |status| Seen { over: Some((Over::Answered(status), ms(2))), ..Seen::default() };
        assert_eq!(none(504).verdict(ms(100)), None, "it may still begin");
        assert_eq!(none(504).verdict(ms(400)), Some(Verdict::Idle));
        assert_eq!(none(400).verdict(ms(400)), Some(Verdict::Refused(400)));
    }

    #[test]
    fn a_half_close_that_is_served_is_no_zombie() {
        let mut seen = seen(Over::Left(Leave::HalfClose), 100, Word::Completed, 3000);
        (seen.half_open, seen.ended) = (true, None);
        assert_eq!(seen.verdict(ms(2999)), None, "it may still be served");
        (seen.half_open, seen.ended) = (false, Some((Word::Completed, ms(3000))));
        assert!(matches!(seen.verdict(ms(5000)), Some(Verdict::Zombie { .. })), "nobody was served");
        seen.served = Some((504, ms(3001)));
        assert_eq!(seen.verdict(ms(5000)), Some(Verdict::Served(504)));
    }

    #[test]
    fn a_verdict_in_words_has_its_figures() {
        let says = |verdict: Verdict| verdict.words().says;
        let zombie = says(Verdict::Zombie { lasted: ms(2700), beats: 270 });
        assert!(zombie.starts_with("2.70 s and 270 units of work after the request ended"), "{zombie}");
        assert_eq!(says(Verdict::Stopped(ms(7))), "The work stopped 7.0 ms after its request ended.");
        assert!(says(Verdict::Stopped(Duration::from_micros(3))).contains("less than 0.1 ms"));
        assert_eq!(Verdict::Late(ms(2700)).words().kind, "late");
    }

    #[test]
    fn nothing_is_said_while_the_client_waits() {
        assert_eq!(Seen { began: Some(ms(1)), ..Seen::default() }.verdict(ms(400)), None);
    }
}
