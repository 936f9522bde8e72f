//! A scenario's tools: a server, a clock with tolerances, and a witness of the work.

use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use testbed::behind::Behind;
use testbed::census::{self, Census};
use testbed::proc::{self, Usage};
use testbed::server::{Server, Started};
use testbed::subject::{Subject, Trial};
use testbed::witness::{Witness, Word};
use wire::burst::{Burst, Shot};
use wire::h2::{H2, Manners};
use wire::trace::Trace;
use wire::{Answer, Request, Wire};

use crate::ensure;
use crate::hops::{Hop, Noted};
use crate::profile::Profile;
use crate::verdict::Failure;

/// One attempt at one scenario.
#[derive(Debug)]
pub struct Bench {
    pub(crate) server: Arc<Server>,
    pub(crate) subject: Subject,
    pub(crate) profile: Profile,
    pub(crate) scale: u32,
    pub(crate) slug: &'static str,
    pub(crate) trace: Trace,
    pub(crate) give_up_at: Instant,
    pub(crate) hops: Noted,
}

impl Bench {
    /// The server under test.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The authority that requests name in `Host`, for bytes that are no [`Request`].
    pub fn host(&self) -> &str {
        self.server.host()
    }

    /// This attempt's log; note in it what a reader of a failure should know.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Keeps these accounts of a request through a chain for the run's document, in place of those before.
    pub fn note_hops(&self, hops: &[Hop]) {
        *self.hops.lock() = hops.to_vec();
    }

