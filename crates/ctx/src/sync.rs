//! The locks and atomics of the state machine, which a loom build replaces by loom's, or by shuttle's.
//!
//! `Arc` and `Weak` stay std's in both: their counting is not what the models are about.

#[cfg(loom)]
mod made;

#[cfg(all(loom, not(shuttle)))]
use loom::sync as model;
#[cfg(loom)]
pub(crate) use made::OnceBox;
#[cfg(loom)]
pub(crate) use model::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
#[cfg(loom)]
pub(crate) use model::{Condvar, Mutex, MutexGuard};
#[cfg(not(loom))]
pub(crate) use once_cell::race::OnceBox;
#[cfg(all(loom, shuttle))]
use shuttle::sync as model;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

use std::sync::{PoisonError, TryLockError};

/// Locks, and goes on after a panic elsewhere: every critical section here leaves its data whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks as [`lock`] does, unless another thread has the lock.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
