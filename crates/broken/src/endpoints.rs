//! The endpoints that work while a request is answered: a group of children, and a stream of chunks.

use std::io::{self, PipeWriter, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use broken::Fault;
use census::Work;
use contract::{Answer, Failure, Fanout, Reason, Refusal, Slow, Stream, Worked, answer, outcome, wire};
use ctx::{Cancel, Context};
use http::Version;
use http::header::CONNECTION;

use crate::Server;
use crate::connection::Conn;
use crate::request::Job;
use crate::wait::{Woken, wait};

/// State that the children of a group share.
struct Group {
    fault: Fault,
    ctx: Context,
    cancel: Cancel,
    params: Fanout,
    /// Hangs up with the last child.
    alive: PipeWriter,
}

impl Conn<'_> {
    /// Runs a group of children, and returns when the last has ended.
    pub(crate) fn fanout(&self, job: &Job<'_>, params: &Fanout) -> Result<Answer, Failure> {
        let leaves = self.server.fault == Fault::LeavesChildren;
        let (done, alive) = io::pipe().map_err(|_| Refusal::Busy)?;
        let (ctx, cancel) = match leaves {
            true => job.ctx.without_cancel_keeping_deadline().with_cancel(),
            false => job.ctx.with_cancel(),
        };
        let group = Group { fault: self.server.fault, ctx, cancel, params: params.clone(), alive };
        let (group, (sender, ended)) = (Arc::new(group), mpsc::channel());
        let failed = self.server.failed.load(Ordering::Relaxed);
        let spawn = |number| {
            let (group, sender, work) = (group.clone(), sender.clone(), job.counted.job());
            let ends = self.ends(params.ticks(number), Instant::now()).collect::<Vec<_>>();
            let server = self.server.clone();
            thread::spawn(move || {
                let result = group.child(&server, work.start(), &ends, number, failed);
                let is_failure = matches!(result, Err(Failure::Child(_)));
                let goes_on = result.is_ok();
                // Whoever asked may be gone, in a server that does not wait.
                let _ = sender.send(result);
                if is_failure {
                    server.failed.fetch_add(1, Ordering::Relaxed);
                }
                if !goes_on {
                    group.end();
                }
            })
        };
        let children: Vec<_> = (0..params.width).map(spawn).collect();
        let (ctx, weak) = (group.ctx.clone(), Arc::downgrade(&group));
        drop(group);
        let woken = wait(self.leaving(), &[&done, &self.server.over], ctx.deadline());
        if let (Some(group), false) = (weak.upgrade(), leaves) {
            match woken {
                Ok(Woken::Rung) => group.cancel.cancel_cause(Reason::Shutdown),
                Ok(Woken::Late) => {}
                Ok(Woken::Ready) | Err(_) => group.cancel.cancel_cause(Reason::Disconnect),
            }
        }
        if leaves {
            outcome::live(job.ctx)?;
        } else {
            children.into_iter().for_each(|child| child.join().expect("a child returns its failure"));
        }
        outcome::group(ended.try_iter())?;
        Ok(answer::fanout(job.identity, params.width))
    }

    /// Waits for work on a thread that nothing can stop.
    pub(crate) fn blocking(&self, job: &Job<'_>, params: &Slow) -> Result<Worked, Failure> {
        let (done, alive) = io::pipe().map_err(|_| Refusal::Busy)?;
        let ends: Vec<_> = self.ends(params.ticks(), Instant::now()).collect();
        let (counted, slot) = (job.counted.job(), self.slot.clone());
        let thread = thread::spawn(move || {
            let _held = (alive, slot);
            let (mut work, began) = (counted.start(), Instant::now());
            for end in ends {
                thread::sleep(end.saturating_duration_since(Instant::now()));
                work.beat();
            }
            work.completed();
            Worked { began, ended: Instant::now() }
        });
        match wait(self.leaving(), &[&done, &self.server.over], job.ctx.deadline()) {
            Ok(Woken::Rung) if self.server.is_over() => Err(Reason::Shutdown.into()),
            Ok(Woken::Rung) => Ok(thread.join().expect("work does not panic")),
            Ok(Woken::Late) => Err(Reason::Deadline.into()),
            Ok(Woken::Ready) | Err(_) => Err(Reason::Disconnect.into()),
        }
    }

    /// Streams chunks until they are all out, or the deadline or the client's leaving truncates them.
    pub(crate) fn stream(&mut self, job: &Job<'_>, params: &Stream) -> Result<(), Reason> {
        let deadline = job.ctx.deadline().expect("every request has a deadline");
        let chunked = job.head.version != Version::HTTP_10;
        let head = answer::stream(job.identity).header(CONNECTION, "close").body(());
        self.streams_until = Some(deadline);
        self.clock.streaming(Some(deadline), !chunked && self.server.fault != Fault::CutsInOrder);
        self.write(&wire::streamed(&head.expect("its head is well formed"), chunked))
            .map_err(|_| Reason::Disconnect)?;
        let mut work = job.counted.job().start();
        for (number, end) in (0..).zip(self.ends(params.ticks(), Instant::now())) {
            self.pause(end.min(deadline))?;
            if deadline < end {
                return Err(Reason::Deadline);
            }
            work.beat();
            let chunk = answer::chunk(number);
            let bytes = if chunked { wire::chunk(&chunk) } else { chunk };
            let gone = self.write(bytes.as_bytes()).is_err();
            if gone && self.server.fault != Fault::IgnoresDisconnects {
                return Err(Reason::Disconnect);
            }
        }
        work.completed();
        let last =
            if chunked && self.server.fault != Fault::ForgetsLastChunk { wire::LAST_CHUNK } else { "" };
        self.write(last.as_bytes()).map_err(|_| Reason::Disconnect)?;
        self.idle(false);
        self.clock.flushed();
        Ok(())
    }
}

impl Group {
    /// A child has failed: that is its siblings' end.
    fn end(&self) {
        match self.fault {
            Fault::LeavesChildren => drop((&self.alive).write(b"!")),
            _ => self.cancel.cancel(),
        }
    }

    /// Does a child's work, tick by tick, in a server whose groups had failed so often when it began.
    fn child(
        &self,
        server: &Server,
        mut work: Work,
        ends: &[Instant],
        number: u32,
        failed: usize,
    ) -> Result<(), Failure> {
        let began = Instant::now();
        for end in ends {
            if self.ctx.wait_until(*end).is_some() {
                return Err(Reason::why(&self.ctx).into());
            }
            if self.fault == Fault::CancelsEveryGroup && server.failed.load(Ordering::Relaxed) > failed {
                return Err(Reason::Canceled.into());
            }
            work.beat();
        }
        work.completed();
        if self.params.fail == Some(number) {
            return Err(Failure::Child(number));
        }
        Worked { began, ended: Instant::now() }.in_time(&self.ctx)?;
        Ok(())
    }
}
