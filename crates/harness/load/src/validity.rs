//! Reasons not to believe a row. A generator that was late, busy or blind measures itself.

use super::row::Row;

/// The least share of the requested rate that must have been sent.
pub const RATE: f64 = 0.99;
/// The most that 99 of 100 requests may have left late, microseconds.
pub const LAG_US: u64 = 1_000;
/// The largest share of its time that the generator may have been on a processor.
pub const CPU: f64 = 0.70;
/// The greatest distance between Little's figures.
pub const LITTLE: f64 = 0.05;

/// Every reason why `row` may not be believed, in words; none when it may.
pub fn reasons(row: &Row) -> Vec<String> {
    let mut reasons = Vec::new();
    if row.finished == 0 {
        reasons.push("nothing was answered".to_owned());
    } else if row.good < row.finished {
        let bad = row.finished - row.good;
        let kinds: Vec<String> = row.others.iter().map(|(what, count)| format!("{count} {what}")).collect();
        let kinds = if kinds.is_empty() { "another status".to_owned() } else { kinds.join(", ") };
        reasons.push(format!("{bad} of {} are no good answers: {kinds}", row.finished));
    }
    if let Some(rate) = row.rate
        && rate.achieved < RATE * rate.requested
    {
        let (achieved, requested) = (rate.achieved, rate.requested);
        reasons.push(format!("sent {achieved:.0} of {requested:.0} requests a second"));
    }
    if let Some(lag) = row.lag
        && lag.p99_us > LAG_US
    {
        reasons.push(format!("requests left late: {:.1} ms (p99)", lag.p99_us as f64 / 1e3));
    }
    if row.generator_cpu > CPU {
        reasons.push(format!("the generator was busy: {:.0} % of its time", row.generator_cpu * 100.0));
    }
    if row.finished > 0 && row.little.error() > LITTLE {
        reasons.push(format!("Little's law is off by {:.0} %", row.little.error() * 100.0));
    }
    if row.censored.count > 0 {
        let oldest = row.censored.oldest_ms.unwrap_or(0.0);
        reasons
            .push(format!("{} requests never answered, the oldest {oldest:.0} ms old", row.censored.count));
    }
    if row.descriptors < 2 * row.connections as u64 {
        reasons.push(format!("only {} descriptors for {} connections", row.descriptors, row.connections));
    }
    reasons
}

/// True when nothing but the generator's lateness makes `row` invalid: it was not let run, and the server did all right.
pub fn is_only_late(row: &Row) -> bool {
    let late = row.lag.is_some_and(|lag| lag.p99_us > LAG_US);
    late && row.invalid.len() == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{Censored, Lag, Little, Rate};

    /// A row that breaks no rule, each figure just inside its bound.
    fn sound() -> Row {
        Row {
            connections: 100,
            finished: 1000,
            good: 1000,
            rate: Some(Rate { requested: 1000.0, achieved: 990.0 }),
            lag: Some(Lag { p50_us: 10, p99_us: LAG_US, max_us: 1_000_000 }),
            generator_cpu: CPU,
            little: Little { in_system: 10.0, per_second: 1000.0, mean_ms: 10.5 },
            descriptors: 200,
            ..Row::default()
        }
    }

    fn only_reason(change: impl FnOnce(&mut Row)) -> String {
        let mut row = sound();
        change(&mut row);
        let reasons = reasons(&row);
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        reasons[0].clone()
    }

    #[test]
    fn a_row_inside_every_bound_is_valid() {
        assert!(reasons(&sound()).is_empty());
    }

    #[test]
    fn a_rate_that_was_not_reached_is_a_reason() {
        let reason = only_reason(|row| row.rate = Some(Rate { requested: 1000.0, achieved: 989.0 }));
        assert_eq!(reason, "sent 989 of 1000 requests a second");
    }

    #[test]
    fn requests_that_left_late_are_a_reason() {
        let reason = only_reason(|row| row.lag = Some(Lag { p50_us: 0, p99_us: 1_001, max_us: 1_001 }));
        assert_eq!(reason, "requests left late: 1.0 ms (p99)");
    }

    #[test]
    fn only_a_generator_that_was_late_and_nothing_else_is_worth_another_try() {
        let judged = |change: &dyn Fn(&mut Row)| {
            let mut row = sound();
            change(&mut row);
            row.invalid = reasons(&row);
            is_only_late(&row)
        };
        let late = |row: &mut Row| row.lag = Some(Lag { p50_us: 0, p99_us: 2_000, max_us: 2_000 });
        assert!(judged(&late));
        assert!(!judged(&|_| {}));
        assert!(!judged(&|row| row.generator_cpu = 0.94));
        assert!(!judged(&|row| {
            late(row);
            row.rate = Some(Rate { requested: 1000.0, achieved: 500.0 });
        }));
    }

    #[test]
    fn a_busy_generator_is_a_reason() {
        assert_eq!(only_reason(|row| row.generator_cpu = 0.94), "the generator was busy: 94 % of its time");
    }

    #[test]
    fn figures_that_contradict_each_other_are_a_reason() {
        for mean_ms in [9.4, 10.6] {
            assert_eq!(only_reason(|row| row.little.mean_ms = mean_ms), "Little's law is off by 6 %");
        }
    }

    #[test]
    fn a_request_without_an_answer_is_a_reason() {
        let censored = Censored { count: 3, never_sent: 1, oldest_ms: Some(5000.0), youngest_ms: Some(1.0) };
        assert_eq!(
            only_reason(|row| row.censored = censored),
            "3 requests never answered, the oldest 5000 ms old"
        );
    }

    #[test]
    fn too_few_descriptors_are_a_reason() {
        assert_eq!(only_reason(|row| row.descriptors = 199), "only 199 descriptors for 100 connections");
    }

    #[test]
    fn what_is_no_good_answer_is_a_reason() {
        let reason = only_reason(|row| {
            row.good = 997;
            row.others = [("404".to_owned(), 2), ("lost".to_owned(), 1)].into();
        });
        assert_eq!(reason, "3 of 1000 are no good answers: 2 404, 1 lost");
    }

    #[test]
    fn a_load_without_a_single_answer_is_never_valid() {
        assert_eq!(only_reason(|row| (row.finished, row.good) = (0, 0)), "nothing was answered");
    }

    #[test]
    fn a_closed_loop_has_no_rate_and_no_lag_to_break() {
        assert!(reasons(&Row { rate: None, lag: None, ..sound() }).is_empty());
    }
}
