//! The scenarios that the faults fail which misread a connection or close it wrong.

pub(super) const LINGERS_FOR_BODIES_ALONE: &[&str] = &[
    "closing/504",
    "closing/cut-stream",
    "closing/empty-line-behind",
    "closing/http-10",
    "closing/request-behind",
    "closing/slow-readers",
];

pub(super) const LINGERS_FOR_EVER: &[&str] = &[
    "closing/is-bounded",
    "shutdown/cancels-at-timeout",
    "closing/clients-that-go-on",
    "shutdown/deadline-while-draining",
    "shutdown/drains",
    "shutdown/idle-closed",
    "shutdown/keep-alive-closes",
    "shutdown/refuses-new",
    "shutdown/sigint",
    "shutdown/stalled-upload",
];

pub(super) const GUESSES_FROM_PACKETS: &[&str] = &[
    "timeouts/any-split",
    "timeouts/half-head-behind-a-body",
    "timeouts/half-head-behind-chunks",
    "timeouts/head-by-line",
    "timeouts/upload-from-its-first-byte",
];
