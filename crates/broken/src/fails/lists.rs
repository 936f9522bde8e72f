//! The longer lists of scenarios that a fault must fail, by the name of the fault.

pub(super) const KEEPS_WORKING: &[&str] = &[
    "disconnect/detach-deadline",
    "disconnect/serve-deadline",
    "leak/storm",
    "leak/storm-drop",
    "shutdown/deadline-while-draining",
    "work/cleanup-ran",
    "work/context",
    "work/contexts-released",
    "work/counted",
    "work/drop",
    "work/one-end-each",
];

pub(super) const IGNORES_DEADLINE: &[&str] = &[
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
    "work/drop",
    "work/one-end-each",
];

pub(super) const IGNORES_DISCONNECTS: &[&str] = &[
    "disconnect/accounts",
    "disconnect/after-a-504",
    "disconnect/all-at-once",
    "disconnect/blocked-stream-half-close",
    "disconnect/blocked-stream-rst",
    "disconnect/blocking-is-no-request",
    "disconnect/body-chunked-unread-fin",
    "disconnect/body-dropped-fin",
    "disconnect/body-dropped-rst",
    "disconnect/body-large-unread-rst",
    "disconnect/body-partial-unread-fin",
    "disconnect/body-partial-unread-half-close",
    "disconnect/body-partial-unread-rst",
    "disconnect/body-whole-unread-fin",
    "disconnect/body-whole-unread-rst",
    "disconnect/drop",
    "disconnect/expect-continue-fin",
    "disconnect/expect-continue-rst",
    "disconnect/fin",
    "disconnect/half-close",
    "disconnect/in-a-crowd",
    "disconnect/kept-alive-fin",
    "disconnect/kept-alive-rst",
    "disconnect/mid-stream",
    "disconnect/mid-stream-rst",
    "disconnect/others-untouched",
    "disconnect/pipelined-later-fin",
    "disconnect/pipelined-later-half-close",
    "disconnect/pipelined-later-rst",
    "disconnect/pipelined-never-starts",
    "disconnect/pipelined-same-segment-fin",
    "disconnect/pipelined-same-segment-half-close",
    "disconnect/pipelined-same-segment-rst",
    "disconnect/quiet-stream-fin",
    "disconnect/quiet-stream-half-close",
    "disconnect/rst",
    "disconnect/sent-and-closed",
    "disconnect/sent-and-reset",
    "disconnect/serve-half-close-then-rst",
    "disconnect/serve-pipelined-rst",
    "disconnect/serve-rst",
    "disconnect/spinning-neighbour",
    "disconnect/urlopen-gives-up",
    "group/disconnect-cancels-all",
    "group/half-close-cancels-all",
    "leak/disconnect-storm",
    "shutdown/disconnect-while-draining",
    "timeouts/slow-reader",
];

pub(super) const WORKS_TWICE: &[&str] = &[
    "disconnect/detach",
    "disconnect/detach-drop",
    "disconnect/detach-fin",
    "disconnect/detach-half-close",
    "disconnect/detach-many",
    "disconnect/detach-pipelined-rst",
    "disconnect/serve-half-close",
    "work/completes-once",
];

pub(super) const LEAKS_THREADS: &[&str] =
    &["leak/fanout-storm", "leak/storm", "leak/storm-drop", "leak/upload-storm"];

pub(super) const LEAKS_CONTEXTS: &[&str] =
    &["leak/fanout-storm", "leak/storm", "leak/storm-drop", "leak/upload-storm", "work/contexts-released"];

pub(super) const LEAKS_DESCRIPTORS: &[&str] =
    &["leak/fanout-storm", "leak/storm", "leak/storm-drop", "leak/upload-storm"];

pub(super) const SERVES_GARBAGE: &[&str] = &[
    "faults/conflicting-lengths",
    "faults/garbage-behind-a-request",
    "faults/head-too-large-431",
    "faults/header-bytes",
    "faults/malformed-head",
    "faults/repeated-coding",
    "faults/smuggled-request",
    "faults/too-many-headers",
    "faults/unknown-coding",
    "faults/version-505-or-closed",
    "leak/garbage-storm",
];

pub(super) const IGNORES_SIGTERM: &[&str] = &[
    "shutdown/blocking-work-exit-1",
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
    "shutdown/spinning-work-exit-1",
    "shutdown/stalled-upload",
    "shutdown/stream-cut",
];

pub(super) const DIES_AT_SIGTERM: &[&str] = &[
    "shutdown/blocking-work-exit-1",
    "shutdown/cancels-at-timeout",
    "shutdown/census-while-draining",
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
    "shutdown/spinning-work-exit-1",
    "shutdown/stalled-upload",
    "shutdown/stream-cut",
];

pub(super) const EXITS_ZERO: &[&str] = &[
    "baseline/bad-flag-exit-2",
    "baseline/taken-port-exit-1",
    "shutdown/blocking-work-exit-1",
    "shutdown/second-signal",
    "shutdown/second-signal-int",
    "shutdown/spinning-work-exit-1",
];

