//! The scenarios that each fault must fail over HTTP/2.

use crate::Fault;

/// The ways to make the server reset a stream itself.
const MADE_YOU_RESET: &[&str] = &[
    "h2/made-you-reset-data-after-end",
    "h2/made-you-reset-data-beyond-window",
    "h2/made-you-reset-empty-window-update",
    "h2/made-you-reset-headers-after-end",
    "h2/made-you-reset-overflowing-window-update",
    "h2/made-you-reset-priority-of-wrong-length",
    "h2/made-you-reset-priority-on-itself",
];

/// The scenarios about the end of a process.
const SIGTERM: &[&str] =
    &["h2/sigterm-drains", "h2/sigterm-idle", "h2/sigterm-refuses", "h2/sigterm-timeout"];

impl Fault {
    /// The scenarios of the area `h2` that the fault must fail, and no other.
    pub(super) fn fails_over_h2(self) -> Vec<&'static str> {
        match self {
            Self::H2WorksOnWhenItResets => [&["h2/no-window-times-out"], MADE_YOU_RESET].concat(),
            Self::IgnoresDisconnects => [IGNORES_DISCONNECTS, MADE_YOU_RESET].concat(),
            Self::LosesARoute => [LOSES_A_ROUTE, MADE_YOU_RESET].concat(),
            Self::H2LosesSlots => {
                // More than there are slots.
                let many = MADE_YOU_RESET.iter().filter(|id| !id.ends_with("data-beyond-window"));
                LOSES_SLOTS.iter().chain(many).copied().collect()
            }
            fault => fault.list().to_vec(),
        }
    }

    fn list(self) -> &'static [&'static str] {
        match self {
            Self::KeepsWorking => &["h2/504-stops-work", "h2/leak-storm"],
            Self::IgnoresDeadline => IGNORES_DEADLINE,
            Self::StartsDeadWork => &["h2/zero-budget"],
            Self::ServesLate => &["h2/late-work-is-504"],
            Self::WorksTwice => WORKS_TWICE,
            Self::LeaksThreads | Self::LeaksContexts | Self::LeaksDescriptors | Self::LeaksMemory => {
                &["h2/leak-storm"]
            }
            Self::ServesGarbage => &["h2/fields-over-the-limit", "h2/wrong-preface"],
            Self::ReadsOnce => &["h2/preface-timeout"],
            Self::WaitsForReaders => &["h2/deaf-client", "h2/no-window-times-out"],
            Self::AlwaysCancels => &["h2/detach-completes"],
            Self::DiesOfPanics => &["h2/panic-spares-neighbors"],
            Self::LeavesChildren => &["h2/reset-group"],
            Self::HasOneThread => &["h2/slots-held-by-work"],
            Self::ForgetsLastChunk => &["h2/stream-whole", "h2/window-kept"],
            Self::IgnoresSigterm | Self::DiesAtSigterm => SIGTERM,
            Self::ServesUnknownPaths | Self::FallsBackToDefaults => &["h2/statuses"],
            Self::StampsOneId => &["h2/fast-200", "h2/hundred-at-once"],
            Self::TakesAnySize => &["h2/endless-continuation", "h2/hpack-bomb", "h2/upload"],
            Self::StopsShort => &["h2/idle-spares-streams", "h2/stream-whole"],
            Self::LosesValues => &["h2/values-apart"],
            Self::NeverTimesOut => NEVER_TIMES_OUT,
            Self::TakesBytesForEnds => &["h2/reset-after-body", "h2/reset-mid-body", "h2/unread-body-504"],
            Self::TakesSilenceForEnds => &["h2/idle-spares-streams"],
            Self::TimesWork => TIMES_WORK,
            Self::EndsNeighbors => ENDS_NEIGHBORS,
            Self::H2CutsHttp1 => &["h2/beside-http1"],
            Self::H2AnnouncesNoLimit => &["h2/limit-announced"],
            Self::H2KnowsNoLimit => &["h2/over-the-limit", "h2/slots-held-by-work"],
            Self::H2FreesSlotsEarly => &["h2/slots-held-by-work"],
            Self::H2FreesSlotsLate => &["h2/kept-full"],
            Self::H2CancelsNeighbors => &["h2/neighbors-spared"],
            Self::H2TakesFramesForLeaving => TAKES_FRAMES_FOR_LEAVING,
            Self::H2CancelsAtGoaway => &["h2/goaway-serves"],
            Self::H2DislikesLateResets => &["h2/late-reset-harmless"],
            Self::H2CountsResets => &["h2/honest-cancels", "h2/leak-resets"],
            Self::H2ClosesAtDeadlines => {
                &["h2/goes-on-after-504", "h2/stalled-body-504", "h2/unread-body-504"]
            }
            Self::H2LeavesStreamsOpen => {
                &["h2/stalled-body-504", "h2/stalled-upload-408", "h2/unread-body-504"]
            }
            Self::H2EndsTruncated => &["h2/stream-truncated"],
            Self::H2HoldsHeads => &["h2/504-without-window"],
            Self::H2IgnoresWindows => IGNORES_WINDOWS,
            Self::H2GrantsNothing => GRANTS_NOTHING,
            Self::H2StallsTogether => &["h2/blocked-beside-prompt", "h2/connection-window"],
            Self::H2IdlesWhileBusy => &["h2/idle-spares-streams"],
            Self::H2SaysNoGoaway => SAYS_NO_GOAWAY,
            Self::H2TakesWrongFrames => TAKES_WRONG_FRAMES,
            Self::H2TakesMalformed => &["h2/malformed-requests"],
            Self::H2LocksForFloods => &["h2/settings-flood", "h2/ping-flood", "h2/empty-data-flood"],
            _ => &[],
        }
    }
}

