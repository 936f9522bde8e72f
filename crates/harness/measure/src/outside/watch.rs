//! Watches work outside the process from the moment its request ends.

use std::time::{Duration, Instant};

use suite::verdict::Failure;
use testbed::capability::Capability;
use testbed::postgres::{self, Client};
use testbed::proc::{self, Child, State};
use testbed::server::Server;
use testbed::subject::Setup;
use testbed::upstream::{Reply, Upstream};
use wire::trace::Trace;
use wire::{Leave, Request, Wire};

use super::{End, Kind, Outside, Plan, STYLES, Style};
use crate::measurement::millis;
use crate::schedule::Slot;
use crate::stats::ms_between;

/// The time for which work is watched past its natural end, and waited for at its beginning.
const PATIENCE: Duration = Duration::from_secs(3);
/// From one look at the work to the next.
const LOOK: Duration = Duration::from_micros(300);
/// A deadline that is never what ends a request.
const FAR: Duration = Duration::from_secs(30);
/// From the sight of the work to its client's disconnect.
const SETTLE: Duration = Duration::from_millis(20);

/// The finds of a round.
pub(super) struct Found {
    pub(super) seen: Vec<Outside>,
    /// The kinds of work that could not be watched.
    pub(super) failed: Vec<(&'static str, Failure)>,
}

/// Watches every style that the server has, the kinds side by side: each waits most of the time.
pub(super) fn all(slot: &Slot<'_>, plan: &Plan) -> Found {
    let kinds = [
        ("process", Kind::Process),
        ("query", Kind::Query),
        ("upstream", Kind::Upstream),
        ("permit", Kind::Permit),
    ];
    let mut found = Found { seen: Vec::new(), failed: Vec::new() };
    std::thread::scope(|scope| {
        let running = kinds.map(|(name, kind)| (name, scope.spawn(move || styles_of(slot, kind, plan))));
        for (name, thread) in running {
            match thread.join().expect("a round does not panic") {
                Ok(seen) => found.seen.extend(seen),
                Err(failure) => found.failed.push((name, failure)),
            }
        }
    });
    found
}

/// Watches the styles of one kind, one request after another.
fn styles_of(slot: &Slot<'_>, kind: Kind, plan: &Plan) -> Result<Vec<Outside>, Failure> {
    let has = |style: &&Style| style.kind == kind && slot.subject.supports(style.needs);
    let mut seen = Vec::new();
    for style in STYLES.iter().filter(has) {
        let mut watched = Watched::open(slot, style)?;
        for end in End::ALL {
            for number in 0..plan.tries {
                // Queries of several servers run in one database.
                let (who, round) = (slot.subject.name(), slot.round);
                let id = format!("outside-{who}-{round}-{}-{}-{number}", style.name, end.slug());
                seen.push(watched.request(slot, end, id, plan)?);
            }
        }
    }
    Ok(seen)
}

impl End {
    fn slug(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Disconnect => "disconnect",
        }
    }
}

/// A server whose work is watched, and its witness.
struct Watched {
    style: &'static Style,
    server: std::sync::Arc<Server>,
    witness: Witness,
}

enum Witness {
    Process(u32),
    Query(Box<Client>),
    Upstream(Upstream),
    Permit,
}

/// The work of one request, as its witness knows it.
enum Work {
    Child(Child),
    Query,
    Call,
    /// The request that waits for the permit, on its connection.
    Permit(Wire, String),
}

impl Watched {
    /// Starts a server with what the style needs.
    fn open(slot: &Slot<'_>, style: &'static Style) -> Result<Self, Failure> {
        let start = |flags: &[(&str, &str)]| {
            let longest = ("--request-timeout", "30s");
            let flags: Vec<_> = flags.iter().copied().chain([longest]).collect();
            let flags: Vec<_> = flags
                .into_iter()
                .filter(|(name, _)| Capability::flag(name).is_none_or(|flag| slot.subject.supports(flag)))
                .collect();
            slot.subject.start(Setup { flags: &flags, ..Setup::default() }).map_err(Failure::harness)
        };
        let (server, witness) = match style.kind {
            Kind::Process => {
                let server = start(&[])?;
                let pid = server.pid().ok_or_else(|| Failure::unsupported("not our process"))?;
                (server, Witness::Process(pid))
            }
            Kind::Query => {
                let postgres = postgres::shared().map_err(Failure::unsupported)?;
                let client = postgres.connect().map_err(Failure::harness)?;
                (start(&[("--database", postgres.url())])?, Witness::Query(Box::new(client)))
            }
            Kind::Upstream => {
                let failed = |error| Failure::harness(format!("failed to open an upstream: {error}"));
                let upstream = Upstream::start().map_err(failed)?;
                let address = upstream.addresses()[0].to_string();
                (start(&[("--upstream", &address)])?, Witness::Upstream(upstream))
            }
            Kind::Permit => {
                let server = start(&[("--permits", "1")])?;
                server.witness().ok_or_else(|| Failure::unsupported("no heartbeats"))?;
                (server, Witness::Permit)
            }
        };
        Ok(Self { style, server, witness })
    }

