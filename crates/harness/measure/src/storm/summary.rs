//! Storms as tables and sentences.

use super::{Reading, Storm};
use crate::results::Results;
use crate::table::{Cell, Column, Table, Tone};
use crate::text::{list, megabytes, number, span};

/// Returns the storm in the middle of several, by the work that nobody waited for.
pub fn representative<'a>(storms: &[&'a Storm]) -> Option<&'a Storm> {
    let mut sorted = storms.to_vec();
    sorted.sort_by(|a, b| a.zombie_area().total_cmp(&b.zombie_area()));
    sorted.get(sorted.len() / 2).copied()
}

/// Returns the representative storm of each server, in the order of the servers.
pub fn shown<'a>(results: &'a Results, style: &str) -> Vec<&'a Storm> {
    let names = results.names();
    let storms = names.iter().filter_map(|name| representative(&results.measured.storms_of(name, style)));
    storms.collect()
}

impl Storm {
    /// Returns the threads at its peak that were not there before.
    pub fn more_threads(&self) -> u64 {
        self.peak().threads.saturating_sub(self.before().threads)
    }

    /// Returns the threads that it took, in words.
    pub fn threads_taken(&self) -> String {
        match self.more_threads() {
            0 => "no more threads".to_owned(),
            1 => "1 more thread".to_owned(),
            more => format!("{} more threads", number(more)),
        }
    }

    /// Returns the memory that it took on top, in bytes.
    pub fn grown(&self) -> u64 {
        self.peak().pss.saturating_sub(self.before().pss)
    }

    /// Returns the work that was left when the last answer had been read, in a clause.
    pub fn left_said(&self) -> String {
        match (self.left_behind(), self.quiet_ms) {
            (0, _) => "no work was left when the last answer had been read".to_owned(),
            (left, Some(_)) => format!(
                "when the last answer had been read, {} of {} requests' work still ran; the last of it ended {} later: {:.0} s \
                 of work for nobody, added up",
                number(left),
                number(self.requests as u64),
                span(self.quiesce_ms().unwrap_or(0.0)),
                self.zombie_area()
            ),
            (left, None) => format!(
                "when the last answer had been read, {} of {} requests' work still ran, and some did when the lab stopped \
                 watching",
                number(left),
                number(self.requests as u64)
            ),
        }
    }
}

/// Returns the meaning of the storms of one style.
pub(super) fn sentences(results: &Results, style: &str) -> Vec<String> {
    let storms = shown(results, style);
    let (kept, clean): (Vec<&Storm>, Vec<&Storm>) = storms.iter().partition(|storm| storm.left_behind() > 0);
    let mut told: Vec<String> =
        kept.iter().map(|storm| format!("{}: {}.", storm.server, storm.left_said())).collect();
    if let Some(first) = clean.first() {
        let names: Vec<&str> = clean.iter().map(|storm| storm.server.as_str()).collect();
        told.push(format!("{}: {}.", list(&names), first.left_said()));
    }
    let mut threads = storms;
    threads.sort_by_key(|storm| storm.peak().threads);
    if let [least, .., most] = threads[..]
        && most.peak().threads > 2 * least.peak().threads
    {
        let needed = |storm: &Storm| {
            let threads = number(storm.peak().threads);
            format!("{} needed {threads} threads and {} more memory", storm.server, megabytes(storm.grown()))
        };
        told.push(format!(
            "For {} requests at once {}; {}.",
            number(most.requests as u64),
            needed(most),
            needed(least)
        ));
    }
    told
}

/// A table for each style: before, at the peak, after.
pub(super) fn tables(results: &Results) -> Vec<Table> {
    results.plan.storm.styles.iter().filter_map(|style| table(results, style).filled()).collect()
}

fn table(results: &Results, style: &str) -> Table {
    let requests = number(results.plan.storm.requests as u64);
    let work = span(results.plan.storm.work_ms as f64);
    let title = format!(
        "A storm of {requests} requests that time out, {work} of work in style {style} each (before → peak → after)"
    );
    let columns = ["work left after the 504s", "the last ended after"].map(Column::from).into_iter();
    let columns = columns.chain([Column::of("work for nobody", "s"), "threads".into(), "descriptors".into()]);
    let columns = columns.chain([Column::of("memory", "MB")]);
    let mut table = Table::new(title, "server", columns);
    table.note = "All are sent at once and all time out together, as they do when a database hangs. From the server's \
                  own count of its requests and work, and from the kernel; of several storms the one in the middle. Work for nobody: the \
                  time for which each unit of work went on after its answer, added up. Memory: what the process has in RAM (PSS)."
        .to_owned();
    for storm in shown(results, style) {
        let way = |of: &dyn Fn(&Reading) -> String| {
            Cell::plain(
                [storm.before(), storm.peak(), storm.after()].iter().map(of).collect::<Vec<_>>().join(" → "),
            )
        };
        let left = storm.left_behind();
        let quiet = storm.quiesce_ms().map_or("never".to_owned(), |ms| span(ms.max(0.0)));
        let cells = vec![
            Cell::new(if left > 0 { Tone::Bad } else { Tone::Good }, number(left)),
            Cell::plain(quiet),
            Cell::plain(format!("{:.1}", storm.zombie_area())),
            way(&|reading| number(reading.threads)),
            way(&|reading| number(reading.descriptors)),
            way(&|reading| format!("{:.1}", reading.pss as f64 / 1e6)),
        ];
        table.line(&storm.server, cells);
    }
    table.sentences = sentences(results, style);
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{empty, storm};

    #[test]
    fn a_storm_tells_what_was_left_and_what_threads_cost() {
        let mut results = empty(&["tokio", "threads"]);
        results.measured.storm = vec![storm("tokio", 0, 4), storm("threads", 500, 1003)];
        let told = sentences(&results, "drop");
        assert!(
            told[0].starts_with(
                "threads: when the last answer had been read, 500 of 500 requests' work still ran; the last of it ended \
                 1.00 s later"
            ),
            "{told:?}"
        );
        assert_eq!(told[1], "tokio: no work was left when the last answer had been read.");
        let cost = "threads needed 1,003 threads and 1.0 MB more memory; tokio needed 4";
        assert!(told[2].contains(cost), "{told:?}");
    }

    #[test]
    fn nothing_measured_is_nothing_said() {
        assert!(tables(&empty(&["tokio"])).is_empty());
    }
}
