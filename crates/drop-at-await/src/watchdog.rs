//! A thread that wakes a task whose future is not woken in time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

/// Bounds how long a future in a task may wait, without a timer of the task's runtime.
///
/// Its thread starts with the first wait and ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Watchdog {
    patience: Duration,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Since when the future has waited; `None` between waits.
    since: Option<Instant>,
    /// The task to wake when it has waited too long; taken by that wake.
    task: Option<Arc<Waker>>,
    started: bool,
    gone: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watchdog {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, shared: Arc::default() }
    }

    /// Notes that the future was polled.
    pub(crate) fn reset(&self) {
        let mut state = self.shared.lock();
        state.since = None;
        let task = state.task.take();
        drop(state);
        drop(task);
    }

    /// Reports whether the future has waited too long; if not, `task` is woken when it has.
    pub(crate) fn is_over(&self, task: &Waker) -> bool {
        let task = Arc::new(task.clone());
        let mut state = self.shared.lock();
        let since = *state.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.patience {
            return true;
        }
        let before = state.task.replace(task);
        if !state.started {
            state.started = true;
            let (shared, patience) = (self.shared.clone(), self.patience);
            thread::spawn(move || shared.watch(patience));
        }
        drop(state);
        self.shared.changed.notify_all();
        drop(before);
        false
    }
}

impl Shared {
    /// Wakes the task whenever its future has waited for `patience`.
    fn watch(&self, patience: Duration) {
        let mut state = self.lock();
        while !state.gone {
            // Both are set and taken together, but for the wake below.
            let left = state
                .since
                .filter(|_| state.task.is_some())
                .map(|since| patience.saturating_sub(since.elapsed()));
            match left {
                None => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                Some(left) if !left.is_zero() => {
                    state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                    continue;
                }
                Some(_) => {}
            }
            let task = state.task.take();
            drop(state);
            task.into_iter().for_each(|task| task.wake_by_ref());
            state = self.lock();
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.lock().gone = true;
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_starts_anew_with_each_wait() {
        let patience = Duration::from_secs(3600);
        let watchdog = Watchdog::new(patience);
        assert!(!watchdog.is_over(Waker::noop()));
        watchdog.shared.lock().since = Instant::now().checked_sub(patience);
        assert!(watchdog.is_over(Waker::noop()));
        watchdog.reset();
        assert!(!watchdog.is_over(Waker::noop()));
    }
}
