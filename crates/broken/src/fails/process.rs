//! The lists of the faults of a process and of a parser, by the name of the fault.

pub(super) const PRINTS_ITS_LOG: &[&str] = &[
    "log/closed-pipe",
    "log/full-disk",
    "log/refusal-unheard",
    "log/unread-exit-1",
    "log/unread-pipe",
    "start/not-utf8",
    "start/odd-flags",
];

pub(super) const PANICS_AT_START: &[&str] = &[
    "baseline/bad-flag-exit-2",
    "baseline/taken-port-exit-1",
    "log/refusal-unheard",
    "start/huge-count",
    "start/not-utf8",
    "start/odd-flags",
    "start/threads-refused",
];

pub(super) const TRUSTS_ITS_PARSER: &[&str] = &[
    "faults/absolute-host-bytes",
    "faults/fragment",
    "faults/host-bytes",
    "faults/odd-bodies",
    "faults/odd-targets",
    "faults/refused-with-much-behind",
    "faults/trailer-bytes",
    "faults/uri-too-long-anywhere",
];

pub(super) const FORGETS_KEEPALIVE: &[&str] = &[
    "vanish/behind-a-request",
    "vanish/by-default",
    "vanish/idle",
    "vanish/many",
    "vanish/others-untouched",
    "vanish/stalled",
    "vanish/upload",
];
