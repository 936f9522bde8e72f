//! What the parts cost: contexts, tasks and timers, measured side by side.
