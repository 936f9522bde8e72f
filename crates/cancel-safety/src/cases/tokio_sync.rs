//! tokio's locks, semaphores and other meeting points.

use std::sync::Arc;

use drop_at_await::Report;
use tokio::sync::{Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, SetOnce};
use tokio::task::yield_now;

use super::of;
use crate::case::Case;
use crate::case::Claim::{LosesItsPlace, NotSafe, Nothing, Safe};
use crate::case::Invariant::{Lock, Permits, State, Wake};
use crate::tools::{UsedUp, alone, check, now, passes_on};

const MUTEX: &str = "tokio/src/sync/mutex.rs";
const RWLOCK: &str = "tokio/src/sync/rwlock.rs";
const SEMAPHORE: &str = "tokio/src/sync/semaphore.rs";
const NOTIFY: &str = "tokio/src/sync/notify.rs";

pub(super) fn cases() -> Vec<Case> {
    vec![
        of("tokio", "sync::Mutex::lock", "tokio/sync/struct.Mutex.html#method.lock")
            .says(LosesItsPlace, MUTEX, "pub async fn lock(")
            .moving("2 waiters", Lock)
            .keeps(mutex),
        of("tokio", "sync::Mutex::lock_owned", "tokio/sync/struct.Mutex.html#method.lock_owned")
            .says(LosesItsPlace, MUTEX, "pub async fn lock_owned(")
            .moving("2 waiters", Lock)
            .keeps(mutex_owned),
        of("tokio", "sync::RwLock::read", "tokio/sync/struct.RwLock.html#method.read")
            .says(LosesItsPlace, RWLOCK, "pub async fn read(")
            .moving("1 reader before 1 writer", Lock)
            .keeps(read),
        of("tokio", "sync::RwLock::write", "tokio/sync/struct.RwLock.html#method.write")
            .says(LosesItsPlace, RWLOCK, "pub async fn write(")
            .moving("1 writer before 1 reader", Lock)
            .keeps(write),
        of("tokio", "sync::Semaphore::acquire", "tokio/sync/struct.Semaphore.html#method.acquire")
            .says(LosesItsPlace, SEMAPHORE, "pub async fn acquire(")
            .moving("2 waiters, 1 permit", Permits)
            .keeps(acquire),
        of("tokio", "sync::Semaphore::acquire_many", "tokio/sync/struct.Semaphore.html#method.acquire_many")
            .says(LosesItsPlace, SEMAPHORE, "pub async fn acquire_many(")
            .moving("3 permits, added one by one", Permits)
            .keeps(acquire_many),
        of(
            "tokio",
            "sync::Semaphore::acquire_many_owned",
            "tokio/sync/struct.Semaphore.html#method.acquire_many_owned",
        )
        .says(LosesItsPlace, SEMAPHORE, "pub async fn acquire_many_owned(")
        .moving("3 permits, added one by one", Permits)
        .keeps(acquire_many_owned),
        of("tokio", "sync::Notify::notified", "tokio/sync/struct.Notify.html#method.notified")
            .says(LosesItsPlace, NOTIFY, "pub fn notified(")
            .moving("2 waiters, 1 `notify_one`", Wake)
            .keeps(notified),
        of("tokio", "sync::Barrier::wait", "tokio/sync/struct.Barrier.html#method.wait")
            .says(NotSafe, "tokio/src/sync/barrier.rs", "pub async fn wait(")
            .moving("1 waiter that retries, 1 that never comes", State)
            .loses("the barrier: it opens for one of two", barrier),
        of("tokio", "sync::OnceCell::get_or_init", "tokio/sync/struct.OnceCell.html#method.get_or_init")
            .says(Nothing, "tokio/src/sync/once_cell.rs", "pub async fn get_or_init<")
            .moving("2 initializers, the first dropped", State)
            .keeps(get_or_init),
        of("tokio", "sync::SetOnce::wait", "tokio/sync/struct.SetOnce.html#method.wait")
            .says(Safe, "tokio/src/sync/set_once.rs", "pub async fn wait(")
            .moving("1 value", State)
            .keeps(set_once),
    ]
}

fn mutex() -> Report {
    alone(|run| {
        let mutex = Mutex::new(());
        let mut held = mutex.try_lock().ok();
        passes_on(run, mutex.lock(), mutex.lock(), UsedUp::Never, || drop(held.take()))
    })
}

fn mutex_owned() -> Report {
    alone(|run| {
        let mutex = Arc::new(Mutex::new(()));
        let mut held = mutex.try_lock().ok();
        passes_on(run, mutex.clone().lock_owned(), mutex.lock(), UsedUp::Never, || drop(held.take()))
    })
}

fn read() -> Report {
    alone(|run| {
        let lock = RwLock::new(());
        let mut held = lock.try_write().ok();
        passes_on(run, lock.read(), lock.write(), UsedUp::Never, || drop(held.take()))
    })
}

fn write() -> Report {
    alone(|run| {
        let lock = RwLock::new(());
        let mut held = lock.try_read().ok();
        passes_on(run, lock.write(), lock.read(), UsedUp::Never, || drop(held.take()))
    })
}

fn acquire() -> Report {
    alone(|run| {
        let semaphore = Semaphore::new(1);
        let mut held = semaphore.try_acquire().ok();
        passes_on(run, semaphore.acquire(), semaphore.acquire(), UsedUp::Never, || drop(held.take()))?;
        check(semaphore.available_permits() == 1, "a permit")
    })
}

fn acquire_many() -> Report {
    alone(|run| {
        let semaphore = Semaphore::new(1);
        let mut permits = 1;
        drop(run.drive_beside(semaphore.acquire_many(3), |_| {
            semaphore.add_permits(1);
            permits += 1;
            true
        }));
        check(semaphore.available_permits() == permits, "a permit")
    })
}

fn acquire_many_owned() -> Report {
    alone(|run| {
        let semaphore = Arc::new(Semaphore::new(1));
        let mut permits = 1;
        drop(run.drive_beside(semaphore.clone().acquire_many_owned(3), |_| {
            semaphore.add_permits(1);
            permits += 1;
            true
        }));
        check(semaphore.available_permits() == permits, "a permit")
    })
}

fn notified() -> Report {
    alone(|run| {
        let notify = Notify::new();
        passes_on(run, notify.notified(), notify.notified(), UsedUp::ByCompletion, || notify.notify_one())
    })
}

fn barrier() -> Report {
    alone(|run| {
        let barrier = Barrier::new(2);
        let mut came = false;
        let outcome = run.retry(
            async || barrier.wait().await,
            |step| {
                came = true;
                step == 0 && now(barrier.wait()).is_some()
            },
        );
        check(came || outcome.completed().is_none(), "it opened for one of two")
    })
}

fn get_or_init() -> Report {
    alone(|run| {
        let cell = OnceCell::new();
        let init = async || {
            yield_now().await;
            7
        };
        let outcome = run.retry(async || *cell.get_or_init(init).await, |_| false);
        check(outcome.completed() == Some(7), "the value")
    })
}

fn set_once() -> Report {
    alone(|run| {
        let once = SetOnce::new();
        let outcome = run.retry(async || *once.wait().await, |step| step == 0 && once.set(7).is_ok());
        check(outcome.completed() == Some(7), "the value")
    })
}
