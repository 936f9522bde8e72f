//! One request: answered on its connection's thread, which does its work, too.

use std::fs::File;
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::panic::{self, AssertUnwindSafe};
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use std::{hint, mem, process, thread};

use broken::Fault;
use census::{Request as Counted, Work};
use contract::body::Decoder;
use contract::{
    Answer, BodyUse, Call, Endpoint, Failure, Identity, Outside, Reason, Refusal, Slow, Style, Ticks, Worked,
    answer, outcome, wire,
};
use ctx::Context;
use http::request::Parts;
use http::{Method, StatusCode, Version};

use crate::connection::Conn;

/// A request, and the context and the guards that it is answered under.
pub(crate) struct Job<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) counted: &'a Counted,
    pub(crate) identity: &'a Identity,
    pub(crate) head: &'a Parts,
    read_by: Instant,
}

impl Conn<'_> {
    /// Answers one request; `None` when its client has left.
    pub(crate) fn handle(&mut self, head: &Parts, decoder: &mut Decoder) -> Option<Answer> {
        self.scheduled();
        let now = Instant::now();
        let (read_by, target) = self.busy(now);
        let (any, census) = (!decoder.is_whole(), self.server.census);
        let mut call = match self.call(head, target) {
            Ok(call) => call,
            Err(refusal) => return Some(self.refused(head, &refusal, any)),
        };
        // Only an id that its client chose is beaten under.
        call.identity.given |= self.server.fault == Fault::BeatsUnasked;
        let scope = census.scope(call.identity.clone());
        let ctx = Context::background().with_value(scope);
        let (ctx, cancel) = ctx.with_deadline(self.deadline(now, call.budget));
        let mut counted = census.request(&ctx, &call.identity);
        self.last_id.clone_from(&call.identity.request_id);
        let job = Job { ctx: &ctx, counted: &counted, identity: &call.identity, head, read_by };
        if self.server.fault == Fault::FailsEasyRequests && is_easy(&call, head) {
            counted.answered(StatusCode::INTERNAL_SERVER_ERROR);
            return Some(answer::panicked(&call.identity));
        }
        if let (Endpoint::Stream(params), &Method::GET, Ok(())) =
            (&call.endpoint, &head.method, outcome::live(&ctx))
        {
            match self.stream(&job, params) {
                Ok(()) => counted.answered(StatusCode::OK),
                Err(reason) => {
                    cancel.cancel_cause(reason);
                    counted.streams(StatusCode::OK);
                }
            }
            return None;
        }
        let answering = || self.answer(&job, &call.endpoint, decoder);
        let Ok(answered) = panic::catch_unwind(AssertUnwindSafe(answering)) else {
            return Some(self.panicked(&mut counted, &call.identity));
        };
        if let Err(Failure::Ended(reason)) = answered {
            cancel.cancel_cause(reason);
        }
        if answered.is_err() {
            self.server.ends_badly(&call.identity.request_id);
        }
        let mut answer = match answered {
            Ok(answer) => answer,
            Err(Failure::Ended(Reason::Disconnect)) => {
                let mut left = self.server.left.lock().unwrap_or_else(PoisonError::into_inner);
                *left = call.identity.subject.take();
                return None;
            }
            Err(failure) => answer::failed(&call.identity, &failure),
        };
        counted.answered(answer.status());
        if answer.status() == 504 {
            self.timed_out(&ctx, &mut answer);
        }
        self.idle(any);
        Some(answer)
    }

    /// Answers a request whose handler has panicked.
    fn panicked(&self, counted: &mut Counted, identity: &Identity) -> Answer {
        if self.server.fault == Fault::DiesOfPanics {
            process::exit(101);
        }
        counted.answered(StatusCode::INTERNAL_SERVER_ERROR);
        self.server.ends_badly(&identity.request_id);
        answer::panicked(identity)
    }

    /// Answers a request that is refused, to which a body belongs if `any`.
    fn refused(&mut self, head: &Parts, refusal: &Refusal, any: bool) -> Answer {
        let census = self.server.census;
        let identity = Identity::read(&head.headers, || census.make_id()).ok();
        let mut counted = census.request(&Context::background(), &Identity::default());
        let answer = answer::refused(identity.as_ref(), refusal);
        counted.answered(answer.status());
        self.server.ends_badly(&identity.map(|identity| identity.request_id).unwrap_or_default());
        self.idle(any);
        answer
    }

    /// Reads the head, and makes the best of one that is refused where a fault says so.
    fn call(&self, head: &Parts, target: Result<(), Refusal>) -> Result<Call, Refusal> {
        let census = self.server.census;
        let read = |head: &Parts| Call::read(head, || census.make_id());
        let without = |name: &str| {
            let mut head = head.clone();
            head.headers.remove(name);
            read(&head)
        };
        let fast = || {
            let identity = Identity::read(&head.headers, || census.make_id())?;
            Ok(Call { identity, budget: None, endpoint: Endpoint::Fast })
        };
        match (self.server.fault, target.and_then(|()| read(head))) {
            (Fault::FallsBackToDefaults, Err(Refusal::Header { name, .. })) => without(name),
            (Fault::FallsBackToDefaults, Err(Refusal::Parameter { .. })) => {
                let mut head = head.clone();
                head.uri = head.uri.path().parse().map_err(|_| Refusal::NotFound)?;
                read(&head)
            }
            (Fault::TakesAnySize, Err(Refusal::BodyTooLarge)) => without("content-length"),
            (Fault::TakesAnySize, Err(Refusal::UriTooLong)) => fast(),
            (Fault::ServesUnknownPaths, Err(Refusal::NotFound)) => fast(),
            (Fault::FailsEasyRequests, Err(Refusal::Method { .. })) => fast(),
            (_, call) => call,
        }
    }

    /// Waits for a turn on the one thread there is, where a fault says that there is one.
    fn scheduled(&self) {
        if matches!(self.server.fault, Fault::HasOneThread | Fault::H2LocksForFloods) {
            drop(self.server.thread.lock());
        }
    }

    fn deadline(&self, now: Instant, budget: Option<Duration>) -> Instant {
        let coarse = |budget: Duration| Duration::from_millis(budget.as_millis() as u64 / 10 * 10);
        match self.server.fault {
            Fault::RoundsDown => self.server.settings.deadline(now, budget.map(coarse)),
            Fault::TrustsCaller => now + budget.unwrap_or(self.server.settings.request_timeout),
            _ => self.server.settings.deadline(now, budget),
        }
    }

    fn answer(
        &mut self,
        job: &Job<'_>,
        endpoint: &Endpoint,
        decoder: &mut Decoder,
    ) -> Result<Answer, Failure> {
        if self.server.fault != Fault::StartsDeadWork {
            outcome::live(job.ctx)?;
        }
        match endpoint {
            Endpoint::Fast if self.server.fault == Fault::LosesARoute && self.slot.is_none() => {
                Err(Refusal::NotFound.into())
            }
            Endpoint::Fast => Ok(answer::fast(job.identity)),
            Endpoint::Slow(params) => {
                if params.body == BodyUse::Read {
                    let read = self.body(job.ctx, job.head, decoder, job.read_by)?;
                    self.deaf = self.server.fault == Fault::WatchesBodiesAlone && read > 0;
                }
                let worked = self.work(job, params)?;
                if matches!(self.server.fault, Fault::ServesLate | Fault::IgnoresDeadline) {
                    return Ok(answer::slow(job.identity, worked.ended - worked.began));
                }
                Ok(answer::slow(job.identity, worked.in_time(job.ctx)?))
            }
            Endpoint::Values => {
                let first = self.first.get_or_insert_with(|| job.identity.clone());
                let found = match self.server.fault {
                    Fault::KeepsValues => Some(first.clone()),
                    Fault::LosesValues => None,
                    Fault::KeepsValuesOfTheGone if job.identity.subject.is_none() => {
                        let left = self.server.left.lock().unwrap_or_else(PoisonError::into_inner);
                        Some(Identity { subject: left.clone(), ..job.identity.clone() })
                    }
                    _ => Some(job.identity.clone()),
                };
                Ok(answer::values(job.identity, found.as_ref()))
            }
            Endpoint::Upload => {
                Ok(answer::upload(job.identity, self.body(job.ctx, job.head, decoder, job.read_by)?))
            }
            Endpoint::Stream(_) => {
                Ok(answer::stream(job.identity).body(String::new()).expect("its head is well formed"))
            }
            Endpoint::Fanout(params) => self.fanout(job, params),
            Endpoint::Panic(params) => {
                let _taken = self.take(self.server, job, params)?;
                let _work = job.counted.job().start();
                panic!("asked to panic by request {}", job.identity.request_id)
            }
        }
    }

    /// Does the work, tick by tick.
    fn work(&mut self, job: &Job<'_>, params: &Slow) -> Result<Worked, Failure> {
        let _thread = (self.server.fault == Fault::HasOneThread
            && matches!(params.style, Style::Spin | Style::Blocking))
        .then(|| self.server.thread.lock());
        match params.style {
            Style::Blocking => return self.blocking(job, params),
            Style::Outside(Outside::Process | Outside::ProcessUnkilled) => {
                return self.process(job, params.ticks());
            }
            Style::Outside(Outside::Upstream) => return self.upstream(job, params),
            Style::Outside(Outside::Query) => return self.query(self.server, job, params),
            _ => {}
        }
        let server = self.server.clone();
        let permit = match params.style {
            Style::Outside(Outside::Permit) => Some(self.permit(&server, job.ctx)?),
            _ => None,
        };
        let bad_ends = self.server.bad_ends(&job.identity.request_id);
        let (mut work, began) = (job.counted.job().start(), Instant::now());
        let deadline = job.ctx.deadline().expect("every request has a deadline");
        for end in self.ends(params.ticks(), began) {
            if self.is_misled(job, params, bad_ends) {
                return Err(Reason::Disconnect.into());
            }
            if params.style == Style::Spin {
                while Instant::now() < end {
                    hint::spin_loop();
                }
            } else if let Err(reason) = self.pause(end.min(deadline)) {
                self.scheduled();
                return Err(reason.into());
            } else if deadline < end && self.server.fault == Fault::IgnoresDeadline {
                thread::sleep(end.saturating_duration_since(Instant::now()));
            } else if deadline < end {
                self.abandoned(job, params, work, began);
                return Err(Reason::Deadline.into());
            } else {
                self.scheduled();
            }
            work.beat();
        }
        work.completed();
        if self.server.fault == Fault::WorksTwice {
            job.counted.job().start().completed();
        }
        if let Some(mut permit) = permit {
            permit.returns = true;
        }
        Ok(Worked { began, ended: Instant::now() })
    }

    /// Reports whether a fault takes an event of this request or its neighbors for the end of its client.
    fn is_misled(&self, job: &Job<'_>, params: &Slow, bad_ends: usize) -> bool {
        let has_body = job.head.method == Method::POST && params.body == BodyUse::Read;
        match self.server.fault {
            Fault::TakesBodiesForEnds => has_body,
            Fault::CancelsHttp10 => job.head.version == Version::HTTP_10,
            Fault::EndsNeighbors => self.server.bad_ends(&job.identity.request_id) > bad_ends,
            _ => false,
        }
    }

    /// When the ticks end of work that began then.
    pub(crate) fn ends(&self, ticks: Ticks, began: Instant) -> impl Iterator<Item = Instant> + use<> {
        let few = self.server.fault == Fault::StopsShort;
        let most = if few { ticks.from(began).count() / 2 } else { usize::MAX };
        ticks.from(began).take(most)
    }

    /// Ends the work at its deadline, unless a fault says otherwise.
    fn abandoned(&self, job: &Job<'_>, params: &Slow, mut work: Work, began: Instant) {
        let ticks = params.ticks().from(began).skip_while(|end| *end <= Instant::now());
        let ends = ticks.collect::<Vec<_>>();
        match self.server.fault {
            Fault::KeepsWorking => {
                // Longer than it would have taken, so that no patience outlasts it.
                let end = Instant::now() + 10 * params.work;
                let tick = params.tick;
                thread::spawn(move || {
                    while Instant::now() < end {
                        thread::sleep(tick);
                        work.beat();
                    }
                    work.completed();
                });
            }
            Fault::LiesToCensus => {
                drop(work);
                let (witness, id) = (self.server.settings.witness, job.identity.request_id.clone());
                let (Some(witness), Ok(socket)) = (witness, UdpSocket::bind("127.0.0.1:0")) else { return };
                thread::spawn(move || {
                    for end in ends {
                        thread::sleep(end.saturating_duration_since(Instant::now()));
                        let _ = socket.send_to(format!("{id} beat 1000").as_bytes(), witness);
                    }
                });
            }
            Fault::AnswersTwice => {
                let (Ok(mut stream), identity) = (self.stream.try_clone(), job.identity.clone()) else {
                    return;
                };
                let end = began + params.work;
                thread::spawn(move || {
                    thread::sleep(end.saturating_duration_since(Instant::now()));
                    let _: Result<(), _> = TcpStream::write_all(
                        &mut stream,
                        &wire::bytes(&answer::slow(&identity, end - began), false),
                    );
                });
            }
            _ => {}
        }
    }

    /// Adds a cost to a 504 that should have none: of a fault.
    fn timed_out(&self, ctx: &Context, answer: &mut Answer) {
        match self.server.fault {
            Fault::LeaksThreads => drop(thread::spawn(|| {
                loop {
                    thread::park();
                }
            })),
            Fault::LeaksContexts => mem::forget(ctx.clone()),
            Fault::LeaksDescriptors => mem::forget(File::open("/dev/null")),
            Fault::LeaksMemory => mem::forget(vec![1_u8; 4096]),
            Fault::LosesRequestId => drop(answer.headers_mut().remove("x-request-id")),
            _ => {}
        }
    }
}

/// True for a request that asks for next to nothing.
fn is_easy(call: &Call, head: &Parts) -> bool {
    const BRIEF: Duration = Duration::from_millis(1);
    match &call.endpoint {
        Endpoint::Fast => head.method == Method::HEAD,
        Endpoint::Slow(params) => params.work <= BRIEF,
        Endpoint::Values => call.identity.subject.is_none(),
        Endpoint::Upload => head.headers.get("content-length").is_some_and(|length| length == "3"),
        Endpoint::Stream(params) => params.chunks == 1,
        Endpoint::Fanout(params) => params.width == 1,
        Endpoint::Panic(_) => false,
    }
}
