//! The scenarios that each fault must fail; it fails no others, but for what luck decides.

mod closing;
mod h2;
mod lists;
mod luck;
mod outside;
mod process;
mod shutdown;
mod spared;
mod work;

use crate::Fault;

use closing::*;
use lists::*;
use outside::*;
use process::*;
use shutdown::*;
use spared::*;
use work::*;

impl Fault {
    /// The scenarios that the fault must fail, of those that [`SUPPORTS`](crate::SUPPORTS) has what they need for. It fails
    /// no other, but for those of [`may_fail`](Self::may_fail).
    pub fn fails(self) -> Vec<&'static str> {
        [self.fails_over_http1(), &self.fails_over_h2()].concat()
    }
}

/// Makes `Fault::fails_over_http1` of a table with a line for each fault: one that is missing does not compile.
macro_rules! table {
    ($($fault:ident => $scenarios:expr,)*) => {
        impl Fault {
            /// The scenarios of other areas than `h2` that the fault must fail.
            fn fails_over_http1(self) -> &'static [&'static str] {
                match self {
                    $(Self::$fault => $scenarios,)*
                }
            }
        }
    };
}

table! {
    None => &[],
    KeepsWorking => KEEPS_WORKING,
    // Only the work's own word gives it away, and the thread that gives it.
    LiesToCensus => &["hops/deadline", "leak/storm-drop", "work/context", "work/drop", "work/polling"],
    // Deadlines of whole tens of milliseconds are kept, and what is left of one behind a hop is none.
    RoundsDown => &["deadline/never-early", "hops/deadline"],
    AnswersTwice => &["deadline/kept-alive-after-504", "deadline/work-wins-a-tie", "leak/storm-drop"],
    IgnoresDeadline => IGNORES_DEADLINE,
    TrustsCaller => &["deadline/caller-longer-is-capped", "deadline/header-huge"],
    StartsDeadWork => &["deadline/zero-budget", "group/zero-budget-starts-no-child"],
    ServesLate => &["deadline/late-work-is-504"],
    IgnoresDisconnects => IGNORES_DISCONNECTS,
    WorksTwice => WORKS_TWICE,
    // The census knows nothing of threads, files and bytes; the kernel does.
    LeaksThreads => LEAKS_THREADS,
    LeaksContexts => LEAKS_CONTEXTS,
    LeaksDescriptors => LEAKS_DESCRIPTORS,
    LeaksMemory => &["leak/storm", "leak/storm-drop", "leak/storm-polling", "leak/upload-storm"],
    LosesRequestId => &["deadline/504-says-why"],
    KeepsValues => &["values/not-shared", "values/pipelined"],
    ServesGarbage => SERVES_GARBAGE,
    ResetsUnread => &["closing/refused-connections", "closing/refused-head", "deadline/unread-body-close"],
    LingersForBodiesAlone => LINGERS_FOR_BODIES_ALONE,
    LingersForEver => LINGERS_FOR_EVER,
    CountsEmptyLines => &["timeouts/any-split", "timeouts/empty-line-behind-a-body"],
    CountsTheQueue => &["timeouts/upload-behind-work"],
    GuessesFromPackets => GUESSES_FROM_PACKETS,
    CutsInOrder => &["closing/cut-http-10", "closing/stopped-http-10"],
    WaitsForAcks => &["baseline/no-stall"],
    PatientWithTrickles => &["timeouts/empty-lines", "timeouts/header-trickle"],
    KnowsNoLimit => &["closing/refused-connections", "faults/refused-in-numbers", "faults/too-many-connections"],
    ForgetsKeepalive => FORGETS_KEEPALIVE,
    ForgetsUserTimeout => &["vanish/stream"],
    SpinsOnAccept => &["faults/fd-exhaustion"],
    IgnoresSigterm => IGNORES_SIGTERM,
    DiesAtSigterm => DIES_AT_SIGTERM,
    ExitsZero => EXITS_ZERO,
    LosesARoute => LOSES_A_ROUTE,
    ServesUnknownPaths => &[
        "baseline/json-answers",
        "baseline/unknown-404",
        "probe/routing",
        "faults/absolute-form",
        "faults/odd-targets",
        "timeouts/any-split",
    ],
    AnswersHeadWithBody => &["baseline/head-no-body"],
    ClosesEveryTime => CLOSES_EVERY_TIME,
    StampsOneId => STAMPS_ONE_ID,
    ReflectsIds => &["baseline/request-id-hostile"],
    FallsBackToDefaults => FALLS_BACK_TO_DEFAULTS,
    TakesAnySize => &[
        "faults/body-too-large",
        "faults/body-too-large-chunked",
        "faults/refused-with-much-behind",
        "faults/uri-too-long-414",
        "faults/uri-too-long-anywhere",
    ],
    FailsEasyRequests => FAILS_EASY_REQUESTS,
    ReadsOnce => READS_ONCE,
    RefusesEmptyLines => &[
        "faults/empty-line-first",
        "timeouts/any-split",
        "timeouts/empty-line-behind-a-body",
        "timeouts/empty-lines",
    ],
    KeepsHttp10 => &["faults/http-10", "timeouts/any-split"],
    StopsShort => STOPS_SHORT,
    BeatsUnasked => &["work/unnamed-is-silent"],
    LosesValues => LOSES_VALUES,
    KeepsValuesOfTheGone => &["values/after-a-disconnect"],
    NeverTimesOut => NEVER_TIMES_OUT,
    IdlesFromTheAccept => &["timeouts/empty-line-behind-a-body", "timeouts/head-by-line", "timeouts/idle-starts-anew"],
    WaitsForReaders => &["timeouts/pipelined-reader", "timeouts/slow-reader"],
    KeepsHalfClosed => KEEPS_HALF_CLOSED,
    AlwaysCancels => ALWAYS_CANCELS,
    TakesBodiesForEnds => TAKES_BODIES_FOR_ENDS,
    WatchesBodiesAlone => &["disconnect/body-read-fin", "disconnect/body-read-rst"],
    TakesBytesForEnds => TAKES_BYTES_FOR_ENDS,
    TakesUrgencyForEnds => &["spared/urgent-data"],
    TakesSilenceForEnds => TAKES_SILENCE_FOR_ENDS,
    CancelsOnReuse => CANCELS_ON_REUSE,
    CancelsHttp10 => &["spared/http-10"],
    TimesWork => TIMES_WORK,
    CancelsAtSignals => &["spared/signals"],
    EndsNeighbors => ENDS_NEIGHBORS,
    LeaksRefused => &["leak/refused-storm"],
    DiesOfPanics => DIES_OF_PANICS,
    LeavesChildren => LEAVES_CHILDREN,
    CancelsEveryGroup => &["group/spares-other-groups"],
    HasOneThread => &[
        "deadline/blocking-pool-full",
        "deadline/spinning-neighbour",
        "disconnect/spinning-neighbour",
    ],
    // What needs the most connections goes first: it is what proves the fault when there is no time for more.
    HasFewThreads => &["faults/thousand-strangers", "deadline/thousand-at-once", "deadline/fast-in-a-storm"],
    ForgetsLastChunk => &[
        "baseline/stream-whole",
        "closing/empty-line-behind",
        "closing/request-behind",
        "closing/slow-readers",
        "timeouts/quiet-stream-spared",
    ],
    LosesMetrics => &["baseline/census-adds-up"],
    SerializesAdmin => &["faults/odd-admin-clients", "faults/slow-admin-client"],
    PrintsItsLog => PRINTS_ITS_LOG,
    PanicsAtStart => PANICS_AT_START,
    TrustsItsParser => TRUSTS_ITS_PARSER,
    LosesPermits => LOSES_PERMITS,
    WaitsForPermits => WAITS_FOR_PERMITS,
    GrantsAnyPermit => GRANTS_ANY_PERMIT,
    LeavesProcesses => LEAVES_PROCESSES,
    LeavesDefunct => LEAVES_DEFUNCT,
    OrphansProcesses => &["outside/process-server-killed"],
    WaitsForProcesses => WAITS_FOR_PROCESSES,
    PassesTraceOn => &["hops/traceparent"],
    PassesStateOn => &["hops/tracestate"],
    PassesBudgetOn =>
        &["hops/answers", "hops/budgets", "outside/upstream-head", "outside/upstream-no-budget"],
    LeavesCalls => LEAVES_CALLS,
    WaitsToConnect => &["outside/upstream-accepts-never"],
    HurriesToConnect => &["outside/upstream-accepts-late", "outside/upstream-accepts-never"],
    DropsEarlyAnswers => &["outside/upstream-answers-early"],
    AnswersForUpstreams => ANSWERS_FOR_UPSTREAMS,
    LeavesQueries => LEAVES_QUERIES,
    LosesConnections => &["outside/query-slots", "outside/query-neighbors"],
    CancelsLate => &["outside/query-deadline", "outside/query-neighbors"],
    AnswersForDatabases => ANSWERS_FOR_DATABASES,
    // What these break is only in HTTP/2.
    H2CutsHttp1 => &[],
    H2AnnouncesNoLimit => &[],
    H2KnowsNoLimit => &[],
    H2FreesSlotsEarly => &[],
    H2FreesSlotsLate => &[],
    H2LosesSlots => &[],
    H2WorksOnWhenItResets => &[],
    H2CancelsNeighbors => &[],
    H2TakesFramesForLeaving => &[],
    H2CancelsAtGoaway => &[],
    H2DislikesLateResets => &[],
    H2CountsResets => &[],
    H2ClosesAtDeadlines => &[],
    H2LeavesStreamsOpen => &[],
    H2EndsTruncated => &[],
    H2HoldsHeads => &[],
    H2IgnoresWindows => &[],
    H2GrantsNothing => &[],
    H2StallsTogether => &[],
    H2IdlesWhileBusy => &[],
    H2SaysNoGoaway => &[],
    H2TakesWrongFrames => &[],
    H2TakesMalformed => &[],
    H2LocksForFloods => &[],
}
