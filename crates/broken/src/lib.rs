//! The harness under test: servers that each break one promise, and the scenarios that must notice.
//!
//! - [`Fault`]: what can be broken, with the scenarios that each fault must fail, and no other.
//! - [`SUPPORTS`]: what the server keeps of the contract when nothing is broken.
//! - the program `broken --fault NAME`: the server. `tests/faults.rs` judges it.

use clap::ValueEnum;

/// What the server supports: the contract without streams, groups, panics and the styles that need a pool.
pub const SUPPORTS: &[&str] = &[
    "admin",
    "witness",
    "routing",
    "methods",
    "head",
    "post",
    "keep-alive",
    "request-id",
    "json-errors",
    "timeout-header",
    "param:work",
    "style:context",
    "style:spin",
    "endpoint:/values",
    "endpoint:/upload",
    "flag:--listen",
    "flag:--request-timeout",
    "flag:--shutdown-timeout",
    "flag:--read-header-timeout",
    "flag:--read-timeout",
    "flag:--idle-timeout",
    "flag:--max-connections",
    "flag:--on-disconnect",
];

/// A promise to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// Keeps all of them.
    None,
    /// Answers 504, and the work goes on.
    KeepsWorking,
    /// The work goes on, and the census is told that it ended.
    LiesToCensus,
    /// Cuts the caller's timeout down to tens of milliseconds: some answers are early.
    RoundsDown,
    /// Answers 200 on the same connection when the work would have ended, after the 504.
    AnswersTwice,
    /// Works on past the deadline, and answers 200 when the work is done.
    IgnoresDeadline,
    /// Goes by the caller's timeout, however long.
    TrustsCaller,
    /// Starts work whose deadline has passed.
    StartsDeadWork,
    /// Answers 200 for work that ended after its deadline.
    ServesLate,
    /// Works on for clients that have left.
    IgnoresDisconnects,
    /// Does detached work twice.
    WorksTwice,
    /// Leaves a thread behind for each timeout.
    LeaksThreads,
    /// Leaves a context behind for each timeout.
    LeaksContexts,
    /// Leaves an open file behind for each timeout.
    LeaksDescriptors,
    /// Leaves four kilobytes behind for each timeout.
    LeaksMemory,
    /// Forgets the request's id in the 504.
    LosesRequestId,
    /// Answers a request with the values of the first one on its connection.
    KeepsValues,
    /// Answers 200 to what is no request.
    ServesGarbage,
    /// Closes with the rest of a request unread, and no more ado: the client sees a reset.
    ResetsUnread,
    /// Writes each answer in two parts with Nagle's algorithm on: the second waits for the client's delayed ACK.
    WaitsForAcks,
    /// Begins the header timeout anew at each byte.
    PatientWithTrickles,
    /// Knows no limit on connections.
    KnowsNoLimit,
    /// Tries again at once when `accept` finds no descriptor.
    SpinsOnAccept,
    /// Goes on at SIGTERM as if nothing had come.
    IgnoresSigterm,
    /// Exits at SIGTERM and drops what runs.
    DiesAtSigterm,
}

impl Fault {
    /// The scenarios that the fault must fail, and no other, of those that [`SUPPORTS`] has what they need for.
    pub fn fails(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::KeepsWorking => KEEPS_WORKING,
            // Only the work's own word gives it away.
            Self::LiesToCensus => &["work/context"],
            // Deadlines of whole tens of milliseconds are kept.
            Self::RoundsDown => &["deadline/never-early"],
            Self::AnswersTwice => &["deadline/kept-alive-after-504", "deadline/work-wins-a-tie"],
            Self::IgnoresDeadline => IGNORES_DEADLINE,
            Self::TrustsCaller => &["deadline/caller-longer-is-capped", "deadline/header-huge"],
            Self::StartsDeadWork => &["deadline/zero-budget"],
            Self::ServesLate => &["deadline/late-work-is-504"],
            Self::IgnoresDisconnects => IGNORES_DISCONNECTS,
            Self::WorksTwice => WORKS_TWICE,
            // The census knows nothing of threads, files and bytes; the kernel does.
            Self::LeaksThreads | Self::LeaksDescriptors | Self::LeaksMemory => {
                &["leak/storm", "leak/upload-storm"]
            }
            Self::LeaksContexts => &["leak/storm", "leak/upload-storm", "work/contexts-released"],
            Self::LosesRequestId => &["deadline/504-says-why"],
            Self::KeepsValues => &["values/not-shared", "values/pipelined"],
            Self::ServesGarbage => SERVES_GARBAGE,
            Self::ResetsUnread => &["deadline/unread-body-close"],
            Self::WaitsForAcks => &["baseline/no-stall"],
            Self::PatientWithTrickles => &["timeouts/header-trickle"],
            Self::KnowsNoLimit => &["faults/refused-in-numbers", "faults/too-many-connections"],
            Self::SpinsOnAccept => &["faults/fd-exhaustion"],
            Self::IgnoresSigterm | Self::DiesAtSigterm => SHUTDOWN,
        }
    }
}

