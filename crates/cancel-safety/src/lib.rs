//! Public functions of well-known crates, each dropped at every await by [`drop_at_await`].
//!
//! `cargo run -p cancel-safety` writes the table of verdicts to `docs/findings/cancel-safety.md`. Each [`Case`] names a
//! function, what its documentation says of cancellation, what goes through it, the invariant, and the verdict; the tests
//! hold every case to its verdict, and its claim to the source of the very version that is built.

mod case;
mod cases;
mod sources;
mod table;
mod tools;

pub use case::{Case, Claim, Invariant, Outcome};
pub use cases::all;
pub use sources::{Package, packages};
pub use table::document;
