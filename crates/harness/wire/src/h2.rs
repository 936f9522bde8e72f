//! HTTP/2 as a misbehaving client speaks it (RFC 9113): frames right and wrong, streams, and windows that it need not grant.
//!
//! # Layout
//!
//! - [`H2`]: one connection (`client`, and `requests` upon it); [`log`]: its frames with their times.
//! - [`session`]: all that a client knows of a connection; [`exchange`]: one request and what has come of it; [`violation`].
//! - [`frame`]: bytes to frames and back; [`payload`]: what a frame says, and what is wrong with it; [`settings`], [`code`].
//! - [`hpack`], [`message`]: fields as bytes, requests as fields, fields as responses.
//! - [`flow`]: windows; [`stream`]: the states of a stream.
//! - [`wrong`]: frames that are wrong on purpose.
//!
//! All but `H2` is pure. `broken`, the server that breaks promises on purpose, is built on the same frames.
//!
//! # Example
//!
//! ```no_run
//! # fn main() -> Result<(), wire::Error> {
//! use std::time::{Duration, Instant};
//!
//! use wire::h2::{Code, H2};
//! use wire::{Request, trace::Trace};
//!
//! let give_up_at = Instant::now() + Duration::from_secs(10);
//! let mut h2 = H2::connect(([127, 0, 0, 1], 8080).into(), give_up_at, &Trace::default())?;
//! let slow = h2.request(&Request::get("/slow?work=3s"))?;
//! assert_eq!(h2.ask(&Request::get("/fast"))?.status(), 200); // on a stream of its own, beside
//! h2.reset(slow, Code::CANCEL)?;
//! # Ok(())
//! # }
//! ```

mod client;
/// Declares the numbers of a registry of the RFC, each with its name.
macro_rules! named {
    ($type:ident { $($(#[$doc:meta])* $name:ident = $number:literal,)* }) => {
        impl $type {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// The name in the RFC.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

pub mod code;
pub mod exchange;
pub mod flow;
pub mod frame;
pub mod hpack;
pub mod log;
pub mod message;
pub mod payload;
mod requests;
pub mod session;
pub mod settings;
pub mod stream;
pub mod violation;
pub mod wrong;

pub use client::H2;
pub use code::Code;
pub use exchange::{Ending, Exchange};
pub use frame::{Frame, Kind};
pub use session::Manners;
pub use violation::Violation;