const KEEPS_WORKING: &[&str] = &[
    "disconnect/detach-deadline",
    "disconnect/serve-deadline",
    "leak/storm",
    "shutdown/deadline-while-draining",
    "work/cleanup-ran",
    "work/context",
    "work/contexts-released",
    "work/counted",
    "work/one-end-each",
];

const IGNORES_DEADLINE: &[&str] = &[
    "deadline/504-says-why",
    "deadline/answers-504",
    "deadline/caller-longer-is-capped",
    "deadline/caller-shorter",
    "deadline/fresh-for-each-request",
    "deadline/header-forms",
    "deadline/header-huge",
    "deadline/kept-alive-after-504",
    "deadline/never-early",
    "deadline/partial-body-close",
    "deadline/pipelined",
    "deadline/server-default",
    "deadline/unread-body-close",
    "disconnect/after-a-504",
    "disconnect/detach-deadline",
    "disconnect/serve-deadline",
    "shutdown/deadline-while-draining",
    "values/after-a-504",
    "work/cleanup-ran",
    "work/context",
    "work/contexts-released",
    "work/counted",
    "work/one-end-each",
];

const IGNORES_DISCONNECTS: &[&str] = &[
    "disconnect/after-a-504",
    "disconnect/body-chunked-unread-fin",
    "disconnect/body-dropped-fin",
    "disconnect/body-dropped-rst",
    "disconnect/body-large-unread-rst",
    "disconnect/body-partial-unread-fin",
    "disconnect/body-partial-unread-half-close",
    "disconnect/body-partial-unread-rst",
    "disconnect/body-whole-unread-fin",
    "disconnect/body-whole-unread-rst",
    "disconnect/expect-continue-fin",
    "disconnect/expect-continue-rst",
    "disconnect/fin",
    "disconnect/half-close",
    "disconnect/kept-alive-fin",
    "disconnect/kept-alive-rst",
    "disconnect/others-untouched",
    "disconnect/pipelined-later-fin",
    "disconnect/pipelined-later-half-close",
    "disconnect/pipelined-later-rst",
    "disconnect/pipelined-never-starts",
    "disconnect/pipelined-same-segment-fin",
    "disconnect/pipelined-same-segment-half-close",
    "disconnect/pipelined-same-segment-rst",
    "disconnect/rst",
    "disconnect/sent-and-closed",
    "disconnect/sent-and-reset",
    "disconnect/serve-half-close-then-rst",
    "disconnect/serve-pipelined-rst",
    "disconnect/serve-rst",
    "disconnect/urlopen-gives-up",
    "leak/disconnect-storm",
    "shutdown/disconnect-while-draining",
];

const WORKS_TWICE: &[&str] = &[
    "disconnect/detach",
    "disconnect/detach-fin",
    "disconnect/detach-half-close",
    "disconnect/detach-many",
    "disconnect/detach-pipelined-rst",
];

const SERVES_GARBAGE: &[&str] = &[
    "faults/conflicting-lengths",
    "faults/garbage-behind-a-request",
    "faults/head-too-large-431",
    "faults/header-bytes",
    "faults/malformed-head",
    "faults/repeated-coding",
    "faults/too-many-headers",
    "faults/unknown-coding",
    "faults/version-505-or-closed",
    "leak/garbage-storm",
];

const SHUTDOWN: &[&str] = &[
    "shutdown/cancels-at-timeout",
    "shutdown/deadline-while-draining",
    "shutdown/disconnect-while-draining",
    "shutdown/drains",
    "shutdown/exit-status",
    "shutdown/half-sent-head",
    "shutdown/idle-closed",
    "shutdown/keep-alive-closes",
    "shutdown/port-released",
    "shutdown/refuses-new",
    "shutdown/second-signal",
    "shutdown/second-signal-int",
    "shutdown/sigint",
    "shutdown/stalled-upload",
];
