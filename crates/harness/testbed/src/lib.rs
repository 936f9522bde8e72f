//! Servers under test: how they are listed, built, started and stopped, and what is seen of them from outside.
//!
//! Real processes, real sockets, no cooperation beyond the contract that every server of the lab keeps.
//!
//! # Layout
//!
//! - [`catalog`]: the server list; `command`: its commands as words; [`capability`]: what a server may support; [`toolchains`]: what its servers need; [`build`](mod@build): the build of one.
//! - [`adapters`]: servers on other frameworks, each with its packages and its runs.
//! - [`subject`]: a server of any kind that can be started; [`server`]: one that runs; [`floor`]: one that does nothing.
//! - [`url`]: addresses as people write them.
//! - [`guard`]: processes that cannot outlive us; [`port`]: ports for them.
//! - [`proxies`]: the intermediaries; [`upstream`] and [`behind`]: the server behind them.
//! - [`chain`]: servers of which each asks the next; [`tap`]: what goes by between two of them.
//! - [`link`]: a network link that can be cut; [`postgres`]: a database.
//! - [`outside`]: work that is not in a server's process, by a witness of its own.
//! - [`witness`], [`census`], [`proc`]: three pairs of eyes on the work; [`heartbeats`]: the first of them, for loads of any size.
//! - [`machine`]: where a run takes place; [`noise`]: how late that machine's timers are.
//! - [`files`]: files of text; [`abreast`]: work side by side.

pub mod abreast;
pub mod adapters;
pub mod behind;
pub mod build;
pub mod capability;
pub mod catalog;
pub mod census;
pub mod chain;
mod command;
mod error;
pub mod files;
pub mod floor;
pub mod guard;
pub mod heartbeats;
pub mod link;
pub mod machine;
pub mod noise;
pub mod outside;
pub mod port;
pub mod postgres;
pub mod proc;
pub mod proxies;
pub mod server;
pub mod subject;
pub mod tap;
pub mod toolchains;
pub mod upstream;
pub mod url;
pub mod witness;

pub use error::Error;
