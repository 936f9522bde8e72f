//! The playground: a local page on which a person sends requests, disconnects, and watches the work live.
//!
//! # Rules
//! 1. *Only the page presses its buttons.* The page is served on loopback, to requests that name it in `Host`; everything that acts
//!    or tells takes a token that the page carries, and a foreign `Origin` is refused.
//! 2. *The picture is the witness's.* A bar grows by heartbeats of the work itself, and by nothing that the page computes.
//! 3. *An experiment is its parameters.* They fit in a link, and the link repeats it.
//!
//! # Layout
//! - [`Play`]: the page's server; `http`: its bytes; `door`: who may come in; `page`: what it serves; `hub`: events to every open page.
//! - [`Stand`]: a server on show; `usage`: its threads, descriptors and memory.
//! - `code`: the functions of the servers' sources that decide.
//! - `experiment`: one request's parameters; `run`: sends it and watches its work; [`verdict`]: what became of it.

mod code;
mod door;
mod error;
mod event;
mod experiment;
mod http;
mod hub;
mod page;
mod play;
mod run;
mod stand;
mod usage;
pub mod verdict;

pub use error::Error;
pub use play::Play;
pub use stand::Stand;
