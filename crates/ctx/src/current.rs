//! The current context of a task or thread, for code that cannot be handed one; opt-in.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context as Task, Poll};

use pin_project_lite::pin_project;

use crate::context::Context;

thread_local! {
    static CURRENT: RefCell<Vec<Context>> = const { RefCell::new(Vec::new()) };
}

/// Takes the current context off again when it is dropped, after a panic too.
struct Entered;

impl Entered {
    fn enter(ctx: &Context) -> Self {
        CURRENT.with_borrow_mut(|entered| entered.push(ctx.clone()));
        Self
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // Dropped outside of the borrow: the last handle may run foreign destructors.
        let left = CURRENT.try_with(|entered| entered.borrow_mut().pop());
        drop(left);
    }
}

pin_project! {
    /// Work whose context is the current one while it is polled; made by [`Context::as_current`].
    #[must_use = "a future does nothing until it is polled"]
    #[derive(Debug)]
    pub struct AsCurrent<W> {
        ctx: Context,
        #[pin]
        work: W,
    }
}

impl<W: Future> Future for AsCurrent<W> {
    type Output = W::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<W::Output> {
        let this = self.project();
        let _entered = Entered::enter(this.ctx);
        this.work.poll(cx)
    }
}

impl Context {
    /// Returns the context that [`as_current`](Self::as_current) or [`enter`](Self::enter) made current here, the
    /// innermost of several, or the background.
    ///
    /// It is for code that cannot take a context as a parameter, such as a trait of another library. A task that is
    /// spawned starts with the background again: wrap it, too.
    #[must_use]
    pub fn current() -> Self {
        CURRENT.with_borrow(|entered| entered.last().cloned()).unwrap_or_default()
    }

    /// Makes this the [`current`](Self::current) context of `work`, on whatever thread it is polled. It does not stop
    /// the work; [`run`](Self::run) does.
    ///
    /// ```
    /// use ctx::Context;
    ///
    /// # fn poll<F: Future>(work: F) -> std::task::Poll<F::Output> {
    /// #     std::pin::pin!(work).poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    /// # }
    /// let user = Context::background().with_value("ada");
    /// let work = async { Context::current().value::<&str>().copied() };
    /// assert_eq!(poll(user.as_current(work)), std::task::Poll::Ready(Some("ada")));
    /// assert_eq!(Context::current().value::<&str>(), None);
    /// ```
    pub fn as_current<W: Future>(&self, work: W) -> AsCurrent<W> {
        AsCurrent { ctx: self.clone(), work }
    }

    /// Calls `f` with this as the [`current`](Self::current) context of the thread.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        let _entered = Entered::enter(self);
        f()
    }
}
