//! Code that the lab shows to its readers, as a part of programs that are compiled and run.
//!
//! The report cuts the lines between `shown: NAME` and `shown: end` out of `remedies.rs`, `remedies.go` and `remedies.py`.

pub mod remedies;
