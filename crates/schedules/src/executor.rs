//! Tasks that are polled when the schedule says so.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A future of its own.
pub(crate) type BoxFuture = Pin<Box<dyn Future<Output = ()>>>;

/// A future and whether it was woken.
pub(crate) struct Task {
    pub(crate) name: &'static str,
    future: BoxFuture,
    /// The wake of the latest poll. That of an earlier poll is another, and wakes nothing: a future has to keep the latest.
    wake: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Task {
    pub(crate) fn new(name: &'static str, future: BoxFuture) -> Self {
        Self { name, future, wake: Arc::new(Woken(AtomicBool::new(true))) }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.wake.0.load(Ordering::Relaxed)
    }

    /// Polls the future with a new waker, and reports whether it ended.
    pub(crate) fn poll(&mut self) -> bool {
        self.wake = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(self.wake.clone());
        matches!(self.future.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(()))
    }
}
