//! Work side by side.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Does `work` with each of these items on so many threads; returns what came of it, in the order of the items.
pub fn each<T: Sync, R: Send>(threads: usize, items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(items.len())));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(number) else { return };
                    let result = work(item);
                    done.lock().push((number, result));
                }
            });
        }
    });
    let mut done = done.into_inner();
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Does `work` as [`each`] does, and begins none after one has failed.
///
/// # Errors
/// The failure of the first item, in their order, that failed.
pub fn try_each<T: Sync, R: Send, E: Send>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let has_failed = AtomicBool::new(false);
    let results = each(threads, items, |item| {
        let fails = |_: &E| has_failed.store(true, Ordering::Relaxed);
        (!has_failed.load(Ordering::Relaxed)).then(|| work(item).inspect_err(fails))
    });
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..100).collect();
        assert_eq!(each(8, &items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(try_each(8, &items, |item| Ok::<u32, ()>(*item)), Ok(items));
    }

    #[test]
    fn no_item_is_begun_after_one_has_failed() {
        let begun = AtomicUsize::new(0);
        let work = |item: &u32| {
            begun.fetch_add(1, Ordering::Relaxed);
            if *item == 3 { Err(*item) } else { Ok(*item) }
        };
        // One thread takes the items in their order.
        assert_eq!(try_each(1, &[1, 2, 3, 4, 5], work), Err(3));
        assert_eq!(begun.into_inner(), 3);
    }

    #[test]
    fn of_two_failures_that_of_the_earlier_item_is_returned() {
        // Both are under way before either fails.
        let both = std::sync::Barrier::new(2);
        let work = |item: &u32| -> Result<(), u32> {
            both.wait();
            Err(*item)
        };
        assert_eq!(try_each(2, &[1, 2], work), Err(1));
    }
}
