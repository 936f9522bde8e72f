//! Work that needs more than the server's own time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use broken::Fault;
use contract::{Reason, limits};
use ctx::Context;

use crate::Server;
use crate::connection::Conn;

/// A permit, until it is dropped.
pub(crate) struct Permit<'a> {
    _counted: census::Permit,
    free: &'a AtomicUsize,
    /// Whether it is given back when it is dropped.
    pub(crate) returns: bool,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.returns {
            self.free.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Conn<'_> {
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
