//! One request: answered on its connection's thread, which does its work, too.

use std::fs::File;
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};
use std::{hint, mem, thread};

use broken::Fault;
use census::{Request as Counted, Work};
use contract::body::Decoder;
use contract::{
    Answer, BodyUse, Call, Endpoint, Failure, Identity, OnDisconnect, Reason, Refusal, Slow, Style, Worked,
    answer, outcome, wire,
};
use ctx::Context;
use http::request::Parts;

use crate::connection::Conn;

/// What a request is done with.
struct Job<'a> {
    ctx: &'a Context,
    counted: &'a Counted,
    identity: &'a Identity,
    head: &'a Parts,
    read_by: Instant,
}

impl Conn<'_> {
    /// Answers one request; `None` when its client has left.
    pub(crate) fn handle(&mut self, head: &Parts, decoder: &mut Decoder) -> Option<Answer> {
        let now = Instant::now();
        let read_by = self.clock.busy(now);
        let any = !decoder.is_whole();
        let census = self.server.census;
        let call = match Call::read(head, || census.make_id()) {
            Ok(call) => call,
            Err(refusal) => {
                let identity = Identity::read(&head.headers, || census.make_id()).ok();
                let mut counted = census.request(&Context::background(), &Identity::default());
                let answer = answer::refused(identity.as_ref(), &refusal);
                counted.answered(answer.status());
                self.clock.idle(Instant::now(), any);
                return Some(answer);
            }
        };
        let deadline = self.deadline(now, call.budget);
        let scope = census.scope(call.identity.clone());
        let (ctx, cancel) = Context::background().with_value(scope).with_deadline(deadline);
        let mut counted = census.request(&ctx, &call.identity);
        let job = Job { ctx: &ctx, counted: &counted, identity: &call.identity, head, read_by };
        let answered = self.answer(&job, &call.endpoint, decoder);
        if let Err(Failure::Ended(reason)) = answered {
            cancel.cancel_cause(reason);
        }
        let mut answer = match answered {
            Ok(answer) => answer,
            Err(Failure::Ended(Reason::Disconnect)) => return None,
            Err(failure) => answer::failed(&call.identity, &failure),
        };
        counted.answered(answer.status());
        if answer.status() == 504 {
            self.timed_out(&ctx, &mut answer);
        }
        self.clock.idle(Instant::now(), any);
        Some(answer)
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
            Endpoint::Fast => Ok(answer::fast(job.identity)),
            Endpoint::Slow(params) => {
                if params.body == BodyUse::Read {
                    self.body(job.ctx, job.head, decoder, job.read_by)?;
                }
                let worked = self.work(job, params)?;
                if matches!(self.server.fault, Fault::ServesLate | Fault::IgnoresDeadline) {
                    return Ok(answer::slow(job.identity, worked.ended - worked.began));
                }
                Ok(answer::slow(job.identity, worked.in_time(job.ctx)?))
            }
            Endpoint::Values => {
                let first = self.first.get_or_insert_with(|| job.identity.clone());
                let stale = self.server.fault == Fault::KeepsValues;
                Ok(answer::values(job.identity, Some(if stale { first } else { job.identity })))
            }
            Endpoint::Upload => {
                Ok(answer::upload(job.identity, self.body(job.ctx, job.head, decoder, job.read_by)?))
            }
            Endpoint::Stream(_) | Endpoint::Fanout(_) | Endpoint::Panic => Err(Refusal::NotFound.into()),
        }
    }

    /// Does the work, tick by tick.
    fn work(&mut self, job: &Job<'_>, params: &Slow) -> Result<Worked, Failure> {
        let (mut work, began) = (job.counted.job().start(), Instant::now());
        let deadline = job.ctx.deadline().expect("every request has a deadline");
        for end in params.ticks().from(began) {
            if params.style == Style::Spin {
                while Instant::now() < end {
                    hint::spin_loop();
                }
            } else if let Err(reason) = self.pause(end.min(deadline)) {
                return Err(reason.into());
            } else if deadline < end && self.server.fault == Fault::IgnoresDeadline {
                thread::sleep(end.saturating_duration_since(Instant::now()));
            } else if deadline < end {
                self.abandoned(job, params, work, began);
                return Err(Reason::Deadline.into());
            }
            work.beat();
        }
        work.completed();
        let again = self.server.fault == Fault::WorksTwice
            && self.server.settings.on_disconnect == OnDisconnect::Detach;
        if again {
            job.counted.job().start().completed();
        }
        Ok(Worked { began, ended: Instant::now() })
    }

    /// What becomes of work at its deadline: it ends here, unless a fault says otherwise.
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

    /// What a 504 costs, where it should cost nothing.
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
