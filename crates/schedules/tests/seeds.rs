//! No seed breaks a promise of the server as it is, and each fault is found and can be run again.

use schedules::{Ends, Fault, run};

/// The gate's share of the seeds; `cargo run --release -p schedules` runs a hundred thousand.
const SEEDS: u64 = 3000;

#[test]
fn no_seed_breaks_a_promise() {
    for seed in 0..SEEDS {
        let run = run(seed, None, false);
        assert_eq!(
            run.violation, None,
            "seed {seed}: `cargo run -p schedules -- --replay {seed}` shows its steps"
        );
    }
}

#[test]
fn the_seeds_reach_every_end_of_a_request() {
    let mut ends = Ends::default();
    (0..500).for_each(|seed| ends += run(seed, None, false).ends);
    let least = [ends.succeeded, ends.timed_out, ends.stopped, ends.failed, ends.dropped].into_iter().min();
    assert!(least >= Some(20), "{ends:?}");
}

#[test]
fn every_fault_is_found_and_runs_again_by_its_seed() {
    for fault in Fault::ALL {
        let found = (0..SEEDS).map(|seed| run(seed, Some(fault), false)).find(|run| run.violation.is_some());
        let found = found.unwrap_or_else(|| panic!("{fault:?} is not found in {SEEDS} seeds"));
        let again = run(found.seed, Some(fault), true);
        assert_eq!((again.hash, again.steps, &again.violation), (found.hash, found.steps, &found.violation));
        assert!(!again.lines.is_empty());
        // The fault breaks the promise, and not the seed.
        assert_eq!(run(found.seed, None, false).violation, None);
    }
}

#[test]
fn a_seed_is_a_run() {
    let hashes: std::collections::BTreeSet<u64> = (0..500)
        .map(|seed| {
            let (one, two) = (run(seed, None, false), run(seed, None, false));
            assert_eq!(one, two);
            one.hash
        })
        .collect();
    assert!(hashes.len() > 490, "{} different runs of 500", hashes.len());
}
