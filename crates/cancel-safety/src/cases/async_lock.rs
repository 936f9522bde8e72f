//! Locks for any runtime, on `event-listener`.

use std::sync::Arc;

use async_lock::{Barrier, Mutex, OnceCell, RwLock, RwLockUpgradableReadGuard, Semaphore};
use drop_at_await::Report;
use futures_lite::future::yield_now;

use super::of;
use crate::case::Case;
use crate::case::Claim::Nothing;
use crate::case::Invariant::{Lock, Permits, State};
use crate::tools::{UsedUp, alone, check, now, passes_on};

pub(super) fn cases() -> Vec<Case> {
    const MUTEX: &str = "async-lock/src/mutex.rs";
    const RWLOCK: &str = "async-lock/src/rwlock.rs";
    let page = |item| of("async-lock", item, "async_lock/index.html");
    vec![
        page("Mutex::lock").says(Nothing, MUTEX, "pub fn lock(").moving("2 waiters", Lock).keeps(mutex),
        page("Mutex::lock_arc")
            .says(Nothing, MUTEX, "pub fn lock_arc(")
            .moving("2 waiters", Lock)
            .keeps(mutex_arc),
        page("RwLock::read")
            .says(Nothing, RWLOCK, "pub fn read(")
            .moving("1 reader before 1 writer", Lock)
            .keeps(read),
        page("RwLock::write")
            .says(Nothing, RWLOCK, "pub fn write(")
            .moving("1 writer before 1 reader", Lock)
            .keeps(write),
        page("RwLock::upgradable_read")
            .says(Nothing, RWLOCK, "pub fn upgradable_read(")
            .moving("2 waiters", Lock)
            .keeps(upgradable_read),
        page("RwLockUpgradableReadGuard::upgrade")
            .says(Nothing, RWLOCK, "pub fn upgrade(guard: Self) -> Upgrade<'a, T>")
            .moving("1 upgrade before 1 writer", Lock)
            .keeps(upgrade),
        page("Semaphore::acquire")
            .says(Nothing, "async-lock/src/semaphore.rs", "pub fn acquire(")
            .moving("2 waiters, 1 permit", Permits)
            .keeps(acquire),
        page("Barrier::wait")
            .says(Nothing, "async-lock/src/barrier.rs", "pub fn wait(")
            .moving("1 waiter that retries, 1 that never comes", State)
            .loses("the barrier: it opens for one of two", barrier)
            .found("async-lock-barrier-counts-who-gave-up.md"),
        page("OnceCell::get_or_init")
            .says(Nothing, "async-lock/src/once_cell.rs", "pub async fn get_or_init<")
            .moving("2 initializers, the first dropped", State)
            .keeps(get_or_init),
        page("OnceCell::wait")
            .says(Nothing, "async-lock/src/once_cell.rs", "pub async fn wait(")
            .moving("1 value", State)
            .keeps(wait),
    ]
}

fn mutex() -> Report {
    alone(|run| {
        let mutex = Mutex::new(());
        let mut held = mutex.try_lock();
        passes_on(run, mutex.lock(), mutex.lock(), UsedUp::Never, || drop(held.take()))
    })
}

fn mutex_arc() -> Report {
    alone(|run| {
        let mutex = Arc::new(Mutex::new(()));
        let mut held = mutex.try_lock();
        passes_on(run, mutex.lock_arc(), mutex.lock_arc(), UsedUp::Never, || drop(held.take()))
    })
}

fn read() -> Report {
    alone(|run| {
        let lock = RwLock::new(());
        let mut held = lock.try_write();
        passes_on(run, lock.read(), lock.write(), UsedUp::Never, || drop(held.take()))
    })
}

fn write() -> Report {
    alone(|run| {
        let lock = RwLock::new(());
        let mut held = lock.try_read();
        passes_on(run, lock.write(), lock.read(), UsedUp::Never, || drop(held.take()))
    })
}

fn upgradable_read() -> Report {
    alone(|run| {
        let lock = RwLock::new(());
        let mut held = lock.try_upgradable_read();
        passes_on(run, lock.upgradable_read(), lock.upgradable_read(), UsedUp::Never, || drop(held.take()))
    })
}

fn upgrade() -> Report {
    alone(|run| {
        let lock = RwLock::new(());
        let guard = lock.try_upgradable_read().expect("the lock is new");
        let mut held = lock.try_read();
        let upgrade = RwLockUpgradableReadGuard::upgrade(guard);
        passes_on(run, upgrade, lock.write(), UsedUp::Never, || drop(held.take()))
    })
}

fn acquire() -> Report {
    alone(|run| {
        let semaphore = Semaphore::new(1);
        let mut held = semaphore.try_acquire();
        passes_on(run, semaphore.acquire(), semaphore.acquire(), UsedUp::Never, || drop(held.take()))?;
        check(semaphore.try_acquire().is_some(), "a permit")
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

fn wait() -> Report {
    alone(|run| {
        let cell = OnceCell::new();
        let outcome =
            run.retry(async || *cell.wait().await, |step| step == 0 && cell.set_blocking(7).is_ok());
        check(outcome.completed() == Some(7), "the value")
    })
}
