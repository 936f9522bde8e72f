//! State that the parts of a connection share, and the ways it ends.

use std::sync::Arc;

use census::Request;
use contract::{Clock, Closing, Identity, Refusal};
use ctx::Context;

use crate::Server;

// threads: a connection has no streams.
/// State that the handler, the socket and the watch of a connection share.
pub(crate) struct Conn {
    pub(crate) server: Arc<Server>,
    /// The parent of every request's context; canceled with cause `disconnect` when the client leaves.
    pub(crate) ctx: Context,
    pub(crate) clock: Clock,
}

impl Conn {
    /// Counts a request of the connection, which runs under `ctx`.
    pub(crate) fn counted(&self, ctx: &Context, identity: &Identity) -> Request {
        // threads: there is no `slot` of a stream to be held.
        self.server.census.request(ctx, identity)
    }

    /// The end of a connection on which nothing more is said, as its clock has it.
    pub(crate) fn over(&self) -> End {
        End::Close(self.clock.closing())
    }
}

/// The ways in which a connection ends.
pub(crate) enum End {
    /// Nothing more is said: close it so that its client can tell what it got.
    Close(Closing),
    /// Refuses bytes that are no request, and closes late.
    Refuse(Refusal),
}
