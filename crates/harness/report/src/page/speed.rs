//! Throughput and latency of `/fast`: a bar for each server, with the spread of its rounds.

use measure::results::Results;
use measure::stats::Summary;
use measure::text::{number, tied};
use measure::throughput::summary::Figure;
use measure::throughput::{Fast, Standing};

use super::scale::{CHARACTER, RIGHT, Scale, Tick, WIDTH, round};

const TOP: f64 = 6.0;
const LANE: f64 = 24.0;
/// A bar that is longer than the others by this factor is cut off.
const CUT: f64 = 3.0;

/// Bars of one figure.
#[derive(Debug)]
pub struct BarPicture {
    /// Its id.
    pub id: &'static str,
    /// The title of the picture.
    pub title: String,
    /// The bars in words, for those who do not see them.
    pub told: String,
    /// The meaning of the picture, in a sentence.
    pub caption: String,
    /// Where the bars begin.
    pub left: f64,
    /// Where they end.
    pub bottom: f64,
    /// Its height.
    pub height: f64,
    /// The marks of the axis below the bars.
    pub ticks: Vec<Tick>,
    /// A bar for each server, the best first.
    pub bars: Vec<ServerBar>,
}

/// The bar of one server.
#[derive(Debug)]
pub struct ServerBar {
    /// The server's name; a sign of warning follows it when it may not be believed.
    pub name: String,
    /// `work`, or `floor` for a server that is there only to compare with, or `doubt` for one that is not ranked.
    pub class: &'static str,
    /// Its upper edge.
    pub y: f64,
    /// Its width.
    pub width: f64,
    /// Where the least of its rounds is.
    pub from: f64,
    /// Where the greatest of its rounds is.
    pub to: f64,
    /// The median.
    pub figure: String,
}

/// The picture of the closed loop, if it was measured.
pub fn throughput(results: &Results) -> Vec<BarPicture> {
    let connections = results.plan.throughput.connections;
    let title = format!("Answers a second, {connections} connections back to back");
    picture("throughput", title, &results.measured.throughput, Figure::PerSecond).into_iter().collect()
}

/// The picture of the open loop, if it was measured.
pub fn latency(results: &Results) -> Vec<BarPicture> {
    let rate = number(results.plan.latency.rate.unwrap_or_default() as u64);
    let title = format!("99th percentile of latency in ms, {rate} requests a second");
    picture("latency", title, &results.measured.latency, Figure::P99).into_iter().collect()
}

fn picture(id: &'static str, title: String, rounds: &[Fast], figure: Figure) -> Option<BarPicture> {
    let standings = figure.standings(rounds);
    let shown: Vec<(&Standing<'_>, Summary)> = standings
        .iter()
        .filter_map(|standing| Some((standing, standing.figure(|row| figure.of(row))?)))
        .collect();
    // One that may not be believed must not make all others too small to see.
    let believed: Vec<f64> = shown
        .iter()
        .filter(|(standing, _)| standing.is_believed() && !standing.floor)
        .map(|(_, summary)| summary.max)
        .collect();
    // Rows of which none may be believed are told in the table alone.
    let most = believed.into_iter().reduce(f64::max)?;
    let all = shown.iter().map(|(_, summary)| summary.max).fold(most, f64::max);
    let most = if all <= CUT * most { all } else { most };
    let longest = shown.iter().map(|(standing, _)| standing.server.chars().count() + 2).max()?;
    let left = (longest as f64 * CHARACTER + 8.0).min(WIDTH / 2.5);
    let scale = Scale::linear(most, left, RIGHT);
    let say = |value: f64| if value >= 100.0 { number(value.round() as u64) } else { format!("{value:.2}") };
    let bar = |(index, (standing, rounds)): (usize, &(&Standing<'_>, Summary))| ServerBar {
        name: name(standing),
        class: match (standing.is_believed(), standing.floor) {
            (_, true) => "floor",
            (true, _) => "work",
            (false, _) => "doubt",
        },
        y: TOP + index as f64 * LANE,
        width: round((scale.at(rounds.p50) - left).max(1.0)),
        from: scale.at(rounds.min),
        to: scale.at(rounds.max),
        figure: say(rounds.p50),
    };
    let bars: Vec<ServerBar> = shown.iter().enumerate().map(bar).collect();
    let bottom = TOP + bars.len() as f64 * LANE;
    let told: Vec<String> = bars.iter().map(|bar| format!("{} {}", bar.name, bar.figure)).collect();
    Some(BarPicture {
        id,
        title,
        told: told.join("; "),
        caption: tied(&figure.compared(&standings)),
        left: round(left),
        bottom,
        height: bottom + 18.0,
        ticks: scale.ticks(3, |value| if most >= 100.0 { number(value as u64) } else { value.to_string() }),
        bars,
    })
}

/// The name of a server; a sign of warning follows it when it may not be believed.
fn name(standing: &Standing<'_>) -> String {
    let doubted = !standing.is_believed() && !standing.floor;
    if doubted { format!("{} ⚠", standing.server) } else { standing.server.to_owned() }
}

#[cfg(test)]
mod tests {
    use load::Row;

    use super::*;

    fn turn(server: &str, per_second: f64, invalid: &[&str]) -> Fast {
        let invalid = invalid.iter().map(|reason| (*reason).to_owned()).collect();
        let row = Row { per_second, invalid, ..Row::default() };
        Fast { server: server.to_owned(), floor: server == "floor", round: 0, at_ms: None, row }
    }

    fn drawn(turns: &[Fast]) -> BarPicture {
        picture("x", "x".to_owned(), turns, Figure::PerSecond).unwrap()
    }

    #[test]
    fn the_best_stands_first_and_a_whisker_spans_its_rounds() {
        let picture =
            drawn(&[turn("slow", 100.0, &[]), turn("quick", 200.0, &[]), turn("quick", 400.0, &[])]);
        assert_eq!(picture.bars[0].name, "quick");
        assert!(picture.bars[0].from < picture.bars[0].to && picture.bars[0].to <= RIGHT);
        assert!(
            picture.caption.contains("nothing is ranked"),
            "of two rounds and of one: {}",
            picture.caption
        );
    }

    #[test]
    fn a_row_that_may_not_be_believed_is_marked_and_not_ranked() {
        let starved = turn("starved", 900.0, &["the generator was busy"]);
        assert!(
            picture("x", String::new(), std::slice::from_ref(&starved), Figure::PerSecond).is_none(),
            "no bar to believe"
        );
        let picture = drawn(&[starved, turn("sound", 1.0, &[])]);
        assert_eq!(picture.bars[1].class, "doubt");
        assert!(picture.caption.contains("nothing is ranked"));
    }

    #[test]
    fn a_row_that_may_not_be_believed_does_not_set_the_scale() {
        let picture = drawn(&[turn("starved", 9000.0, &["busy"]), turn("sound", 10.0, &[])]);
        assert_eq!(picture.bars[0].to, RIGHT);
        assert_eq!(picture.bars[1].to, RIGHT, "cut off at the edge");
    }

    #[test]
    fn without_turns_there_is_no_picture() {
        assert!(picture("x", String::new(), &[], Figure::PerSecond).is_none());
    }
}
