//! Lines of the table.

use std::time::Duration;

/// Prints the line of `times`.
pub(crate) fn times(figure: &str, server: &str, mut times: Vec<Duration>, more: &str) {
    times.sort();
    let at = |share: f64| {
        let rank = (times.len() as f64 * share).ceil() as usize;
        times.get(rank.max(1) - 1).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    };
    let n = times.len();
    println!("| {figure} | {server} | {n} | {:.1} | {:.1} | {:.1} | {more} |", at(0.5), at(0.99), at(1.0));
}

/// Prints the line of a count.
pub(crate) fn count(figure: &str, server: &str, n: u64, told: &str) {
    println!("| {figure} | {server} | {n} | | | | {told} |");
}
