//! Work that needs more than the server's own time.

use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use broken::Fault;
use contract::{Failure, Outside, Panic, Reason, Refusal, Ticks, Worked, limits};
use ctx::Context;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::Server;
use crate::connection::Conn;
use crate::database::Query;
use crate::request::Job;
use crate::upstream::Call;

/// A permit, until it is dropped.
pub(crate) struct Permit<'a> {
    _counted: census::Permit,
    free: &'a AtomicUsize,
    /// True when it is given back when it is dropped.
    pub(crate) returns: bool,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.returns {
            self.free.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Tells a worker of the server whose fault is that workers outlive it.
pub(crate) const ORPHAN: &str = "BROKEN_ORPHAN";

/// A child process, until it is dropped.
pub(crate) struct Process {
    child: Child,
    fault: Fault,
    _counted: census::Process,
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.fault != Fault::LeavesProcesses {
            let _ = self.child.kill();
        }
        if !matches!(self.fault, Fault::LeavesProcesses | Fault::LeavesDefunct) {
            let _ = self.child.wait();
        }
    }
}

/// The resource that a request has taken when it panics.
#[derive(Default)]
pub(crate) struct Taken<'a> {
    _permit: Option<Permit<'a>>,
    _process: Option<Process>,
    _call: Option<Call>,
    _query: Option<Query<'a>>,
}

impl Conn<'_> {
    /// Takes what work in this style takes.
    pub(crate) fn take<'a>(
        &self,
        server: &'a Server,
        job: &Job<'_>,
        panic: &Panic,
    ) -> Result<Taken<'a>, Failure> {
        let mut taken = Taken::default();
        match panic.outside {
            Some(Outside::Permit) => taken._permit = Some(self.permit(server, job.ctx)?),
            Some(Outside::Process) => taken._process = Some(start(server.fault, job, panic.ticks())?),
            Some(Outside::Upstream) => taken._call = Some(self.call_upstream(job, &panic.slow())?),
            Some(Outside::Query) => taken._query = Some(self.begin_query(server, job, &panic.slow())?),
            _ => {}
        }
        Ok(taken)
    }

    /// Works in a child process.
    pub(crate) fn process(&self, job: &Job<'_>, ticks: Ticks) -> Result<Worked, Failure> {
        let mut process = start(self.server.fault, job, ticks)?;
        let (work, began) = (job.counted.job().start(), Instant::now());
        let deadline = job.ctx.deadline().expect("every request has a deadline");
        let status = loop {
            // What is waited for is reaped: a fault looks without touching.
            if let Some(status) = process.ended() {
                break status;
            }
            let next = Instant::now() + limits::TICK;
            if self.server.fault == Fault::WaitsForProcesses {
                std::thread::sleep(limits::TICK);
            } else {
                self.pause(next.min(deadline))?;
                if deadline < next {
                    return Err(Reason::Deadline.into());
                }
            }
        };
        if !status {
            return Err(Failure::Process);
        }
        work.completed();
        Ok(Worked { began, ended: Instant::now() })
    }

    /// Waits for a permit, tick by tick, until the context or the client's leaving ends the wait.
    pub(crate) fn permit<'a>(&self, server: &'a Server, ctx: &Context) -> Result<Permit<'a>, Reason> {
        let waiting = server.census.waits();
        let deadline = ctx.deadline().expect("every request has a deadline");
        while !server.grant() {
            let next = Instant::now() + limits::TICK;
            if server.fault == Fault::WaitsForPermits {
                std::thread::sleep(limits::TICK);
            } else {
                self.pause(next.min(deadline))?;
                if deadline < next {
                    return Err(Reason::Deadline);
                }
            }
        }
        let returns = server.fault != Fault::LosesPermits;
        Ok(Permit { _counted: waiting.granted(), free: &server.free, returns })
    }
}

impl Server {
    /// Takes a permit, if one is free.
    fn grant(&self) -> bool {
        let less = |free: usize| free.checked_sub(1);
        self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
            || self.fault == Fault::GrantsAnyPermit
    }
}

impl Process {
    /// Reports whether the child has ended well, if it has ended.
    fn ended(&mut self) -> Option<bool> {
        if self.fault != Fault::LeavesDefunct {
            return self.child.try_wait().ok().flatten().map(|status| status.success());
        }
        let pid = Pid::from_child(&self.child);
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(pid), options).ok().flatten();
        status.map(|status| status.exit_status() == Some(0))
    }
}

/// Starts a child process that does this work, on the thread of its connection, which outlives it.
fn start(fault: Fault, job: &Job<'_>, ticks: Ticks) -> Result<Process, Refusal> {
    let job = job.counted.job();
    let mut command = job.worker(ticks);
    if fault == Fault::OrphansProcesses || fault == Fault::LeavesProcesses {
        command.env(ORPHAN, "");
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().map_err(|_| Refusal::Busy)?;
    Ok(Process { child, fault, _counted: job.process() })
}
