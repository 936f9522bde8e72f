//! Throughput and latency of `/fast`: a bar for each server, with the spread of its rounds.

use load::Row;
use measure::results::Results;
use measure::stats::Summary;
use measure::throughput::{Fast, Standing, standings};

use super::scale::{Scale, Tick, round};
use measure::text::{number, tied};

const WIDTH: f64 = 360.0;
const RIGHT: f64 = 344.0;
const TOP: f64 = 6.0;
const LANE: f64 = 24.0;
/// The greatest width of a character.
const CHARACTER: f64 = 6.2;

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
    /// The axis.
    pub ticks: Vec<Tick>,
    /// A bar for each server, the best first.
    pub bars: Vec<ServerBar>,
    /// Turns that may not be believed, a sentence for each server.
    pub doubts: Vec<String>,
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
    /// Where the least of its turns is.
    pub from: f64,
    /// Where the greatest of its turns is.
    pub to: f64,
    /// The figures of the bar: the median, the least and the most.
    pub figures: [String; 3],
}

/// The pictures of a run that measured `/fast`.
pub fn all(results: &Results) -> Vec<BarPicture> {
    let plan = &results.plan;
    let mut pictures = Vec::new();
    pictures.extend(picture(
        "throughput",
        format!("Answers a second, {} connections back to back", plan.throughput.connections),
        &results.measured.throughput,
        |row| Some(row.per_second),
        Order::MostFirst,
    ));
    pictures.extend(picture(
        "latency",
        format!(
            "99th percentile of latency in ms, {} requests a second",
            number(plan.latency.rate.unwrap_or_default() as u64)
        ),
        &results.measured.latency,
        |row| row.ok.as_ref()?.p99_ms,
        Order::LeastFirst,
    ));
    pictures
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    MostFirst,
    LeastFirst,
}

fn picture(
    id: &'static str,
    title: String,
    turns: &[Fast],
    figure: fn(&Row) -> Option<f64>,
    order: Order,
) -> Option<BarPicture> {
    let better = |row: &Row| figure(row).map(|value| if order == Order::MostFirst { value } else { -value });
    let standings = standings(turns, better);
    let shown: Vec<(&Standing<'_>, Summary)> =
        standings.iter().filter_map(|standing| Some((standing, standing.figure(figure)?))).collect();
    // One that may not be believed must not make all others too small to see.
    let believed: Vec<f64> = shown
        .iter()
        .filter(|(standing, _)| standing.is_believed() && !standing.floor)
        .map(|(_, summary)| summary.max)
        .collect();
    let all = shown.iter().map(|(_, summary)| summary.max).fold(0.0, f64::max);
    let most = if believed.is_empty() { all } else { believed.into_iter().fold(0.0, f64::max) };
    let longest = shown.iter().map(|(standing, _)| standing.server.chars().count() + 2).max()?;
    let left = (longest as f64 * CHARACTER + 8.0).min(WIDTH / 2.5);
    let scale = Scale::linear(most, left, RIGHT);
    let say = |value: f64| if value >= 100.0 { number(value.round() as u64) } else { format!("{value:.2}") };
    let bars: Vec<ServerBar> = shown
        .iter()
        .enumerate()
        .map(|(index, (standing, summary))| ServerBar {
            name: if !standing.is_believed() && !standing.floor {
                format!("{} ⚠", standing.server)
            } else {
                standing.server.to_owned()
            },
            class: match (standing.is_believed(), standing.floor) {
                (_, true) => "floor",
                (true, _) => "work",
                (false, _) => "doubt",
            },
            y: TOP + index as f64 * LANE,
            width: round((scale.at(summary.p50) - left).max(1.0)),
            from: scale.at(summary.min),
            to: scale.at(summary.max),
            figures: [summary.p50, summary.min, summary.max].map(say),
        })
        .collect();
    let bottom = TOP + bars.len() as f64 * LANE;
    let told: Vec<String> = bars.iter().map(|bar| format!("{} {}", bar.name, bar.figures[0])).collect();
    Some(BarPicture {
        id,
        title,
        told: told.join("; "),
        caption: tied(&caption(&shown, order)),
        left: round(left),
        bottom,
        height: bottom + 18.0,
        ticks: scale.ticks(3, |value| if most >= 100.0 { number(value as u64) } else { value.to_string() }),
        bars,
        doubts: standings.iter().filter(|standing| !standing.invalid.is_empty()).map(doubt).collect(),
    })
}

fn caption(shown: &[(&Standing<'_>, Summary)], order: Order) -> String {
    let ranked: Vec<&(&Standing<'_>, Summary)> =
        shown.iter().filter(|(standing, _)| standing.rank.is_some()).collect();
    let ([best, .., last], true) = (&ranked[..], ranked.len() > 1) else {
        return "No two servers have three rounds that may be believed, so nothing is ranked.".to_owned();
    };
    if !best.1.parts_from(&last.1) {
        return "The ranges of the servers' rounds overlap, so none is called faster.".to_owned();
    }
    let (high, low) = (best.1.p50.max(last.1.p50), best.1.p50.min(last.1.p50));
    let times = high / low.max(f64::MIN_POSITIVE);
    match order {
        Order::MostFirst => {
            format!("{} answers {times:.2} times as many as {}.", best.0.server, last.0.server)
        }
        Order::LeastFirst => {
            format!(
                "99 of 100 answers of {} come {times:.2} times as fast as those of {}.",
                best.0.server, last.0.server
            )
        }
    }
}

/// Why turns of a server may not be believed.
fn doubt(standing: &Standing<'_>) -> String {
    let valid = standing.rows.iter().filter(|row| row.is_valid()).count();
    let what = if valid == 0 {
        "not ranked".to_owned()
    } else {
        format!("{} of {} turns left out", standing.turns - valid, standing.turns)
    };
    format!("⚠ {}: {what}: {}.", standing.server, standing.invalid.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(server: &str, per_second: f64, invalid: &[&str]) -> Fast {
        let invalid = invalid.iter().map(|reason| (*reason).to_owned()).collect();
        let row = Row { per_second, invalid, ..Row::default() };
        Fast { server: server.to_owned(), floor: server == "floor", round: 0, at_ms: None, row }
    }

    fn drawn(turns: &[Fast]) -> BarPicture {
        picture("x", "x".to_owned(), turns, |row| Some(row.per_second), Order::MostFirst).unwrap()
    }

    #[test]
    fn the_best_stands_first_and_a_whisker_spans_its_turns() {
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
    fn a_server_is_called_faster_only_when_the_ranges_of_three_rounds_part() {
        let rounds = |quick: [f64; 3]| {
            let slow = [100.0, 110.0, 120.0].map(|rate| turn("slow", rate, &[]));
            drawn(&[slow, quick.map(|rate| turn("quick", rate, &[]))].concat()).caption
        };
        assert_eq!(rounds([330.0, 340.0, 300.0]), "quick answers 3.00 times as many as slow.");
        assert!(rounds([119.0, 340.0, 330.0]).ends_with("so none is called faster."), "they overlap");
    }

    #[test]
    fn a_row_that_may_not_be_believed_is_marked_and_not_ranked() {
        let picture = drawn(&[turn("starved", 900.0, &["the generator was busy"]), turn("sound", 1.0, &[])]);
        assert_eq!(picture.bars[1].class, "doubt");
        assert_eq!(picture.doubts, ["⚠ starved: not ranked: the generator was busy."]);
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
        assert!(picture("x", String::new(), &[], |row| Some(row.per_second), Order::MostFirst).is_none());
    }
}
