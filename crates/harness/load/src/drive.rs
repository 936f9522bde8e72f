//! The readiness loop of one thread.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::time::{ClockId, clock_gettime};

use super::Load;
use super::link::{Asked, Heard, Link};
use super::pace::{Pace, Share};
use super::tally::{Outcome, Sample, Tally};
use crate::Error;

/// Events taken from the kernel at a time.
const EVENTS: usize = 512;
/// Bytes read at a time: more than an answer of the lab has.
const CHUNK: usize = 16 * 1024;

/// The losses in a row after which a server counts as gone, for each connection.
const LOSSES: usize = 16;

/// One thread's connections and its share of the schedule.
pub(super) struct Driver<'a> {
    load: &'a Load,
    request: &'a [u8],
    epoll: OwnedFd,
    links: Vec<Option<Link>>,
    idle: VecDeque<usize>,
    share: Share,
    tally: Tally,
    chunk: Vec<u8>,
    /// Requests lost since the last answer.
    losses: usize,
}

impl<'a> Driver<'a> {
    /// Opens the connections of thread `number` of `of`.
    pub(super) fn open(load: &'a Load, request: &'a [u8], number: usize, of: usize) -> Result<Self, Error> {
        let epoll =
            epoll::create(CreateFlags::CLOEXEC).map_err(|error| Error::new("make an epoll", error))?;
        let mut driver = Self {
            load,
            request,
            epoll,
            links: Vec::new(),
            idle: VecDeque::new(),
            share: Share::new(load.pace, number, of),
            tally: Tally::new(load.keep),
            chunk: vec![0; CHUNK],
            losses: 0,
        };
        for index in 0..(load.connections + of - 1 - number) / of {
            let link = Link::open(load.to).map_err(|error| Error::new("open a connection", error))?;
            driver.watch(&link, index)?;
            driver.links.push(Some(link));
            driver.idle.push_back(index);
        }
        Ok(driver)
    }

