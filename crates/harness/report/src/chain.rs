//! A request through a chain of servers, as the run's document has it: how it ended, and what became of the work of every hop.

use std::time::Duration;

use measure::results::Results;
use measure::table::{Cell, Column, Table};
use measure::text::span;
use suite::document::Row;
use suite::hops::{self, Hop};

/// A request through a chain. Times are milliseconds since it was sent.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a> {
    /// The hops, the one that is asked first.
    pub hops: &'a [Hop],
    /// The end of the request: its client left, or it was answered.
    pub over_ms: f64,
    /// True when its client left.
    pub left: bool,
    /// The last sign of work in any hop.
    pub last_ms: f64,
}

/// Returns when the caller of a hop left before it had an answer. Every caller leaves once it has one.
pub fn told(hop: &Hop) -> Option<f64> {
    hop.left_ms.filter(|left| hop.answered_ms.is_none_or(|answered| *left < answered))
}

impl<'a> Chain<'a> {
    /// Reads how the request ended; `None` when it is not known.
    pub fn of(hops: &'a [Hop]) -> Option<Self> {
        let first = hops.first()?;
        let left = told(first);
        let over_ms = left.or(first.answered_ms)?;
        let last_ms = hops.iter().filter_map(|hop| hop.last_ms).fold(0.0, f64::max);
        Some(Self { hops, over_ms, left: left.is_some(), last_ms })
    }

    /// The end of the request, in words.
    pub fn end(&self) -> String {
        match self.hops.first().and_then(|hop| hop.status) {
            _ if self.left => "client left".to_owned(),
            Some(status) => format!("answered {status}"),
            None => "answered".to_owned(),
        }
    }

    /// True when the work of a hop went on for longer than `zombie_ms` after the request.
    pub fn is_zombie(&self, hop: &Hop, zombie_ms: f64) -> bool {
        hop.last_ms.is_some_and(|last| last > self.over_ms + zombie_ms)
    }

    /// True when no work went on for longer than `zombie_ms` after the request.
    pub fn has_stopped(&self, zombie_ms: f64) -> bool {
        self.last_ms <= self.over_ms + zombie_ms
    }

    /// Returns what became of the work, in a sentence; where it went on, by which hop.
    pub fn sentence(&self, zombie_ms: f64) -> String {
        let (hops, over) = (self.hops.len(), (self.last_ms - self.over_ms).max(0.0));
        let end = if self.left { "its client left" } else { "its answer" };
        let mut text = if self.has_stopped(zombie_ms) {
            format!("the work of all {hops} hops stopped, at most {} after {end}", span(over))
        } else {
            let late = Duration::from_secs_f64(zombie_ms / 1e3);
            let guilty =
                if self.left { hops::unstopped(self.hops, late) } else { hops::untimely(self.hops, late) };
            let guilty = guilty.map_or_else(String::new, |guilty| format!(": {guilty}"));
            format!("work went on for {} after {end}{guilty}", span(over))
        };
        let budgets: Vec<f64> = self.hops.iter().filter_map(|hop| hop.budget_ms).collect();
        if let [first, .., last] = &budgets[..] {
            text += &format!("; the budget was {first:.1} ms for the first, and {last:.1} ms for the last");
        }
        text + "."
    }
}

/// Returns the requests through chains that a run kept, each with its row.
pub fn all(results: &Results) -> Vec<(&Row, Chain<'_>)> {
    results.results.iter().filter_map(|row| Some((row, Chain::of(&row.hops)?))).collect()
}

