//! The counters, and what they look like from outside.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use serde::Serialize;

/// Every counter of a server. What is live is signed: two guards may be released in either order, and for an instant
/// a difference can dip below zero; a snapshot shows zero then.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) connections_live: AtomicI64,
    pub(crate) accepted: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) requests_live: AtomicI64,
    pub(crate) requests_started: AtomicU64,
    /// By status, counted from 100.
    pub(crate) answered: [AtomicU64; 500],
    pub(crate) ended: [AtomicU64; Ending::ALL.len()],
    pub(crate) work_live: AtomicI64,
    pub(crate) work_zombie: AtomicI64,
    pub(crate) work_started: AtomicU64,
    pub(crate) work_completed: AtomicU64,
    pub(crate) work_canceled: AtomicU64,
    pub(crate) work_panicked: AtomicU64,
    pub(crate) contexts_live: AtomicI64,
    pub(crate) processes_live: AtomicI64,
    pub(crate) calls_live: AtomicI64,
    pub(crate) queries_live: AtomicI64,
    pub(crate) permits_taken: AtomicI64,
    pub(crate) permits_awaited: AtomicI64,
    pub(crate) ids_made: AtomicU64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            connections_live: AtomicI64::default(),
            accepted: AtomicU64::default(),
            refused: AtomicU64::default(),
            requests_live: AtomicI64::default(),
            requests_started: AtomicU64::default(),
            answered: [const { AtomicU64::new(0) }; 500],
            ended: Default::default(),
            work_live: AtomicI64::default(),
            work_zombie: AtomicI64::default(),
            work_started: AtomicU64::default(),
            work_completed: AtomicU64::default(),
            work_canceled: AtomicU64::default(),
            work_panicked: AtomicU64::default(),
            contexts_live: AtomicI64::default(),
            processes_live: AtomicI64::default(),
            calls_live: AtomicI64::default(),
            queries_live: AtomicI64::default(),
            permits_taken: AtomicI64::default(),
            permits_awaited: AtomicI64::default(),
            ids_made: AtomicU64::default(),
        }
    }
}

/// The ways in which a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Completed,
    Deadline,
    Disconnect,
    Shutdown,
    Panic,
}

impl Ending {
    pub(crate) const ALL: [(Self, &'static str); 5] = [
        (Self::Completed, "completed"),
        (Self::Deadline, "deadline"),
        (Self::Disconnect, "disconnect"),
        (Self::Shutdown, "shutdown"),
        (Self::Panic, "panic"),
    ];
}

/// The counters at one moment, in the shape of `GET /census`.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// Which server counts.
    pub server: &'static str,
    /// Milliseconds since it started.
    pub uptime_ms: u64,
    /// Its connections.
    pub connections: Connections,
    /// Its requests.
    pub requests: Requests,
    /// Its work.
    pub work: Work,
    /// Its request contexts.
    pub contexts: Contexts,
    /// Its work that is not in the process.
    pub outside: Outside,
    /// The runtime's own figures.
    pub runtime: Runtime,
}

/// Connections, open and in all.
#[derive(Clone, Debug, Serialize)]
pub struct Connections {
    /// Open now.
    pub live: u64,
    /// Accepted so far, the refused ones not among them.
    pub accepted: u64,
    /// Turned away with 503 so far.
    pub refused: u64,
}

/// Requests, running and in all.
#[derive(Clone, Debug, Serialize)]
pub struct Requests {
    /// Running now.
    pub live: u64,
    /// Begun so far.
    pub started: u64,
    /// Answers so far, by status.
    pub answered: BTreeMap<u16, u64>,
    /// Ends so far, by kind.
    pub ended: BTreeMap<&'static str, u64>,
}

/// Work, alive and in all.
#[derive(Clone, Debug, Serialize)]
pub struct Work {
    /// Alive now.
    pub live: u64,
    /// Alive now though its request has ended.
    pub zombie: u64,
    /// Begun so far.
    pub started: u64,
    /// Done so far.
    pub completed: u64,
    /// Stopped before its end so far.
    pub canceled: u64,
    /// Panicked so far.
    pub panicked: u64,
}

/// Request contexts.
#[derive(Clone, Debug, Serialize)]
pub struct Contexts {
    /// Alive now.
    pub live: u64,
}

/// Work that is not in the process.
#[derive(Clone, Debug, Serialize)]
pub struct Outside {
    /// Child processes that are not reaped yet.
    pub processes: u64,
    /// Calls to another server under way.
    pub calls: u64,
    /// Queries to a database under way.
    pub queries: u64,
    /// The permits.
    pub permits: Permits,
}

/// Permits to work.
#[derive(Clone, Debug, Serialize)]
pub struct Permits {
    /// Taken by no request.
    pub free: u64,
    /// Requests that wait for one.
    pub waiting: u64,
}

