//! A run as text: tables and pictures in characters, never wider than 100 columns.

pub mod chain;
mod compact;
mod pictures;
pub mod render;
pub mod tables;
pub mod watch;
