//! The harness under test: servers that each break one promise, and the scenarios that must notice.
//!
//! - [`Fault`]: what can be broken, with the scenarios that each fault must fail, and no other.
//! - [`SUPPORTS`]: what the server keeps of the contract when nothing is broken.
//! - the program `broken --fault NAME`: the server. `tests/faults.rs` judges it.

mod fails;
pub mod proxy;

use clap::ValueEnum;

/// The server's capabilities: the contract without detached work.
pub const SUPPORTS: &[&str] = &[
    "admin",
    "witness",
    "http2",
    "routing",
    "methods",
    "head",
    "post",
    "keep-alive",
    "request-id",
    "json-errors",
    "timeout-header",
    "param:work",
    "param:body",
    "param:tick",
    "limits",
    "style:context",
    "style:drop",
    "style:blocking",
    "style:polling",
    "style:spin",
    "style:permit",
    "style:process",
    "style:upstream",
    "style:query",
    "endpoint:/values",
    "endpoint:/upload",
    "endpoint:/stream",
    "endpoint:/fanout",
    "endpoint:/panic",
    "flag:--listen",
    "flag:--threads",
    "flag:--blocking-threads",
    "flag:--permits",
    "flag:--upstream",
    "flag:--reserve",
    "flag:--database",
    "flag:--request-timeout",
    "flag:--shutdown-timeout",
    "flag:--read-header-timeout",
    "flag:--read-timeout",
    "flag:--write-timeout",
    "flag:--idle-timeout",
    "flag:--tcp-keepalive",
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
    /// Does work twice that has come to its end.
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
    /// Closes without more ado behind an answer whose request was read whole, whatever else lies unread.
    LingersForBodiesAlone,
    /// Reads on behind its last answer for as long as the client does not close.
    LingersForEver,
    /// Takes an empty line behind a request for the beginning of a head.
    CountsEmptyLines,
    /// Takes the time that a request waited behind another off its read timeout.
    CountsTheQueue,
    /// Takes a read that does not end in an empty line for half a head, and one that does for whole requests.
    GuessesFromPackets,
    /// Closes in order in the middle of a stream whose end is that of the connection.
    CutsInOrder,
    /// Writes each answer in two parts with Nagle's algorithm on: the second waits for the client's delayed ACK.
    WaitsForAcks,
    /// Begins the header timeout anew at each byte.
    PatientWithTrickles,
    /// Knows no limit on connections.
    KnowsNoLimit,
    /// Probes no silent connection.
    ForgetsKeepalive,
    /// Bounds no data that is not acknowledged.
    ForgetsUserTimeout,
    /// Tries again at once when `accept` finds no descriptor, on each of its threads that accept.
    SpinsOnAccept,
    /// Goes on at SIGTERM as if nothing had come.
    IgnoresSigterm,
    /// Exits at SIGTERM and drops what runs.
    DiesAtSigterm,
    /// Exits 0 whatever happened.
    ExitsZero,
    /// Has forgotten a route of HTTP/1.1 in a refactoring: /fast.
    LosesARoute,
    /// Answers 200 to paths that it does not know.
    ServesUnknownPaths,
    /// Sends the body of an answer to HEAD.
    AnswersHeadWithBody,
    /// Closes behind every answer.
    ClosesEveryTime,
    /// Names every answer by an id of its own, the same for all.
    StampsOneId,
    /// Sends the client's id back as it came.
    ReflectsIds,
    /// Leaves out what it cannot read of a request's parameters and headers, as if it had not been there.
    FallsBackToDefaults,
    /// Knows no limit on bodies and targets.
    TakesAnySize,
    /// Answers 500 to what asks for next to nothing, and 200 to methods that a path does not have.
    FailsEasyRequests,
    /// Takes what the first read gave for the whole head.
    ReadsOnce,
    /// Refuses empty lines before a head.
    RefusesEmptyLines,
    /// Keeps connections open behind an answer in HTTP/1.0.
    KeepsHttp10,
    /// Does half of the work that it was asked for.
    StopsShort,
    /// Sends heartbeats of work that nobody asked to hear of.
    BeatsUnasked,
    /// Shows the work none of the request's values.
    LosesValues,
    /// Shows the subject of a client that left to those that come without one.
    KeepsValuesOfTheGone,
    /// Waits for heads and next requests without a bound.
    NeverTimesOut,
    /// Counts the idle timeout from the accept.
    IdlesFromTheAccept,
    /// Waits without a bound for a client that takes no answer.
    WaitsForReaders,
    /// Waits on for requests of a client that can send none any more.
    KeepsHalfClosed,
    /// Cancels at every half-close and reset, whatever it was told that a client's leaving means.
    AlwaysCancels,
    /// Takes the end of a body that was read for the end of its client.
    TakesBodiesForEnds,
    /// Watches for the end of a client only until the client's body has been read.
    WatchesBodiesAlone,
    /// Takes any byte that comes while work runs for the end of its client.
    TakesBytesForEnds,
    /// Takes a byte of urgent data for the end of its client.
    TakesUrgencyForEnds,
    /// Takes a client that has been silent for 1.2 s for one that has left.
    TakesSilenceForEnds,
    /// Cancels the work of every request but the first on its connection.
    CancelsOnReuse,
    /// Cancels the work of clients that speak HTTP/1.0.
    CancelsHttp10,
    /// Runs the timeouts of a connection while work runs.
    TimesWork,
    /// Cancels all work at a signal that was not meant for it.
    CancelsAtSignals,
    /// Takes requests whose ids begin alike for one client, and ends all of them when one ends in any way but well.
    EndsNeighbors,
    /// Leaves an open file behind for each connection that it turns away.
    LeaksRefused,
    /// Exits when a handler panics.
    DiesOfPanics,
    /// Answers for a group whose child has failed while the other children work on.
    LeavesChildren,
    /// Takes the failure of one group for the failure of all.
    CancelsEveryGroup,
    /// Has one thread to run everything on, and work that spins or blocks keeps it.
    HasOneThread,
    /// Serves as many connections at once as it has threads for.
    HasFewThreads,
    /// Ends a stream without its last chunk.
    ForgetsLastChunk,
    /// Has metrics of which one was renamed.
    LosesMetrics,
    /// Serves the clients of its admin address one by one, each for as long as it takes.
    SerializesAdmin,
    /// Prints its log where it runs, and waits for whoever reads it.
    PrintsItsLog,
    /// Panics where its start fails.
    PanicsAtStart,
    /// Judges what its parser made of a head, and not the bytes that were sent.
    TrustsItsParser,
    /// Gives a permit back where its work comes to its end, and nowhere else.
    LosesPermits,
    /// Waits for a permit without looking at its context.
    WaitsForPermits,
    /// Counts its permits, and grants one whenever it is asked.
    GrantsAnyPermit,
    /// Lets a child process run on when its request has ended.
    LeavesProcesses,
    /// Kills the child process of a request that has ended, and does not reap it.
    LeavesDefunct,
    /// Starts child processes that outlive it.
    OrphansProcesses,
    /// Waits for its child process without looking at anything else.
    WaitsForProcesses,
    /// Passes the budget on as it came.
    PassesBudgetOn,
    /// Passes the `traceparent` on as it came.
    PassesTraceOn,
    /// Passes the `tracestate` on as it came, malformed or not, and with no `traceparent` beside it.
    PassesStateOn,
    /// Keeps the connection of a call whose request has ended.
    LeavesCalls,
    /// Connects to its upstream with no timeout.
    WaitsToConnect,
    /// Gives its upstream a tenth of a second to accept.
    HurriesToConnect,
    /// Throws away what its upstream has sent before the request is out.
    DropsEarlyAnswers,
    /// Answers 200 whatever became of its call.
    AnswersForUpstreams,
    /// Closes the connection of a query whose request has ended, and does not cancel it.
    LeavesQueries,
    /// Cancels a query, and never gives the slot of its connection back.
    LosesConnections,
    /// Cancels a query at its deadline again and again, when another may have its connection.
    CancelsLate,
    /// Answers 200 for its database.
    AnswersForDatabases,
    /// Serves HTTP/1.1 no more once a client has spoken HTTP/2.
    H2CutsHttp1,
    /// Announces no limit on streams.
    H2AnnouncesNoLimit,
    /// Serves as many streams at once as it is asked for.
    H2KnowsNoLimit,
    /// Frees the slot of a stream that was reset before its work has ended.
    H2FreesSlotsEarly,
    /// Frees the slot of a stream a moment behind its answer.
    H2FreesSlotsLate,
    /// Never frees the slot of a stream that was reset.
    H2LosesSlots,
    /// Works on for streams that it has reset itself.
    H2WorksOnWhenItResets,
    /// Cancels all streams of a connection when one of them is reset.
    H2CancelsNeighbors,
    /// Takes a frame that says nothing about leaving for the client's leave.
    H2TakesFramesForLeaving,
    /// Takes the client's GOAWAY for its leave.
    H2CancelsAtGoaway,
    /// Takes an RST_STREAM for a stream that has ended for an error of the connection.
    H2DislikesLateResets,
    /// Takes the thousandth reset of a connection for an attack, however long after the first.
    H2CountsResets,
    /// Closes the connection behind a 504.
    H2ClosesAtDeadlines,
    /// Leaves a stream open whose answer came before the end of its request.
    H2LeavesStreamsOpen,
    /// Ends a stream that was cut off as if it were whole.
    H2EndsTruncated,
    /// Holds back the head of an answer whose body has no window.
    H2HoldsHeads,
    /// Sends more than the client's windows hold.
    H2IgnoresWindows,
    /// Gives no window for bodies beyond the first.
    H2GrantsNothing,
    /// Waits with all streams of a connection for the window of one.
    H2StallsTogether,
    /// Counts the idle timeout from the connection's begin, also while streams run.
    H2IdlesWhileBusy,
    /// Closes without GOAWAY.
    H2SaysNoGoaway,
    /// Goes on behind frames that break the protocol.
    H2TakesWrongFrames,
    /// Makes the best of requests that HTTP/2 forbids.
    H2TakesMalformed,
    /// Takes a lock that all need for each frame of a flood.
    H2LocksForFloods,
}