/// The runtime.
#[derive(Clone, Debug, Serialize)]
pub struct Runtime {
    /// Live tasks by the runtime's own count, where it has one.
    pub tasks: Option<usize>,
}

impl Counts {
    /// The counters of `server`, which has so many `permits` and runs for so long.
    pub(crate) fn snapshot(
        &self,
        server: &'static str,
        permits: u64,
        uptime: Duration,
        tasks: Option<usize>,
    ) -> Snapshot {
        let live = |counter: &AtomicI64| u64::try_from(counter.load(Relaxed)).unwrap_or(0);
        let total = |counter: &AtomicU64| counter.load(Relaxed);
        let answered = (100..).zip(&self.answered).map(|(status, count)| (status, total(count)));
        let ended = Ending::ALL.into_iter().map(|(ending, name)| (name, total(&self.ended[ending as usize])));
        // The parts are read before the wholes: a snapshot may miss the newest work, and never shows more zombies than work.
        let zombie = live(&self.work_zombie);
        Snapshot {
            server,
            uptime_ms: uptime.as_millis().try_into().unwrap_or(u64::MAX),
            connections: Connections {
                live: live(&self.connections_live),
                accepted: total(&self.accepted),
                refused: total(&self.refused),
            },
            requests: Requests {
                live: live(&self.requests_live),
                started: total(&self.requests_started),
                answered: answered.filter(|(_, count)| *count > 0).collect(),
                ended: ended.collect(),
            },
            work: Work {
                live: live(&self.work_live).max(zombie),
                zombie,
                started: total(&self.work_started),
                completed: total(&self.work_completed),
                canceled: total(&self.work_canceled),
                panicked: total(&self.work_panicked),
            },
            contexts: Contexts { live: live(&self.contexts_live) },
            outside: Outside {
                processes: live(&self.processes_live),
                calls: live(&self.calls_live),
                queries: live(&self.queries_live),
                permits: Permits {
                    free: permits.saturating_sub(live(&self.permits_taken)),
                    waiting: live(&self.permits_awaited),
                },
            },
            runtime: Runtime { tasks },
        }
    }
}

impl Snapshot {
    /// The same numbers in Prometheus' text format, version 0.0.4.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut text = String::new();
        let mut metric = |name: &str, kind: &str, help: &str, samples: &[(String, u64)]| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        };
        let plain = |value| vec![(String::new(), value)];
        let (connections, requests, work) = (&self.connections, &self.requests, &self.work);
        metric("lab_uptime_milliseconds", "gauge", "Time since the start.", &plain(self.uptime_ms));
        metric("lab_connections_live", "gauge", "Open connections.", &plain(connections.live));
        metric(
            "lab_connections_accepted_total",
            "counter",
            "Accepted connections.",
            &plain(connections.accepted),
        );
        metric(
            "lab_connections_refused_total",
            "counter",
            "Refused connections.",
            &plain(connections.refused),
        );
        metric("http_server_active_requests", "gauge", "Running requests.", &plain(requests.live));
        metric("lab_requests_started_total", "counter", "Requests begun.", &plain(requests.started));
        let answered = requests.answered.iter();
        let answered: Vec<_> = answered.map(|(status, n)| (format!("{{status=\"{status}\"}}"), *n)).collect();
        metric("lab_requests_answered_total", "counter", "Answers by status.", &answered);
        let ended: Vec<_> =
            requests.ended.iter().map(|(how, n)| (format!("{{how=\"{how}\"}}"), *n)).collect();
        metric("lab_requests_ended_total", "counter", "Ends by kind.", &ended);
        metric("lab_work_live", "gauge", "Live work.", &plain(work.live));
        metric("lab_work_zombie", "gauge", "Live work whose request has ended.", &plain(work.zombie));
        metric("lab_work_started_total", "counter", "Work begun.", &plain(work.started));
        metric("lab_work_completed_total", "counter", "Work done.", &plain(work.completed));
        metric("lab_work_canceled_total", "counter", "Work stopped before its end.", &plain(work.canceled));
        metric("lab_work_panicked_total", "counter", "Work that panicked.", &plain(work.panicked));
        metric("lab_contexts_live", "gauge", "Live request contexts.", &plain(self.contexts.live));
        let Outside { processes, calls, queries, permits } = &self.outside;
        metric("lab_outside_processes", "gauge", "Child processes not reaped yet.", &plain(*processes));
        metric("lab_outside_calls", "gauge", "Calls to another server.", &plain(*calls));
        metric("lab_outside_queries", "gauge", "Queries to a database.", &plain(*queries));
        metric("lab_permits_free", "gauge", "Permits that no request has.", &plain(permits.free));
        metric("lab_permits_waiting", "gauge", "Requests that wait for a permit.", &plain(permits.waiting));
        if let Some(tasks) = self.runtime.tasks {
            metric(
                "lab_runtime_tasks",
                "gauge",
                "Live tasks by the runtime's own count.",
                &plain(tasks as u64),
            );
        }
        text
    }
}
