//! A call to another server.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use std::{mem, thread};

use broken::Fault;
use contract::{Failure, Reason, Slow, Worked, limits, upstream};

use crate::connection::Conn;
use crate::request::Job;

/// A connection to the upstream, on which it was asked.
pub(crate) struct Call {
    stream: Option<TcpStream>,
    fault: Fault,
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.fault == Fault::LeavesCalls {
            mem::forget(self.stream.take());
        }
    }
}

impl Conn<'_> {
    /// Lets the upstream do the work.
    pub(crate) fn upstream(&self, job: &Job<'_>, slow: &Slow) -> Result<Worked, Failure> {
        let began = Instant::now();
        let called = self.called(job, slow);
        if self.server.fault == Fault::AnswersForUpstreams {
            return Ok(Worked { began, ended: began });
        }
        if let Err(failure) = &called {
            let due = upstream::due(&self.server.settings, failure, Instant::now(), job.ctx.deadline());
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        called
    }

    fn called(&self, job: &Job<'_>, slow: &Slow) -> Result<Worked, Failure> {
        let call = self.call_upstream(job, slow)?;
        let (work, began) = (job.counted.job().start(), Instant::now());
        let deadline = job.ctx.deadline().expect("every request has a deadline");
        let (mut bytes, mut chunk) = (Vec::new(), [0; 1024]);
        loop {
            if let Some(status) = upstream::status(&bytes)? {
                upstream::answered(status)?;
                break;
            }
            let Some(mut stream) = call.stream.as_ref() else { return Err(Failure::Upstream) };
            match stream.read(&mut chunk) {
                Ok(0) => return Err(Failure::Upstream),
                Ok(read) => bytes.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let next = Instant::now() + limits::TICK;
                    self.pause(next.min(deadline))?;
                    if deadline < next {
                        return Err(Reason::Deadline.into());
                    }
                }
                Err(_) => return Err(Failure::Upstream),
            }
        }
        work.completed();
        Ok(Worked { began, ended: Instant::now() })
    }

    /// Asks the upstream for the work.
    pub(crate) fn call_upstream(&self, job: &Job<'_>, slow: &Slow) -> Result<Call, Failure> {
        let mut settings = self.server.settings.clone();
        if self.server.fault == Fault::PassesBudgetOn {
            settings.reserve = Duration::ZERO;
        }
        let mut ask = upstream::ask(&settings, job.identity, slow, Instant::now(), job.ctx.deadline())?;
        if let (Fault::PassesBudgetOn, Some(budget)) =
            (self.server.fault, job.head.headers.get("grpc-timeout"))
        {
            ask.request.headers_mut().insert("grpc-timeout", budget.clone());
        }
        if let (Fault::PassesTraceOn, Some(place)) = (self.server.fault, job.head.headers.get("traceparent"))
        {
            ask.request.headers_mut().insert("traceparent", place.clone());
        }
        if self.server.fault == Fault::PassesStateOn {
            ask.request.headers_mut().remove("tracestate");
            for state in job.head.headers.get_all("tracestate") {
                ask.request.headers_mut().append("tracestate", state.clone());
            }
        }
        let mut stream = self.connect(job, &ask)?;
        if self.server.fault == Fault::DropsEarlyAnswers {
            thread::sleep(limits::TICK);
            let _ = stream.set_nonblocking(true);
            let _ = stream.read(&mut [0; 1024]);
        }
        stream
            .write_all(&upstream::bytes(&ask.request))
            .and_then(|()| stream.set_nonblocking(true))
            .map_err(|_| Failure::Upstream)?;
        Ok(Call { stream: Some(stream), fault: self.server.fault })
    }

    /// Connects to the upstream.
    fn connect(&self, job: &Job<'_>, ask: &upstream::Ask) -> Result<TcpStream, Failure> {
        let left =
            job.ctx.deadline().map_or(Duration::MAX, |due| due.saturating_duration_since(Instant::now()));
        let stream = match self.server.fault {
            Fault::WaitsToConnect => TcpStream::connect(ask.to),
            Fault::HurriesToConnect => TcpStream::connect_timeout(&ask.to, Duration::from_millis(100)),
            _ => TcpStream::connect_timeout(&ask.to, left.max(Duration::from_nanos(1))),
        };
        stream.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut if self.server.fault != Fault::HurriesToConnect => {
                Reason::Deadline.into()
            }
            _ => Failure::Upstream,
        })
    }
}
