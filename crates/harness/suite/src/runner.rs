//! Runs scenarios against one server: slots, watchdog, retries, verdicts.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use testbed::capability::Capability;
use testbed::census::Census;
use testbed::server::Server;
use testbed::subject::{Setup, Subject};
use wire::trace::Trace;

use crate::beats;
use crate::bench::Bench;
use crate::document::Row;
use crate::expect::Expectations;
use crate::hops::{Hop, Noted};
use crate::profile::Profile;
use crate::scenario::{Outcome, Scenario, Slot};
use crate::slots::MACHINE;
use crate::verdict::{Failure, Kind, judge};

/// The time that the watchdog waits beyond a scenario's own limit: enough for it to say itself what it missed.
const GRACE: Duration = Duration::from_secs(5);

/// The line of a trace above the end of a server's standard error.
pub const STDERR: &str = "stderr ends:";

/// Runs scenarios against one subject.
#[derive(Debug)]
pub struct Runner {
    subject: Subject,
    profile: Profile,
    expectations: Expectations,
    keep_traces: bool,
    alone: bool,
    shared: Mutex<HashMap<Setup<'static>, Shared>>,
}

/// A shared server and how many scenarios still want one of its setup.
#[derive(Debug, Default)]
struct Shared {
    server: Option<Arc<Server>>,
    waiting: usize,
}

/// One attempt at a scenario.
struct Attempt {
    outcome: Outcome,
    /// Its trace.
    lines: Vec<String>,
    /// Its request through a chain, if it sent one.
    hops: Vec<Hop>,
    /// The time that it took, once seated.
    ran_for: Duration,
}

impl Runner {
    /// A runner for `subject`; `planned` are the scenarios that it will be given, so that a shared server is stopped
    /// after the last of them.
    pub fn new(
        subject: Subject,
        profile: Profile,
        expectations: Expectations,
        planned: &[&Scenario],
    ) -> Self {
        let mut shared: HashMap<Setup<'static>, Shared> = HashMap::new();
        for scenario in planned.iter().filter(|scenario| scenario.slot == Slot::Shared) {
            shared.entry(scenario.setup()).or_default().waiting += 1;
        }
        Self { subject, profile, expectations, keep_traces: false, alone: false, shared: Mutex::new(shared) }
    }

    /// Keeps the trace of every scenario, not only of those that miss.
    #[must_use]
    pub fn keep_traces(mut self, keep: bool) -> Self {
        self.keep_traces = keep;
        self
    }

    /// Gives every scenario the machine to itself, whatever it needs.
    #[must_use]
    pub fn alone(mut self, alone: bool) -> Self {
        self.alone = alone;
        self
    }

    /// The server under test.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Runs one scenario to its verdict, and tries a miss again until it was tried `most` times.
    pub fn run_up_to(&self, scenario: &'static Scenario, most: u32) -> Row {
        let mut took = Duration::ZERO;
        let (mut trace, mut hops) = (Vec::new(), Vec::new());
        let mut attempts = 0;
        let expectation = self.expectations.of(scenario.id);
        let announced = expectation.is_some_and(|expectation| expectation.kind == Kind::Xfail);
        // A miss may be a busy machine's; one that was announced needs no second look.
        let most = if announced { 1 } else { most };
        let lacks = scenario.lacking(|need| self.subject.supports(need));
        let outcome = match &lacks[..] {
            [_, ..] => Err(Failure::unsupported(format!("lacks {}", words(&lacks)))),
            [] => loop {
                let Attempt { outcome, lines, hops: seen, ran_for } = self.seated(scenario, 1 << attempts);
                (took, hops) = (took + ran_for, seen);
                attempts += 1;
                if attempts > 1 && !lines.is_empty() {
                    trace.push(format!("attempt {attempts}, everything doubled:"));
                }
                trace.extend(lines);
                if !matches!(outcome, Err(Failure::Broken(_))) || attempts >= most {
                    break outcome;
                }
            },
        };
        self.release(scenario);
        let verdict = judge(&outcome, scenario.level, expectation.map(|expectation| expectation.kind));
        let (text, figures) = match outcome {
            Ok(observed) => (observed.text, observed.figures),
            Err(failure) => (failure.text().to_owned(), Vec::new()),
        };
        Row {
            server: self.subject.name().to_owned(),
            id: scenario.id.to_owned(),
            verdict,
            level: scenario.level,
            promise: scenario.promise.to_owned(),
            observed: text,
            lacks,
            figures: figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            expected: expectation.map(|expectation| expectation.why.clone()),
            attempts,
            took_ms: took.as_millis() as u64,
            hops,
            trace,
        }
    }

    /// Takes the scenario's slot and tries it once.
    fn seated(&self, scenario: &'static Scenario, scale: u32) -> Attempt {
        // A server that runs already is everybody's, so who wants it for himself must be alone.
        let fixed = scenario.slot != Slot::Shared && self.subject.is_fixed();
        let _seat = MACHINE.take(if fixed || self.alone { Slot::Exclusive } else { scenario.slot });
        let seated_at = Instant::now();
        let server = match self.slot(scenario) {
            Ok(server) => server,
            Err(error) => {
                let (lines, hops, ran_for) = (Vec::new(), Vec::new(), seated_at.elapsed());
                return Attempt { outcome: Err(Failure::harness(error)), lines, hops, ran_for };
            }
        };
        let noted = Noted::default();
        let (outcome, mut lines) = self.attempt(scenario, &server, scale, &noted);
        let missed = matches!(&outcome, Err(failure) if !matches!(failure, Failure::Unsupported(_)));
        if missed {
            lines.extend(around(&server));
            self.discard(scenario, &server);
        }
        if !missed && !self.keep_traces {
            lines.clear();
        }
        let hops = std::mem::take(&mut *noted.lock());
        Attempt { outcome, lines, hops, ran_for: seated_at.elapsed() }
    }