/// The chains of a run: a line for each, what became of its work, and the budget of its first and its last hop.
pub fn table(results: &Results) -> Option<Table> {
    let columns = ["scenario", "the chain", "the request", "its work"].map(Column::words);
    let mut table = Table::new("One request through a chain of servers", "server", columns);
    table.note = "What each scenario of a chain saw of its last request: the servers in the order in which they asked each other, \
                  how the first one's client ended, and what became of the work of all."
        .to_owned();
    for (row, chain) in all(results) {
        let names: Vec<&str> = chain.hops.iter().map(|hop| hop.server.as_str()).collect();
        let end = format!("{} at {:.0} ms", chain.end(), chain.over_ms);
        let cells = [row.id.clone(), names.join(" → "), end, chain.sentence(results.limits.zombie_ms)];
        table.line(row.server.clone(), cells.map(Cell::plain).into());
    }
    table.filled()
}

#[cfg(test)]
pub(crate) mod tests {
    use measure::fixtures::empty;
    use suite::verdict::Verdict;

    use super::*;

    /// A chain of three whose client left at 300 ms, and whose work stopped 0.2 ms later with each hop.
    pub(crate) fn left() -> Vec<Hop> {
        let hop = |at: u32| {
            let place = f64::from(at);
            Hop {
                server: "tokio".into(),
                request_id: "chain".into(),
                traceparent: Some(format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333{at}-01")),
                asked_ms: Some(0.5 + place),
                budget_ms: Some(900.0 - 5.0 * place),
                began_ms: Some(0.7 + place),
                last_ms: Some(300.2 + 0.2 * place),
                ended: Some("canceled".into()),
                left_ms: Some(300.0 + 0.2 * place),
                ..Hop::default()
            }
        };
        (0..3).map(hop).collect()
    }

    /// The same, answered 504 at 300 ms by the first, and 1 ms earlier by each one behind it.
    pub(crate) fn answered() -> Vec<Hop> {
        let answered = |(at, hop): (u32, Hop)| {
            let at = 300.0 - f64::from(at);
            Hop {
                left_ms: Some(at + 0.1),
                answered_ms: Some(at),
                last_ms: Some(at),
                status: Some(504),
                ..hop
            }
        };
        (0..).zip(left()).map(answered).collect()
    }

    #[test]
    fn a_chain_that_stops_is_said_with_its_budgets() {
        let (left, answered) = (left(), answered());
        let chain = Chain::of(&left).unwrap();
        assert_eq!((chain.left, chain.over_ms, chain.end().as_str()), (true, 300.0, "client left"));
        assert_eq!(
            chain.sentence(25.0),
            "the work of all 3 hops stopped, at most 0.6 ms after its client left; the budget was 900.0 ms for the first, and \
             890.0 ms for the last."
        );
        let chain = Chain::of(&answered).unwrap();
        assert_eq!(
            (chain.left, chain.end().as_str()),
            (false, "answered 504"),
            "who leaves with the answer has not left"
        );
        assert!(
            chain
                .sentence(25.0)
                .starts_with("the work of all 3 hops stopped, at most 0.0 ms after its answer")
        );
    }

    #[test]
    fn work_that_goes_on_is_said_with_the_hop_that_let_it() {
        let mut hops = left();
        (hops[2].last_ms, hops[2].left_ms) = (Some(900.0), None);
        let said = Chain::of(&hops).unwrap().sentence(25.0);
        let guilty = "work went on for 600 ms after its client left: link 2 of 3, `tokio`, ended its own work and left its call open";
        assert!(said.starts_with(guilty), "{said}");
    }

    #[test]
    fn a_run_has_a_line_for_each_chain_and_none_without() {
        let mut results = empty(&["tokio"]);
        assert!(table(&results).is_none());
        let row = Row::whole_server("tokio", "hops/fin", Verdict::Pass, "stopped");
        results.results = vec![Row { hops: left(), ..row.clone() }, row];
        let table = table(&results).unwrap();
        let cells: Vec<_> = table.lines[0].cells.iter().map(|cell| cell.text.as_str()).collect();
        assert_eq!(cells[..3], ["hops/fin", "tokio → tokio → tokio", "client left at 300 ms"]);
        assert_eq!(table.lines.len(), 1);
    }
}
