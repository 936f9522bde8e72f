//! What the parts of a connection share, and how it ends.

use std::sync::Arc;

use contract::{Clock, Closing, Refusal};
use ctx::Context;

use crate::Server;

/// What a connection's handler, its socket and its watch share.
pub(crate) struct Conn {
    pub(crate) server: Arc<Server>,
    /// The parent of every request's context; canceled with cause `disconnect` when the client leaves.
    pub(crate) ctx: Context,
    pub(crate) clock: Clock,
}

impl Conn {
    /// The end of a connection on which nothing more is said, as its clock has it.
    pub(crate) fn over(&self) -> End {
        End::Close(self.clock.closing())
    }
}

/// How a connection ends.
pub(crate) enum End {
    /// Nothing more is said: close it so that its client can tell what it got.
    Close(Closing),
    /// What came is no request: say so, and close it late.
    Refuse(Refusal),
}