pub(super) const LOSES_A_ROUTE: &[&str] = &[
    "baseline/census-adds-up",
    "baseline/fast-200",
    "baseline/head-no-body",
    "baseline/json-answers",
    "baseline/keepalive-reuse",
    "baseline/no-stall",
    "baseline/pipelined-in-order",
    "baseline/request-id",
    "deadline/fast-in-a-storm",
    "deadline/kept-alive-after-504",
    "deadline/pipelined",
    "disconnect/kept-alive-fin",
    "disconnect/kept-alive-rst",
    "disconnect/serve-pipelined-half-close",
    "faults/absolute-form",
    "faults/byte-by-byte",
    "faults/empty-line-first",
    "faults/fd-exhaustion",
    "faults/garbage-behind-a-request",
    "faults/head-too-large-431",
    "faults/header-bytes",
    "faults/http-10",
    "faults/malformed-head",
    "faults/panic-handler",
    "faults/refused-in-numbers",
    "faults/thousand-strangers",
    "faults/too-many-connections",
    "faults/too-many-headers",
    "faults/version-505-or-closed",
    "leak/idle-connections",
    "leak/refused-storm",
    "shutdown/exit-status",
    "shutdown/half-sent-head",
    "shutdown/idle-closed",
    "shutdown/stalled-upload",
    "timeouts/header-behind-a-request",
    "timeouts/header-just-in-time",
    "timeouts/header-on-a-kept-connection",
    "timeouts/idle",
    "timeouts/idle-starts-anew",
    "timeouts/slowloris-crowd",
    "timeouts/steady-reader-spared",
];

pub(super) const CLOSES_EVERY_TIME: &[&str] = &[
    "baseline/head-no-body",
    "baseline/keepalive-reuse",
    "baseline/no-stall",
    "baseline/pipelined-in-order",
    "deadline/fast-in-a-storm",
    "deadline/fresh-for-each-request",
    "deadline/kept-alive-after-504",
    "deadline/pipelined",
    "deadline/spinning-neighbour",
    "disconnect/after-a-504",
    "disconnect/blocked-stream-half-close",
    "disconnect/blocked-stream-rst",
    "disconnect/kept-alive-fin",
    "disconnect/kept-alive-rst",
    "disconnect/serve-pipelined-half-close",
    "faults/refused-in-numbers",
    "faults/too-many-connections",
    "group/none-outlives-the-answer",
    "group/spares-other-groups",
    "timeouts/header-behind-a-request",
    "timeouts/header-on-a-kept-connection",
    "timeouts/idle",
    "timeouts/idle-starts-anew",
    "timeouts/pipelined-reader",
    "timeouts/slow-reader",
    "timeouts/steady-reader-spared",
    "values/after-a-504",
    "values/not-shared",
    "values/pipelined",
];

pub(super) const STAMPS_ONE_ID: &[&str] = &[
    "baseline/pipelined-in-order",
    "baseline/request-id",
    "baseline/request-id-made",
    "deadline/504-says-why",
    "deadline/kept-alive-after-504",
    "disconnect/serve-pipelined-half-close",
    "values/made-id-inside",
];

pub(super) const FALLS_BACK_TO_DEFAULTS: &[&str] = &[
    "baseline/bad-parameter",
    "baseline/bad-parameter-elsewhere",
    "baseline/unknown-parameter",
    "deadline/header-duplicated",
    "deadline/header-malformed",
    "values/subject-hostile",
];

pub(super) const READS_ONCE: &[&str] = &[
    "faults/byte-by-byte",
    "faults/head-too-large-431",
    "faults/uri-too-long-414",
    "timeouts/empty-lines",
    "timeouts/header-just-in-time",
    "timeouts/header-on-a-kept-connection",
    "timeouts/header-slowloris",
    "timeouts/header-trickle",
    "timeouts/slowloris-crowd",
];

pub(super) const STOPS_SHORT: &[&str] = &[
    "baseline/fits-200",
    "deadline/header-forms",
    "group/all-done",
    "group/deadline-beats-fail",
    "group/fail-beats-deadline",
    "group/fail-cancels-siblings",
    "work/completes-once",
];

pub(super) const LOSES_VALUES: &[&str] = &[
    "values/after-a-504",
    "values/after-a-disconnect",
    "values/each-its-own",
    "values/inside-the-work",
    "values/made-id-inside",
    "values/not-shared",
    "values/pipelined",
];

pub(super) const NEVER_TIMES_OUT: &[&str] = &[
    "timeouts/empty-lines",
    "timeouts/first-byte-never",
    "timeouts/header-behind-a-request",
    "timeouts/header-on-a-kept-connection",
    "timeouts/header-slowloris",
    "timeouts/header-trickle",
    "timeouts/idle",
    "timeouts/idle-starts-anew",
    "timeouts/slowloris-crowd",
];

pub(super) const KEEPS_HALF_CLOSED: &[&str] = &[
    "disconnect/idle-half-close",
    "disconnect/serve-half-close",
    "faults/fd-exhaustion",
    "leak/idle-connections",
];

pub(super) const ALWAYS_CANCELS: &[&str] = &[
    "disconnect/detach",
    "disconnect/detach-deadline",
    "disconnect/detach-drop",
    "disconnect/detach-fin",
    "disconnect/detach-half-close",
    "disconnect/detach-many",
    "disconnect/detach-pipelined-rst",
    "disconnect/serve-deadline",
    "disconnect/serve-half-close",
    "disconnect/serve-half-close-then-rst",
    "disconnect/serve-pipelined-half-close",
];

pub(super) const DIES_OF_PANICS: &[&str] =
    &["faults/panic-handler", "faults/panic-in-work", "faults/panic-spares-others", "leak/panic-storm"];

pub(super) const LEAVES_CHILDREN: &[&str] = &[
    "group/disconnect-cancels-all",
    "group/fail-beats-deadline",
    "group/fail-cancels-siblings",
    "group/half-close-cancels-all",
    "group/none-outlives-the-answer",
];
