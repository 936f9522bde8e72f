//! Lateness as tables and sentences.

use super::Overshoot;
use crate::results::Results;
use crate::stats::Summary;
use crate::table::{Cell, Table};
use crate::text::{ALIKE, are_few, extremes, number, span};

/// The tables of the lateness of requests alone and at once.
pub(super) fn tables(results: &Results) -> Vec<Table> {
    let mut table = table(&results.measured.overshoot, "How late is the 504?", "at once");
    table.note = "From the deadline, counted from when the request was meant to be sent, to the first byte of the answer; all \
                  samples of all rounds."
        .to_owned();
    table.sentences = sentences(results);
    table.filled().into_iter().collect()
}

/// The table of the lateness of requests in step.
pub(super) fn spread_tables(results: &Results) -> Vec<Table> {
    let title = "How late is the 504 when requests come in step?";
    let mut table = table(&results.measured.spread, title, "in a second");
    table.note =
        "Open loop: each request is due at its own moment, and its lateness counts from there.".to_owned();
    table.filled().into_iter().collect()
}

/// Returns a table of lateness, without a note.
pub(crate) fn table(all: &[Overshoot], title: &str, how: &str) -> Table {
    let columns = [how, "deadline", "answers", "early", "p50", "p99", "worst"];
    let mut table = Table::new(title, "server", columns);
    for o in all {
        let mut cells = vec![
            Cell::plain(number(o.at_once as u64)),
            Cell::plain(span(o.deadline_ms)),
            Cell::plain(number(o.summary_ms.map_or(0, |summary| summary.count) as u64)),
            Cell::fault(o.early as u64),
        ];
        cells.extend(Cell::quantiles(o.summary_ms));
        table.line(&o.server, cells);
    }
    table
}

/// Returns the meaning of the lateness of the 504s.
fn sentences(results: &Results) -> Vec<String> {
    let all = &results.measured.overshoot;
    let answered: usize = all.iter().filter_map(|o| Some(o.summary_ms?.count)).sum();
    if answered == 0 {
        return Vec::new();
    }
    let mut told: Vec<String> = all.iter().filter(|o| o.early > 0).map(early).collect();
    if told.is_empty() {
        let answered = number(answered as u64);
        told.push(format!("Never early: 0 of {answered} answers came before their deadline."));
    }
    for o in all.iter().filter(|o| !o.others.is_empty()) {
        let others: Vec<_> = o.others.iter().map(|(what, count)| format!("{count} times {what}")).collect();
        let at_once = number(o.at_once as u64);
        told.push(format!("{}, {at_once} at once: {} instead of 504.", o.server, others.join(", ")));
    }
    let noise = results.noise.p99_ms;
    let many = all.iter().map(|o| o.at_once).max().unwrap_or(1);
    let crowd: Vec<&Overshoot> = all.iter().filter(|o| o.at_once == many && many > 1).collect();
    told.extend(latest(&crowd, noise));
    told.push(format!(
        "The scheduler of this machine is late by {} itself (p99, measured just before): less than that is noise.",
        span(noise)
    ));
    let (load, cores) = (results.machine.load.unwrap_or(0.0), results.machine.cores);
    if load > cores as f32 {
        told.push(format!(
            "Other work kept the machine busy (a load of {load:.1} on {cores} cores): it caused most of the lateness."
        ));
    }
    told
}

fn early(o: &Overshoot) -> String {
    let count = o.summary_ms.map_or(0, |summary| summary.count);
    format!("{} answered {} of {count} requests BEFORE their deadline: a broken promise.", o.server, o.early)
}

/// The earliest and the latest server at one concurrency, by the 99th percentile; `None` for fewer than two servers. They
/// are told apart only where the ranges of their rounds part, by more than the noise.
pub fn latest(shown: &[&Overshoot], noise: f64) -> Option<String> {
    let at_once = number(shown.first()?.at_once as u64);
    let rounds: Vec<(&str, Summary)> =
        shown.iter().filter_map(|o| Some((o.server.as_str(), o.p99_of_rounds()?))).collect();
    if let Some([first, last]) = extremes(&rounds)
        && last.1.p50 - first.1.p50 > noise
    {
        let within = |(server, rounds): (&str, Summary)| format!("within {} by {server}", span(rounds.p50));
        let (first, last) = (within(first), within(last));
        return Some(format!("With {at_once} at once 99 of 100 were answered {first}, and {last}."));
    }
    let noise = span(noise);
    (shown.len() > 1 && !are_few(&rounds)).then(|| {
        format!(
            "With {at_once} at once no server is told to be later than another: {ALIKE}, or differ by no more than this \
             machine's own {noise}."
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use suite::exit::Exit;

    use super::*;
    use crate::fixtures::{empty, latenesses};
    use crate::overshoot::Sample;

    #[test]
    fn an_early_answer_is_called_a_broken_promise() {
        let mut results = empty(&["x"]);
        let now = Instant::now();
        let sample = |after| Sample {
            status: Some(504),
            intended_at: now,
            sent_at: now,
            first_byte_at: Some(now + Duration::from_millis(after)),
        };
        let mut one = Overshoot::new("x", 1, Duration::from_millis(100));
        one.add(&[sample(99), sample(101)], 0.0);
        results.measured.overshoot.push(one);
        let told = &tables(&results)[0].sentences[0];
        assert_eq!(told, "x answered 1 of 2 requests BEFORE their deadline: a broken promise.");
        assert_eq!(results.exit(), Exit::Broken);
    }

    #[test]
    fn thirty_samples_have_no_99th_percentile_in_a_table() {
        let of = |samples: usize| {
            let mut results = empty(&["x"]);
            results.measured.overshoot = vec![latenesses("x", &[&vec![0.5; samples]])];
            tables(&results)[0].lines[0].cells[5].text.clone()
        };
        assert_eq!((of(30).as_str(), of(300).as_str()), ("–", "0.50 ms"));
    }

    #[test]
    fn servers_are_told_apart_by_lateness_only_when_the_ranges_of_three_rounds_part() {
        let rounds = |late: [f64; 3]| late.map(|late| vec![late; 300]);
        let told = |a: &[Vec<f64>], b: &[Vec<f64>]| {
            let of = |name: &str, rounds: &[Vec<f64>]| {
                latenesses(name, &rounds.iter().map(Vec::as_slice).collect::<Vec<_>>())
            };
            latest(&[&of("a", a), &of("b", b)], 0.5).unwrap()
        };
        let (low, high) = (rounds([1.0, 2.0, 3.0]), rounds([7.0, 8.0, 9.0]));
        assert_eq!(
            told(&high, &low),
            "With 500 at once 99 of 100 were answered within 2.0 ms by b, and within 8.0 ms by a."
        );
        for (a, b) in [(&low[..], &rounds([2.5, 8.0, 9.0])[..]), (&low[..2], &high[..])] {
            assert!(told(a, b).contains("no server is told to be later"), "{}", told(a, b));
        }
    }

    #[test]
    fn nothing_measured_is_nothing_said() {
        assert!(tables(&empty(&["x"])).is_empty() && spread_tables(&empty(&["x"])).is_empty());
    }
}
