//! Streams that end with their context.
//!
//! ```
//! use ctx::Context;
//! use ctx_stream::TakeUntilEnd;
//! use futures_lite::{StreamExt, future, stream};
//!
//! let (ctx, cancel) = Context::background().with_cancel();
//! let mut numbers = stream::iter(1..).take_until_end(&ctx, |_| future::pending::<()>());
//! assert_eq!(future::block_on(numbers.next()), Some(1));
//! cancel.cancel();
//! assert_eq!(future::block_on(numbers.next()), None);
//! assert_eq!(numbers.ended(), Some(ctx::Error::Canceled));
//! ```

use std::fmt;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Instant;

use ctx::{Context, DoneOwned, Error};
use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

pin_project! {
    /// A stream up to the end of its context; made by [`TakeUntilEnd::take_until_end`].
    #[must_use = "a stream does nothing until it is polled"]
    pub struct UntilEnd<St, S, F> {
        // Dropped at the end, whoever keeps this.
        #[pin]
        stream: Option<St>,
        #[pin]
        done: DoneOwned<S, F>,
        ended: Option<Error>,
    }
}

impl<St, S, F> UntilEnd<St, S, F> {
    /// Returns how the context ended, if that is why the stream did; `None` if it ended by itself, or has not.
    pub fn ended(&self) -> Option<Error> {
        self.ended
    }
}

impl<St, S, F> Stream for UntilEnd<St, S, F>
where
    St: Stream,
    S: FnMut(Instant) -> F,
    F: Future,
{
    type Item = St::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Option<St::Item>> {
        let mut this = self.project();
        let Some(stream) = this.stream.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        if let Poll::Ready(error) = this.done.poll(cx) {
            *this.ended = Some(error);
            this.stream.set(None);
            return Poll::Ready(None);
        }
        let item = ready!(stream.poll_next(cx));
        if item.is_none() {
            this.stream.set(None);
        }
        Poll::Ready(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // The end may come before any item.
        (0, self.stream.as_ref().map_or(Some(0), |stream| stream.size_hint().1))
    }
}

impl<St, S, F> FusedStream for UntilEnd<St, S, F>
where
    St: Stream,
    S: FnMut(Instant) -> F,
    F: Future,
{
    fn is_terminated(&self) -> bool {
        self.stream.is_none()
    }
}

impl<St: fmt::Debug, S, F> fmt::Debug for UntilEnd<St, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilEnd")
            .field("stream", &self.stream)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// The method that ends any stream with a context.
pub trait TakeUntilEnd: Stream + Sized {
    /// Ends the stream when `ctx` ends; the context wins a tie. `sleep` is the runtime's own sleep-until.
    ///
    /// The stream is dropped at the end. An item that it has kept by then is dropped with it, and one that it has not
    /// taken from a channel stays there.
    fn take_until_end<S, F>(self, ctx: &Context, sleep: S) -> UntilEnd<Self, S, F>
    where
        S: FnMut(Instant) -> F,
        F: Future,
    {
        UntilEnd { stream: Some(self), done: ctx.done_owned(sleep), ended: None }
    }
}

impl<St: Stream> TakeUntilEnd for St {}