const IGNORES_DEADLINE: &[&str] = &[
    "h2/504-stops-work",
    "h2/504-without-window",
    "h2/answers-504",
    "h2/goes-on-after-504",
    "h2/hundred-deadlines",
    "h2/late-work-is-504",
    "h2/leak-storm",
    "h2/unread-body-504",
];

const IGNORES_DISCONNECTS: &[&str] = &[
    "h2/connection-fin",
    "h2/connection-half-close",
    "h2/connection-rst",
    "h2/connections-spared",
    "h2/deaf-client",
    "h2/goaway-then-fin",
    "h2/honest-cancels",
    "h2/late-reset-harmless",
    "h2/neighbors-spared",
    "h2/no-window-times-out",
    "h2/rapid-reset",
    "h2/reset",
    "h2/reset-after-body",
    "h2/reset-any-code",
    "h2/reset-before-body",
    "h2/reset-blocked",
    "h2/reset-drop",
    "h2/reset-group",
    "h2/reset-in-one-write",
    "h2/reset-mid-body",
    "h2/reset-mid-stream",
    "h2/reset-polling",
    "h2/reset-then-fin",
    "h2/serve-reset",
];

const WORKS_TWICE: &[&str] = &[
    "h2/connections-spared",
    "h2/detach-completes",
    "h2/frames-are-no-leave",
    "h2/goaway-serves",
    "h2/neighbors-spared",
    "h2/panic-spares-neighbors",
    "h2/serve-reset",
    "h2/silence-is-no-leave",
    "h2/stalled-upload-408",
];

const LOSES_A_ROUTE: &[&str] = &[
    "h2/beside-http1",
    "h2/empty-data-flood",
    "h2/endless-continuation",
    "h2/hpack-bomb",
    "h2/ping-flood",
    "h2/rapid-reset",
    "h2/settings-flood",
];

const NEVER_TIMES_OUT: &[&str] = &[
    "h2/half-a-head",
    "h2/idle-goaway",
    "h2/idle-spares-streams",
    "h2/never-asked-goaway",
    "h2/preface-timeout",
];

const TIMES_WORK: &[&str] = &["h2/idle-spares-streams", "h2/silence-is-no-leave", "h2/stalled-upload-408"];

const ENDS_NEIGHBORS: &[&str] = &[
    "h2/connections-spared",
    "h2/hundred-deadlines",
    "h2/leak-storm",
    "h2/neighbors-spared",
    "h2/panic-spares-neighbors",
    "h2/stalled-upload-408",
];

const LOSES_SLOTS: &[&str] =
    &["h2/honest-cancels", "h2/leak-resets", "h2/slots-held-by-work", "h2/slots-return"];

const TAKES_FRAMES_FOR_LEAVING: &[&str] = &[
    "h2/504-without-window",
    "h2/blocked-beside-prompt",
    "h2/connection-window",
    "h2/frames-are-no-leave",
    "h2/no-window-times-out",
    "h2/window-kept",
];

const IGNORES_WINDOWS: &[&str] = &[
    "h2/504-without-window",
    "h2/blocked-beside-prompt",
    "h2/connection-window",
    "h2/no-window-times-out",
    "h2/reset-blocked",
    "h2/window-kept",
];

const GRANTS_NOTHING: &[&str] =
    &["h2/reset-after-body", "h2/reset-mid-body", "h2/unread-body-504", "h2/upload"];

const SAYS_NO_GOAWAY: &[&str] = &[
    "h2/idle-goaway",
    "h2/idle-spares-streams",
    "h2/never-asked-goaway",
    "h2/sigterm-drains",
    "h2/sigterm-idle",
    "h2/sigterm-refuses",
];

const TAKES_WRONG_FRAMES: &[&str] = &[
    "h2/endless-continuation",
    "h2/malformed-requests",
    "h2/over-the-limit",
    "h2/pseudo-fields-in-trailers",
    "h2/settings-first",
    "h2/slots-held-by-work",
    "h2/wrong-frames",
];