    /// Runs the scenario's function on a thread of its own, under the watchdog.
    fn attempt(
        &self,
        scenario: &'static Scenario,
        server: &Arc<Server>,
        scale: u32,
        noted: &Noted,
    ) -> (Outcome, Vec<String>) {
        let limit = scenario.limit * scale;
        let trace = Trace::default();
        let bench = Bench {
            server: Arc::clone(server),
            subject: self.subject.clone(),
            profile: self.profile,
            scale,
            slug: scenario.id.rsplit('/').next().unwrap_or(scenario.id),
            trace: trace.clone(),
            give_up_at: Instant::now() + limit,
            hops: Arc::clone(noted),
        };
        let (sender, done) = mpsc::channel();
        let run = move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| (scenario.run)(&bench)));
            // The bench holds the server; it must be gone before the runner goes on.
            drop(bench);
            let _ = sender.send(outcome);
        };
        if let Err(error) = std::thread::Builder::new().name(scenario.id.into()).spawn(run) {
            return (Err(Failure::harness(format!("failed to start a thread: {error}"))), Vec::new());
        }
        let outcome = match done.recv_timeout(limit + GRACE) {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => {
                Err(Failure::harness(format!("the scenario panicked: {}", panic_text(&*panic))))
            }
            Err(_) => {
                server.kill();
                Err(Failure::broken(format!("hung: not over {:?} after it began", limit + GRACE)))
            }
        };
        let ids = Bench::id_prefix(scenario.id.rsplit('/').next().unwrap_or(scenario.id));
        let lines =
            server.witness().map_or_else(|| trace.lines(), |witness| beats::merged(&trace, witness, &ids));
        match (outcome, server.died()) {
            // Without its server, an instrument fails too.
            (Err(Failure::Broken(how) | Failure::Harness(how)), Some(death)) => {
                (Err(Failure::broken(format!("{how}; {death}"))), lines)
            }
            (Ok(_), Some(death)) => (Err(Failure::broken(death)), lines),
            (outcome, _) => (outcome, lines),
        }
    }

    /// The server for a scenario: the shared one of its setup, or a new one.
    fn slot(&self, scenario: &Scenario) -> Result<Arc<Server>, String> {
        if scenario.slot != Slot::Shared {
            return self.subject.start(scenario.setup());
        }
        let mut shared = self.shared.lock();
        let slot = shared.entry(scenario.setup()).or_default();
        if let Some(server) = slot.server.as_ref().filter(|server| server.ended().is_none()) {
            return Ok(Arc::clone(server));
        }
        let server = self.subject.start(scenario.setup())?;
        slot.server = Some(Arc::clone(&server));
        Ok(server)
    }

    /// Forgets a shared server that may be in a bad state; whoever still uses it goes on with it.
    fn discard(&self, scenario: &Scenario, server: &Arc<Server>) {
        if let Some(slot) = self.shared.lock().get_mut(&scenario.setup()) {
            slot.server.take_if(|shared| Arc::ptr_eq(shared, server));
        }
    }

    /// Stops a shared server after the last scenario that wanted it.
    fn release(&self, scenario: &Scenario) {
        if scenario.slot != Slot::Shared {
            return;
        }
        let mut shared = self.shared.lock();
        if let Some(slot) = shared.get_mut(&scenario.setup()) {
            slot.waiting = slot.waiting.saturating_sub(1);
            if slot.waiting == 0 {
                slot.server = None;
            }
        }
    }
}

/// The words of what is lacking, with `and` between the last two.
fn words(needs: &[Capability]) -> String {
    let words: Vec<&str> = needs.iter().map(|need| need.word()).collect();
    match &words[..] {
        [front @ .., last] if !front.is_empty() => format!("{} and {last}", front.join(", ")),
        _ => words.concat(),
    }
}

/// The census and the end of stderr, for the report of a miss.
fn around(server: &Server) -> Vec<String> {
    let census = server.admin().and_then(|admin| Census::read(admin).ok());
    let census = census.map(|census| format!("census afterwards: {}", census.line()));
    let stderr = Some(server.stderr_tail()).filter(|tail| !tail.is_empty());
    census.into_iter().chain(stderr.map(|tail| format!("{STDERR}\n{tail}"))).collect()
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROKEN: Scenario =
        Scenario { id: "x/broken", run: |_| Err(Failure::broken("as ever")), ..Scenario::BASE };

    fn attempts(expected: &str) -> u32 {
        static SCENARIO: Scenario = BROKEN;
        // Nobody listens there, and nobody asks.
        let subject = Subject::at("http://127.0.0.1:9", None).unwrap();
        let expectations = Expectations::parse(expected).unwrap();
        Runner::new(subject, Profile::Ci, expectations, &[&SCENARIO]).run_up_to(&SCENARIO, 2).attempts
    }

    #[test]
    fn a_miss_is_tried_once_more_unless_it_was_announced() {
        assert_eq!(attempts(""), 2);
        assert_eq!(attempts("x/broken flaky it comes and goes"), 2);
        assert_eq!(attempts("x/broken xfail it is always so"), 1);
    }
}