    /// Sends a request, waits until its work is seen, lets the request end so, and watches the work until it is gone.
    fn request(&mut self, slot: &Slot<'_>, end: End, id: String, plan: &Plan) -> Result<Outside, Failure> {
        let known = match self.witness {
            Witness::Process(pid) => proc::children(pid)?,
            _ => Vec::new(),
        };
        if let Witness::Upstream(upstream) = &self.witness {
            upstream.answer(&id, [Reply { minds: false, ..Reply::late(millis(plan.work_ms)) }]);
        }
        let timeout = if end == End::Deadline { millis(plan.deadline_ms) } else { FAR };
        let (mut wire, sent_at) = self.send(&id, plan.work_ms, timeout)?;
        let mut work = self.begun(&id, &known)?;
        let began_at = Instant::now();
        let (status, ended_at, _kept) = match end {
            End::Deadline => {
                let answer = wire.answer()?;
                (Some(answer.status()), answer.done_at, Some(wire))
            }
            End::Disconnect => {
                std::thread::sleep(SETTLE);
                let (left_at, kept) = Leave::Fin.act(wire);
                (None, left_at, kept)
            }
        };
        let until = sent_at + millis(plan.work_ms) + PATIENCE;
        let gone_at = self.gone(&mut work, &id, until)?;
        let defunct = matches!(work, Work::Child(child) if is_left(child));
        let last_at = gone_at.unwrap_or_else(Instant::now);
        Ok(Outside {
            server: slot.subject.name().to_owned(),
            style: self.style.name.to_owned(),
            end,
            round: slot.round,
            began_ms: Some(ms_between(sent_at, began_at)),
            over_ms: Some(ms_between(sent_at, ended_at)),
            status,
            outlived_ms: ms_between(ended_at, last_at).max(0.0),
            endless: gone_at.is_none(),
            defunct,
        })
    }

    fn send(&self, id: &str, work_ms: u64, timeout: Duration) -> Result<(Wire, Instant), Failure> {
        let target = format!("/slow?style={}&work={work_ms}ms&tick=10ms", self.style.name);
        let request = Request::get(target).timeout(timeout).id(id);
        let give_up_at = Instant::now() + FAR;
        let wire = Wire::connect(self.server.address(), give_up_at, &Trace::default())?;
        let mut wire = wire.with_host(self.server.host());
        let sent_at = wire.send_request(&request)?;
        Ok((wire, sent_at))
    }

    /// Waits until the witness sees the work of `id`. `known` are child processes of others.
    fn begun(&mut self, id: &str, known: &[Child]) -> Result<Work, Failure> {
        let until = Instant::now() + PATIENCE;
        let work = match &mut self.witness {
            Witness::Process(pid) => poll(until, || {
                Ok(proc::children(*pid)?.into_iter().find(|child| !known.contains(child)).map(Work::Child))
            })?,
            Witness::Query(client) => poll(until, || Ok(runs(client, id)?.then_some(Work::Query)))?,
            Witness::Upstream(upstream) => upstream.wait(id, PATIENCE, |_| true).map(|_| Work::Call),
            Witness::Permit => {
                let heard = self.server.witness().and_then(|witness| witness.wait_start(id, PATIENCE));
                let next = format!("{id}-next");
                heard
                    .map(|_| self.send(&next, 10, FAR))
                    .transpose()?
                    .map(|(wire, _)| Work::Permit(wire, next))
            }
        };
        work.ok_or_else(|| Failure::broken(format!("{}: no work was seen outside", self.style.name)))
    }

    /// Waits until the witness sees the work no more; `None` when it went on until `until`.
    fn gone(&mut self, work: &mut Work, id: &str, until: Instant) -> Result<Option<Instant>, Failure> {
        match (&mut self.witness, work) {
            (_, Work::Child(child)) => poll(until, || Ok((child.state() != State::Alive).then(Instant::now))),
            (Witness::Query(client), _) => poll(until, || Ok((!runs(client, id)?).then(Instant::now))),
            (Witness::Upstream(upstream), _) => {
                let within = until.saturating_duration_since(Instant::now());
                let over =
                    upstream.wait(id, within, |seen| seen.told.is_some() || seen.answered_at.is_some());
                Ok(over.and_then(|seen| seen.told.map(|(_, at)| at).or(seen.answered_at)))
            }
            (_, Work::Permit(wire, next)) => {
                let within = until.saturating_duration_since(Instant::now());
                let began = self.server.witness().and_then(|witness| witness.wait_start(next, within));
                if began.is_some() {
                    wire.answer()?;
                }
                Ok(began)
            }
            _ => Ok(None),
        }
    }
}

/// True for a child process that has ended, and that nobody waits for within 100 ms.
fn is_left(child: Child) -> bool {
    let until = Instant::now() + Duration::from_millis(100);
    while child.state() == State::Defunct {
        if Instant::now() > until {
            return true;
        }
        std::thread::sleep(LOOK);
    }
    false
}

/// True while a query runs that is marked with `id`.
fn runs(client: &mut Client, id: &str) -> Result<bool, Failure> {
    let query = format!(
        "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND strpos(query, '{id} ') > 0"
    );
    Ok(!client.rows(&query).map_err(Failure::harness)?.is_empty())
}

/// Looks until there is something, or `until` has come.
fn poll<T>(
    until: Instant,
    mut look: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<Option<T>, Failure> {
    loop {
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        if Instant::now() > until {
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}
