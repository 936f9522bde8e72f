//! The scenarios that each fault must fail; it fails no others.

mod closing;
mod lists;
mod outside;
mod process;
mod spared;

use crate::Fault;

use closing::*;
use lists::*;
use outside::*;
use process::*;
use spared::*;

impl Fault {
    /// The scenarios that the fault must fail, and no other, of those that [`SUPPORTS`](crate::SUPPORTS) has what they
    /// need for.
    pub fn fails(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::KeepsWorking => KEEPS_WORKING,
            // Only the work's own word gives it away.
            Self::LiesToCensus => &["work/context", "work/drop"],
            // Deadlines of whole tens of milliseconds are kept.
            Self::RoundsDown => &["deadline/never-early"],
            Self::AnswersTwice => &["deadline/kept-alive-after-504", "deadline/work-wins-a-tie"],
            Self::IgnoresDeadline => IGNORES_DEADLINE,
            Self::TrustsCaller => &["deadline/caller-longer-is-capped", "deadline/header-huge"],
            Self::StartsDeadWork => &["deadline/zero-budget", "group/zero-budget-starts-no-child"],
            Self::ServesLate => &["deadline/late-work-is-504"],
            Self::IgnoresDisconnects => IGNORES_DISCONNECTS,
            Self::WorksTwice => WORKS_TWICE,
            // The census knows nothing of threads, files and bytes; the kernel does.
            Self::LeaksThreads => LEAKS_THREADS,
            Self::LeaksContexts => LEAKS_CONTEXTS,
            Self::LeaksDescriptors => LEAKS_DESCRIPTORS,
            Self::LeaksMemory => &["leak/storm", "leak/storm-drop", "leak/upload-storm"],
            Self::LosesRequestId => &["deadline/504-says-why"],
            Self::KeepsValues => &["values/not-shared", "values/pipelined"],
            Self::ServesGarbage => SERVES_GARBAGE,
            Self::ResetsUnread => {
                &["closing/refused-connections", "closing/refused-head", "deadline/unread-body-close"]
            }
            Self::LingersForBodiesAlone => LINGERS_FOR_BODIES_ALONE,
            Self::LingersForEver => LINGERS_FOR_EVER,
            Self::CountsEmptyLines => &["timeouts/any-split", "timeouts/empty-line-behind-a-body"],
            Self::CountsTheQueue => &["timeouts/upload-behind-work"],
            Self::GuessesFromPackets => GUESSES_FROM_PACKETS,
            Self::CutsInOrder => &["closing/cut-http-10", "closing/stopped-http-10"],
            Self::WaitsForAcks => &["baseline/no-stall"],
            Self::PatientWithTrickles => &["timeouts/empty-lines", "timeouts/header-trickle"],
            Self::KnowsNoLimit => {
                &["closing/refused-connections", "faults/refused-in-numbers", "faults/too-many-connections"]
            }
            Self::SpinsOnAccept => &["faults/fd-exhaustion"],
            Self::IgnoresSigterm => IGNORES_SIGTERM,
            Self::DiesAtSigterm => DIES_AT_SIGTERM,
            Self::ExitsZero => EXITS_ZERO,
            Self::LosesARoute => LOSES_A_ROUTE,
            Self::ServesUnknownPaths => &[
                "baseline/json-answers",
                "baseline/unknown-404",
                "faults/absolute-form",
                "faults/odd-targets",
                "timeouts/any-split",
            ],
            Self::AnswersHeadWithBody => &["baseline/head-no-body"],
            Self::ClosesEveryTime => CLOSES_EVERY_TIME,
            Self::StampsOneId => STAMPS_ONE_ID,
            Self::ReflectsIds => &["baseline/request-id-hostile"],
            Self::FallsBackToDefaults => FALLS_BACK_TO_DEFAULTS,
            Self::TakesAnySize => &[
                "faults/body-too-large",
                "faults/body-too-large-chunked",
                "faults/refused-with-much-behind",
                "faults/uri-too-long-414",
            ],
            Self::ReadsOnce => READS_ONCE,
            Self::RefusesEmptyLines => &[
                "faults/empty-line-first",
                "timeouts/any-split",
                "timeouts/empty-line-behind-a-body",
                "timeouts/empty-lines",
            ],
            Self::KeepsHttp10 => &["faults/http-10", "timeouts/any-split"],
            Self::StopsShort => STOPS_SHORT,
            Self::BeatsUnasked => &["work/unnamed-is-silent"],
            Self::LosesValues => LOSES_VALUES,
            Self::KeepsValuesOfTheGone => &["values/after-a-disconnect"],
            Self::NeverTimesOut => NEVER_TIMES_OUT,
            Self::IdlesFromTheAccept => {
                &["timeouts/empty-line-behind-a-body", "timeouts/head-by-line", "timeouts/idle-starts-anew"]
            }
            Self::WaitsForReaders => &["timeouts/pipelined-reader", "timeouts/slow-reader"],
            Self::KeepsHalfClosed => KEEPS_HALF_CLOSED,
            Self::AlwaysCancels => ALWAYS_CANCELS,
            Self::TakesBodiesForEnds => TAKES_BODIES_FOR_ENDS,
            Self::WatchesBodiesAlone => &["disconnect/body-read-fin", "disconnect/body-read-rst"],
            Self::TakesBytesForEnds => TAKES_BYTES_FOR_ENDS,
            Self::TakesUrgencyForEnds => &["spared/urgent-data"],
            Self::TakesSilenceForEnds => TAKES_SILENCE_FOR_ENDS,
            Self::CancelsOnReuse => CANCELS_ON_REUSE,
            Self::CancelsHttp10 => &["spared/http-10"],
            Self::TimesWork => TIMES_WORK,
            Self::CancelsAtSignals => &["spared/signals"],
            Self::EndsNeighbors => ENDS_NEIGHBORS,
            Self::LeaksRefused => &["leak/refused-storm"],
            Self::DiesOfPanics => DIES_OF_PANICS,
            Self::LeavesChildren => LEAVES_CHILDREN,
            Self::CancelsEveryGroup => &["group/spares-other-groups"],
            Self::HasOneThread => &[
                "deadline/blocking-pool-full",
                "deadline/spinning-neighbour",
                "disconnect/spinning-neighbour",
            ],
            // What needs the most connections goes first: it is what proves the fault when there is no time for more.
            Self::HasFewThreads => {
                &["faults/thousand-strangers", "deadline/thousand-at-once", "deadline/fast-in-a-storm"]
            }
            Self::ForgetsLastChunk => &[
                "baseline/stream-whole",
                "closing/empty-line-behind",
                "closing/request-behind",
                "closing/slow-readers",
                "timeouts/quiet-stream-spared",
            ],
            Self::LosesMetrics => &["baseline/census-adds-up"],
            Self::SerializesAdmin => &["faults/odd-admin-clients", "faults/slow-admin-client"],
            Self::PrintsItsLog => PRINTS_ITS_LOG,
            Self::PanicsAtStart => PANICS_AT_START,
            Self::TrustsItsParser => TRUSTS_ITS_PARSER,
            Self::LosesPermits => LOSES_PERMITS,
            Self::WaitsForPermits => WAITS_FOR_PERMITS,
            Self::GrantsAnyPermit => GRANTS_ANY_PERMIT,
            Self::LeavesProcesses => LEAVES_PROCESSES,
            Self::LeavesDefunct => LEAVES_DEFUNCT,
            Self::OrphansProcesses => &["outside/process-server-killed"],
            Self::WaitsForProcesses => WAITS_FOR_PROCESSES,
        }
    }
}
