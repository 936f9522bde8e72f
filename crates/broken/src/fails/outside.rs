//! The scenarios that the faults of work outside the process fail.

pub(super) const LOSES_PERMITS: &[&str] = &[
    "outside/permit-deadline",
    "outside/permit-fin",
    "outside/permit-panic",
    "outside/permit-rst",
    "outside/permit-storm",
];

pub(super) const WAITS_FOR_PERMITS: &[&str] =
    &["outside/permit-deadline", "outside/permit-fin", "outside/permit-rst", "outside/permit-shutdown"];

pub(super) const GRANTS_ANY_PERMIT: &[&str] = &[
    "outside/permit-deadline",
    "outside/permit-fin",
    "outside/permit-rst",
    "outside/permit-shutdown",
    "outside/permit-storm",
];

pub(super) const LEAVES_PROCESSES: &[&str] = &[
    "outside/process-deadline",
    "outside/process-fin",
    "outside/process-panic",
    "outside/process-rst",
    "outside/process-server-killed",
    "outside/process-shutdown",
    "outside/process-storm",
];

pub(super) const LEAVES_DEFUNCT: &[&str] = &[
    "outside/process-completes",
    "outside/process-deadline",
    "outside/process-dies",
    "outside/process-fin",
    "outside/process-panic",
    "outside/process-rst",
    "outside/process-shutdown",
    "outside/process-storm",
];

pub(super) const WAITS_FOR_PROCESSES: &[&str] = &[
    "outside/process-deadline",
    "outside/process-fin",
    "outside/process-rst",
    "outside/process-shutdown",
    "outside/process-storm",
];

pub(super) const LEAVES_CALLS: &[&str] = &[
    "hops/fin",
    "hops/rst",
    "outside/upstream-deadline",
    "outside/upstream-fin",
    "outside/upstream-panic",
    "outside/upstream-rst",
];

pub(super) const ANSWERS_FOR_UPSTREAMS: &[&str] = &[
    "hops/deadline",
    "outside/upstream-accepts-never",
    "outside/upstream-answers",
    "outside/upstream-deadline",
    "outside/upstream-no-budget",
    "outside/upstream-shutdown",
    "outside/upstream-unset",
];

pub(super) const LEAVES_QUERIES: &[&str] = &[
    "outside/query-deadline",
    "outside/query-fin",
    "outside/query-panic",
    "outside/query-rst",
    "outside/query-shutdown",
    "outside/query-slots",
];

pub(super) const ANSWERS_FOR_DATABASES: &[&str] = &[
    "outside/query-completes",
    "outside/query-deadline",
    "outside/query-dies",
    "outside/query-fin",
    "outside/query-mute",
    "outside/query-neighbors",
    "outside/query-refused",
    "outside/query-rst",
    "outside/query-shutdown",
    "outside/query-slots",
    "outside/query-unset",
];