    /// Returns `milliseconds` as a duration, doubled on a retry: every duration of a scenario comes from here.
    pub fn ms(&self, milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds) * self.scale
    }

    /// The deadline that [`Bench::slow`] gives: 300 ms.
    pub fn deadline(&self) -> Duration {
        self.ms(300)
    }

    /// Returns the lateness of an answer that this profile allows.
    pub fn answer_late(&self) -> Duration {
        self.profile.answer_late() * self.scale
    }

    /// Returns the time for which work may go on after it was told to stop.
    pub fn stop_late(&self) -> Duration {
        self.profile.stop_late() * self.scale
    }

    /// Returns the time for which work outside the server may go on after it was told to stop.
    pub fn outside_late(&self) -> Duration {
        self.profile.outside_late() * self.scale
    }

    /// Returns the time to wait for an event that must happen soon but is not itself timed.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(3) * self.scale
    }

    /// A request id that nobody has used.
    pub fn id(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        format!("{}{}", Self::id_prefix(self.slug), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the beginning of every id that a scenario of this slug uses in this process.
    pub(crate) fn id_prefix(slug: &str) -> String {
        // The process id keeps two runs against one server apart.
        format!("{slug}-{}-", std::process::id())
    }

    /// `GET /slow` with 3 s of work, a deadline of 300 ms and a fresh id; `more` is appended to the query
    /// (`"style=drop&tick=5ms"`, or nothing).
    pub fn slow(&self, more: &str) -> Request {
        self.slow_for(self.ms(3000), self.deadline(), more)
    }

    /// `GET /slow` with `work` to do in `timeout` and a fresh id.
    pub fn slow_for(&self, work: Duration, timeout: Duration, more: &str) -> Request {
        Request::get(self.slow_target(work, more)).timeout(timeout).id(self.id())
    }

    /// The path and query of a `/slow` request.
    pub fn slow_target(&self, work: Duration, more: &str) -> String {
        let join = if more.is_empty() { "" } else { "&" };
        format!("/slow?work={}ms{join}{more}", work.as_millis())
    }

    /// `GET /fast` with a fresh id.
    pub fn fast(&self) -> Request {
        Request::get("/fast").id(self.id())
    }

    /// A new connection to the server.
    ///
    /// # Errors
    /// When the server does not take it.
    pub fn connect(&self) -> Result<Wire, Failure> {
        Ok(Wire::connect(self.server.address(), self.give_up_at, &self.trace)?.with_host(self.host()))
    }

    /// A new connection with the smallest buffers there are, for a client that does not read.
    ///
    /// # Errors
    /// When the server does not take it.
    pub fn connect_narrow(&self) -> Result<Wire, Failure> {
        Ok(Wire::connect_narrow(self.server.address(), self.give_up_at, &self.trace)?.with_host(self.host()))
    }

    /// Opens a connection whose client can take only little at a time.
    ///
    /// # Errors
    /// When the server does not accept.
    pub fn connect_slow(&self) -> Result<Wire, Failure> {
        Ok(Wire::connect_slow(self.server.address(), self.give_up_at, &self.trace)?.with_host(self.host()))
    }

    /// A new connection in HTTP/2, with the best of manners; scenarios that use it need `http2`.
    ///
    /// # Errors
    /// When the server does not take it, or does not speak HTTP/2.
    pub fn h2(&self) -> Result<H2, Failure> {
        self.h2_with(Manners::default())
    }

    /// The same with manners of the scenario's choice.
    ///
    /// # Errors
    /// As [`Bench::h2`].
    pub fn h2_with(&self, manners: Manners) -> Result<H2, Failure> {
        Ok(H2::over(self.connect()?, manners)?)
    }

    /// Sends the request on a new connection and reads its answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&self, request: &Request) -> Result<Answer, Failure> {
        Ok(self.connect()?.ask(request)?)
    }

    /// Sends all the requests at once, a connection each.
    ///
    /// # Errors
    /// When the sockets cannot be made.
    pub fn storm(&self, requests: Vec<Request>) -> Result<Burst, Failure> {
        self.trace.say(0, &format!("storm of {} requests", requests.len()));
        Ok(Burst::launch(self.server.address(), requests, self.give_up_at)?)
    }

    /// Checks that a shot was answered 504, never early. Gives the lateness, which is not judged.
    ///
    /// # Errors
    /// When it was not.
    pub fn shot_is_504(&self, shot: &Shot, deadline: Duration) -> Result<Duration, Failure> {
        let (Some(status), Some(after)) = (shot.status(), shot.after()) else {
            return Err(Failure::broken(format!("a request of the storm got {}", shot.how())));
        };
        ensure!(status == 504, "{status} instead of 504 in the storm, {after:.1?} after sending");
        let early = Failure::certain(format!("early: {after:.3?} for a deadline of {deadline:?}"));
        after.checked_sub(deadline).ok_or(early)
    }

    /// Starts one more server like the one under test with these flags on top, and waits for its end. Gives its
    /// exit status and stderr.
    ///
    /// # Errors
    /// When it does not end, or we cannot start it.
    pub fn run_to_end(&self, flags: &[(&str, &str)]) -> Result<(Option<i32>, String), Failure> {
        let args: Vec<_> =
            flags.iter().flat_map(|(name, value)| [OsStr::new(*name), OsStr::new(*value)]).collect();
        match self.try_start(&Trial { args: &args, ..Trial::default() })? {
            Started::Ended { status, stderr, .. } => Ok((status.code(), stderr)),
            Started::Serves(_) => {
                Err(Failure::broken(format!("it serves with {}", args.join(OsStr::new(" ")).display())))
            }
        }
    }

    /// Starts one more server like the one under test, and waits until it serves or has ended.
    ///
    /// # Errors
    /// When it does neither, we cannot start it, or its command does not name a flag of the trial.
    pub fn try_start(&self, trial: &Trial<'_>) -> Result<Started, Failure> {
        if let Some(flag) = self.subject.lacks_flag(trial.args) {
            return Err(Failure::unsupported(format!(
                "its command does not name the flag {}",
                flag.display()
            )));
        }
        self.subject.try_start(trial, self.patience()).map_err(Failure::broken)
    }

    /// Checks that the answer is a 504 at its deadline: never early, and late within the profile. Gives the lateness.
    ///
    /// # Errors
    /// When it is not.
    pub fn is_504(&self, answer: &Answer, deadline: Duration) -> Result<Duration, Failure> {
        let (status, after) = (answer.status(), answer.after());
        ensure!(status == 504, "{status} instead of 504, {after:.1?} after sending");
        self.in_time(after, deadline)
    }

    /// Checks that `after` is at or past `deadline`, and late within the profile. Gives the lateness.
    ///
    /// # Errors
    /// When it is not.
    pub fn in_time(&self, after: Duration, deadline: Duration) -> Result<Duration, Failure> {
        let Some(late) = after.checked_sub(deadline) else {
            return Err(Failure::certain(format!("early: {after:.3?} for a deadline of {deadline:?}")));
        };
        let most = self.answer_late();
        ensure!(late <= most, "{late:.1?} late for a deadline of {deadline:?}; at most {most:?} is forgiven");
        Ok(late)
    }

    /// Checks that `at` is within `stop_late` of `since`, when the work was told to stop. Gives the time between;
    /// work that stopped before is in time.
    ///
    /// # Errors
    /// When it is not.
    pub fn stopped_soon(&self, since: Instant, at: Instant) -> Result<Duration, Failure> {
        let (late, most) = (at.saturating_duration_since(since), self.stop_late());
        ensure!(
            late <= most,
            "work went on for {late:.1?} after it had to stop; at most {most:?} is forgiven"
        );
        Ok(late)
    }

    /// Checks that `at` is within `outside_late` of `since`, when what is outside had to be given back. Gives the time
    /// between.
    ///
    /// # Errors
    /// When it is not.
    pub fn given_back_soon(&self, since: Instant, at: Instant) -> Result<Duration, Failure> {
        let (late, most) = (at.saturating_duration_since(since), self.outside_late());
        ensure!(late <= most, "given back {late:.1?} late; at most {most:?} is forgiven");
        Ok(late)
    }

    /// The witness, once it has heard all that was said so far: what it has not heard by then was not said before.
    /// Scenarios that use it need `witness`.
    ///
    /// # Errors
    /// When the server has none.
    pub fn witness(&self) -> Result<&Witness, Failure> {
        let witness = self.server.witness().ok_or_else(|| Failure::unsupported("no heartbeats"))?;
        witness.catch_up().map_err(|error| Failure::harness(error.to_string()))?;
        Ok(witness)
    }

    /// Waits until the work of `id` has begun.
    ///
    /// # Errors
    /// When it does not begin.
    pub fn work_begins(&self, id: &str) -> Result<Instant, Failure> {
        let began = self.witness()?.wait_start(id, self.patience());
        began.ok_or_else(|| Failure::broken(format!("the work of {id} did not begin")))
    }

    /// Waits until the work of `id` has ended.
    ///
    /// # Errors
    /// When it goes on, with the number of its beats.
    pub fn work_ends(&self, id: &str, within: Duration) -> Result<(Instant, Word), Failure> {
        let asked_at = Instant::now();
        let witness = self.witness()?;
        witness.wait_end(id, within).ok_or_else(|| {
            let beats = witness.beats_after(id, asked_at);
            Failure::broken(format!("work goes on {within:.1?} later, with {beats} more beats"))
        })
    }

    /// Checks that the work of `id` completes, and says so once.
    ///
    /// # Errors
    /// When it does not, or when nothing can be heard of it.
    pub fn completed_once(&self, id: &str) -> Result<(), Failure> {
        let (_, how) = self.work_ends(id, self.patience())?;
        ensure!(how == Word::Completed, "the work of {id} was {how} and not completed");
        let events = self.witness()?.events(id);
        let count = |wanted: fn(Word) -> bool| events.iter().filter(|(_, word)| wanted(*word)).count();
        let (starts, ends) = (count(|word| word == Word::Start), count(Word::is_end));
        ensure!((starts, ends) == (1, 1), "{starts} starts and {ends} ends of the work of {id}");
        Ok(())
    }

    /// Returns the upstream of the intermediary under test; scenarios that use it need `through`.
    ///
    /// # Errors
    /// When the server is no intermediary.
    pub fn behind(&self) -> Result<&Behind, Failure> {
        self.server.behind().ok_or_else(|| Failure::unsupported("no upstream"))
    }

    /// Reads the census once; scenarios that use it need `admin`.
    ///
    /// # Errors
    /// When the server has none or it does not answer.
    pub fn census(&self) -> Result<Census, Failure> {
        let census = Census::read(self.admin()?)?;
        self.trace.say(0, &format!("census: {}", census.line()));
        Ok(census)
    }

    /// Reads the census until `wanted` holds; `what` completes "not … after 3 s".
    ///
    /// # Errors
    /// When it does not hold in time.
    pub fn census_until(
        &self,
        within: Duration,
        what: &str,
        wanted: impl Fn(&Census) -> bool,
    ) -> Result<(Census, Instant), Failure> {
        Ok(census::wait_until(self.admin()?, within, what, wanted)?)
    }

    /// The server's process as the kernel sees it; scenarios that use it need `process`.
    ///
    /// # Errors
    /// When we did not start the server or it is gone.
    pub fn usage(&self) -> Result<Usage, Failure> {
        Ok(proc::usage(self.server.pid().ok_or_else(|| Failure::unsupported("not our process"))?)?)
    }

    fn admin(&self) -> Result<std::net::SocketAddr, Failure> {
        self.server.admin().ok_or_else(|| Failure::unsupported("no count of its own"))
    }
}
