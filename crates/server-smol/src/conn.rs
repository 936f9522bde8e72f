//! State that the parts of a connection share, and the ways it ends.

use std::sync::{Arc, Weak};

use census::Request;
use contract::{Clock, Closing, Identity, Refusal, Slot};
use ctx::Context;

use crate::Server;

/// State that the handler, the socket and the watch of a connection share; over HTTP/2 each stream has one of its own,
/// too.
pub(crate) struct Conn {
    pub(crate) server: Arc<Server>,
    /// The parent of every request's context; canceled with cause `disconnect` when the client leaves.
    pub(crate) ctx: Context,
    pub(crate) clock: Clock,
    /// A stream's place in the limit of its connection, for its request and all its work to hold: it is free before the
    /// last of the answer leaves, so that the client may open another stream behind it.
    pub(crate) slot: Option<Weak<Slot>>,
}

impl Conn {
    /// Counts a request of the connection, which runs under `ctx`.
    pub(crate) fn counted(&self, ctx: &Context, identity: &Identity) -> Request {
        let mut counted = self.server.census.request(ctx, identity);
        if let Some(slot) = self.slot.as_ref().and_then(Weak::upgrade) {
            counted.hold(slot);
        }
        counted
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
