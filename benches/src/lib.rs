//! What the lab's benches share.
