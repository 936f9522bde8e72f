//! Disconnects as a table and sentences.

use super::{ACTIONS, Heard, gap, said};
use crate::results::Results;
use crate::table::{Cell, Table, Tone};
use crate::text::span;

impl Heard {
    /// Returns what became of the work: median and worst time to cancel, or how much of it was never canceled.
    fn cell(&self) -> Cell {
        let took = || format!("{} / {}", span(self.median_ms), span(self.worst_ms));
        match self.tries - self.canceled {
            0 => Cell::new(Tone::Good, took()),
            never if never == self.tries => Cell::new(Tone::Bad, format!("never, of {never}")),
            never => Cell::new(Tone::Odd, format!("{}\nnever: {never} of {}", took(), self.tries)),
        }
    }
}

/// Ways to disconnect by servers: how soon the work was canceled.
pub(super) fn tables(results: &Results) -> Vec<Table> {
    let measured = |name: &&str| results.measured.disconnect.iter().any(|one| one.server == *name);
    let names: Vec<&str> = results.names().into_iter().filter(measured).collect();
    let title = "Does the work hear that its client disconnected? (median / worst time to cancel)";
    let mut table = Table::by_server(title, "the client", &names);
    table.note = "What the client sends, and how it disconnects (FIN: it closes; RST: it resets; shutdown(WR): it closes its sending \
                  side alone); from that moment to the last sign of the canceled work, of all \
                  tries. Never: the work ran to its natural end."
        .to_owned();
    for action in ACTIONS.iter().filter(|_| !names.is_empty()) {
        let cell = |name: &&str| {
            let heard = results.measured.heard_of(name, action.name);
            heard.map_or_else(Cell::none, |heard| heard.cell())
        };
        table.line(said(action.name), names.iter().map(cell).collect());
    }
    let told = |name: &&str| [Some(canceled(results, name)), unborn(results, name)];
    table.sentences = names.iter().flat_map(told).flatten().collect();
    table.filled().into_iter().collect()
}

/// Returns the number of canceled units of work of a server, and the time until their cancel.
fn canceled(results: &Results, name: &str) -> String {
    let heard = |action: &super::Action| results.measured.heard_of(name, action.name);
    let all: Vec<Heard> = ACTIONS.iter().filter_map(heard).collect();
    let missed = all.iter().filter(|heard| heard.canceled < heard.tries).count();
    let tries: usize = all.iter().map(|heard| heard.tries).sum();
    let took = results.measured.canceled_of(name).map(|took| match took.p99 {
        Some(p99) => format!("p99 {}, worst {}", span(p99), span(took.max)),
        None => format!("median {}, worst {}", span(took.p50), span(took.max)),
    });
    match (missed, took) {
        (0, Some(took)) => {
            format!("{name}: the work of all {tries} clients that disconnected was canceled: {took}.")
        }
        (_, took) => {
            let took = took.map(|took| format!("; where it was canceled: {took}")).unwrap_or_default();
            let ways = all.len();
            format!(
                "{name}: in {missed} of {ways} ways to disconnect, work went on to its end for nobody{took}."
            )
        }
    }
}

/// Why there is a `–` in the server's column.
fn unborn(results: &Results, name: &str) -> Option<String> {
    let is_gap = |action: &&str| {
        let what = gap(action);
        results.measured.gaps.iter().any(|gap| gap.server == name && gap.what == what)
    };
    let actions: Vec<String> = ACTIONS.iter().map(|action| action.name).filter(is_gap).map(said).collect();
    (!actions.is_empty()).then(|| {
        let actions = actions.join("; ");
        format!("{name}: – behind {actions}: the work of such a request does not begin, so there is none to cancel.")
    })
}

#[cfg(test)]
mod tests {
    use suite::document::Gap;

    use super::*;
    use crate::disconnect::Disconnect;
    use crate::fixtures::empty;
    use crate::zombie::How;

    /// A run in which 300 clients of x left by FIN and were heard, the last late, and none could leave by the last action.
    fn run(tries: usize) -> Results {
        let mut results = empty(&["x"]);
        let disconnect = |number| Disconnect {
            server: "x".into(),
            action: "FIN".into(),
            round: 0,
            last_ms: if number < tries { 0.2 } else { 9.0 },
            how: Some(How::Canceled),
        };
        results.measured.disconnect = (1..=tries).map(disconnect).collect();
        let what = gap("POST, whole unread, FIN");
        results.measured.gaps =
            vec![Gap { server: "x".into(), what, unsupported: true, why: "no work".into() }];
        results
    }

    #[test]
    fn a_server_is_told_by_its_99th_percentile_and_by_what_never_began() {
        let table = tables(&run(300)).remove(0);
        assert_eq!(
            table.sentences[0],
            "x: the work of all 300 clients that disconnected was canceled: p99 0.2 ms, worst 9.0 ms."
        );
        assert!(
            table.sentences[1].starts_with("x: – behind POST, whole unread, FIN: the work"),
            "{:?}",
            table.sentences
        );
        assert_eq!(table.lines.last().map(|line| &line.cells[..]), Some(&[Cell::none()][..]));
        let few = tables(&run(30)).remove(0);
        assert!(few.sentences[0].ends_with("canceled: median 0.2 ms, worst 9.0 ms."), "{:?}", few.sentences);
    }

    #[test]
    fn work_that_never_heard_is_said_in_one_way() {
        let cell = |canceled| Heard { tries: 30, canceled, median_ms: 1.0, worst_ms: 2.0 }.cell();
        assert_eq!(cell(0), Cell::new(Tone::Bad, "never, of 30"));
        assert_eq!(cell(10).text, "1.0 ms / 2.0 ms\nnever: 20 of 30");
        assert_eq!(cell(30), Cell::new(Tone::Good, "1.0 ms / 2.0 ms"));
    }
}
