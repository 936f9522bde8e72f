//! The wakes of one future under test.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

/// Notes the wakes of one driven future, and passes them on to the task that drives it.
///
/// Every driven future has one of its own, so a wake that comes late reaches nobody but the future it was meant for.
#[derive(Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    woken: bool,
    /// The task to wake along; set by [`Signal::follow`]. Counted, so that no foreign code runs under the lock.
    task: Option<Arc<Waker>>,
}

impl Signal {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets earlier wakes, as each poll does.
    pub(crate) fn clear(&self) {
        self.lock().woken = false;
    }

    /// Reports whether the future was woken since its last poll.
    pub(crate) fn is_woken(&self) -> bool {
        self.lock().woken
    }

    /// Waits up to `patience` for a wake, and reports whether there was one.
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let waiting = self.changed.wait_timeout_while(self.lock(), patience, |state| !state.woken);
        waiting.unwrap_or_else(PoisonError::into_inner).0.woken
    }

    /// Has later wakes wake `task` too.
    pub(crate) fn follow(&self, task: &Waker) {
        if self.lock().task.as_ref().is_some_and(|known| known.will_wake(task)) {
            return;
        }
        let task = Arc::new(task.clone());
        // Dropped after the lock is released.
        let _before = self.lock().task.replace(task);
    }

    /// Reports whether the future was not woken and never will be: nothing holds a clone of the one waker made from this.
    pub(crate) fn is_lost(self: &Arc<Self>) -> bool {
        // The order matters: who wakes by its last clone sets the flag before it drops that.
        let held = Arc::strong_count(self) > 2;
        !held && !self.is_woken()
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let task = {
            let mut state = self.lock();
            state.woken = true;
            state.task.clone()
        };
        self.changed.notify_all();
        if let Some(task) = task {
            task.wake_by_ref();
        }
    }
}