    fn watch(&self, link: &Link, index: usize) -> Result<(), Error> {
        let interest = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, &link.stream, EventData::new_u64(index as u64), interest)
            .map_err(|error| Error::new("watch a connection", error))
    }

    /// Keeps the schedule from `begin_at`, then waits for the answers; what is still missing then is censored.
    pub(super) fn run(mut self, begin_at: Instant) -> Result<Tally, Error> {
        // A timer may come this late on purpose, to save wake-ups; a schedule wants it on time. Where the kernel
        // refuses, the send lag in the row says so.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1_000));
        let cpu_before = thread_cpu();
        let over_at = begin_at + self.load.pace.length();
        let give_up_at = over_at + self.load.patience;
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        loop {
            let wake_at = self.send_due(begin_at, over_at).unwrap_or(give_up_at).min(give_up_at);
            let now = Instant::now();
            let waiting = self.tally.in_flight > 0 || self.share.due(begin_at).is_some();
            // A port that refuses every connection would be asked a hundred thousand times a second.
            let gone = self.losses > LOSSES * self.links.len();
            if !waiting || now >= give_up_at || gone || self.links.iter().all(Option::is_none) {
                break;
            }
            let nap = wake_at.saturating_duration_since(now).min(Duration::from_secs(60));
            let nap = Timespec { tv_sec: nap.as_secs() as i64, tv_nsec: i64::from(nap.subsec_nanos()) };
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&nap)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Error::new("wait for connections", error)),
            }
            let woken_at = Instant::now();
            for event in events.drain(..) {
                let (index, flags) = (event.data.u64() as usize, event.flags);
                // An answer that was there at the wake had come by then. In the closed loop the time in which the generator
                // is busy with other connections is the client's own, and part of what it sees.
                let come_by = (flags.contains(EventFlags::IN) && !self.is_closed_loop()).then_some(woken_at);
                self.serve(index, come_by, over_at)?;
            }
        }
        let ended_at = Instant::now();
        self.censor(begin_at, ended_at);
        self.tally.generator_cpu = thread_cpu().saturating_sub(cpu_before);
        self.tally.generator_time = ended_at - begin_at;
        Ok(self.tally)
    }

    /// Sends what is due, as far as there are connections; gives when the next is due, if one can be sent then.
    fn send_due(&mut self, begin_at: Instant, over_at: Instant) -> Option<Instant> {
        while !self.idle.is_empty() {
            let now = Instant::now();
            match self.load.pace {
                Pace::BackToBack { .. } if now >= over_at => return None,
                Pace::BackToBack { .. } => self.send(now, now),
                Pace::AtOnce { .. } => {
                    self.share.due(begin_at)?;
                    self.share.advance();
                    self.send(now, now);
                }
                Pace::Rate { .. } => {
                    let due = self.share.due(begin_at)?;
                    if due > now {
                        return Some(due);
                    }
                    self.share.advance();
                    self.send(due, now);
                }
            }
        }
        None
    }

    fn send(&mut self, intended_at: Instant, sent_at: Instant) {
        let Some(index) = self.idle.pop_front() else { return };
        if let Some(link) = &mut self.links[index] {
            self.tally.sent(intended_at, sent_at);
            link.ask(self.request, intended_at, sent_at);
        }
    }

    /// Writes and reads what a connection allows.
    fn serve(&mut self, index: usize, come_by: Option<Instant>, over_at: Instant) -> Result<(), Error> {
        let closed_loop = self.is_closed_loop();
        let Some(link) = &mut self.links[index] else { return Ok(()) };
        link.push(self.request);
        let heard = link.hear(&mut self.chunk, || come_by.unwrap_or_else(Instant::now));
        let outcome = match heard {
            Heard::Nothing => return Ok(()),
            Heard::Answer { status, .. } => Outcome::Answer(status),
            Heard::Ended => Outcome::Lost,
            Heard::Cut => Outcome::Cut,
            Heard::Malformed => Outcome::Malformed,
        };
        self.tally.interim += std::mem::take(&mut link.interim);
        let asked = link.asked.take();
        let now = asked.and_then(|asked| asked.first_byte_at).or(come_by).unwrap_or_else(Instant::now);
        if let Some(asked) = asked {
            let Asked { intended_at, sent_at, .. } = asked;
            let good = matches!(outcome, Outcome::Answer(status) if self.load.good.contains(&status));
            self.losses = if outcome == Outcome::Lost { self.losses + 1 } else { 0 };
            self.tally.answered(Sample { intended_at, sent_at, at: now, outcome }, good, over_at);
        }
        if !matches!(heard, Heard::Answer { last: false, .. }) {
            return self.replace(index);
        }
        if closed_loop && now < over_at {
            self.tally.sent(now, now);
            link.ask(self.request, now, now);
        } else {
            self.idle.push_back(index);
        }
        Ok(())
    }

    fn is_closed_loop(&self) -> bool {
        self.load.pace.is_closed_loop()
    }

    /// Opens a connection in the place of one that has ended.
    fn replace(&mut self, index: usize) -> Result<(), Error> {
        self.tally.reopened += 1;
        self.idle.retain(|idle| *idle != index);
        self.links[index] = None;
        // A server that refuses connections has one less: the rows that follow from it say so.
        let Ok(link) = Link::reopen(self.load.to) else { return Ok(()) };
        self.watch(&link, index)?;
        self.links[index] = Some(link);
        self.idle.push_back(index);
        Ok(())
    }

    /// Counts what has no answer and what was never sent.
    fn censor(&mut self, begin_at: Instant, now: Instant) {
        for asked in self.links.iter().flatten().filter_map(|link| link.asked) {
            self.tally.censored(asked.intended_at, now);
        }
        while let Some(due) = self.share.due(begin_at) {
            self.share.advance();
            self.tally.never_sent(due, now);
        }
    }
}

/// Returns the time that this thread has been on a processor.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
