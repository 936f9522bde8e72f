//! The latency of `/fast` while a burst of `/slow` times out beside it, a strip for each server, the hotter
//! the later.

use measure::interference::summary::{bursts, compared, rounds_of};
use measure::interference::{Interference, Slot};
use measure::results::Results;
use measure::text::{number, tied};

use super::scale::{CHARACTER, RIGHT, Scale, Tick, round};

const TOP: f64 = 18.0;
const LANE: f64 = 24.0;
/// The least latency that has a color, in milliseconds, and the one that is hottest.
const RANGE: (f64, f64) = (0.1, 1000.0);
/// The number of colors.
const COLORS: f64 = 8.0;

/// The strips of one burst, on the same axis.
#[derive(Debug)]
pub struct HeatPicture {
    /// Its id.
    pub id: String,
    /// The burst.
    pub title: String,
    /// The strips in words, for those who do not see them.
    pub told: String,
    /// The meaning of the picture, in a sentence.
    pub caption: String,
    /// Where the burst was sent.
    pub burst: f64,
    /// Where the strips end.
    pub bottom: f64,
    /// The height of the picture.
    pub height: f64,
    /// The axis of time.
    pub ticks: Vec<Tick>,
    /// A strip for each server.
    pub strips: Vec<ServerStrip>,
}

/// The strip of one server.
#[derive(Debug)]
pub struct ServerStrip {
    /// The server.
    pub name: String,
    /// Its upper edge.
    pub y: f64,
    /// Its slots: left edge, width, and how hot, 0 to 7; 8 where nobody was answered.
    pub slots: Vec<(f64, f64, usize)>,
}

/// A picture for each burst that was measured.
pub fn all(results: &Results) -> Vec<HeatPicture> {
    bursts(results).into_iter().map(|burst| picture(results, burst)).collect()
}

fn picture(results: &Results, burst: (&str, usize)) -> HeatPicture {
    let (style, requests) = burst;
    // Of several rounds the last: a strip shows one course of events, and a median of them would be of none.
    let of = |name| rounds_of(results, name, burst).last().copied();
    let shown: Vec<&Interference> = results.names().into_iter().filter_map(of).collect();
    let last = |strip: &&Interference| Some(strip.slots.last()?.at_ms + width(strip));
    let longest = shown.iter().map(|strip| strip.server.chars().count()).max().unwrap_or(0);
    let left = round(longest as f64 * CHARACTER + 8.0);
    let time = Scale::linear(shown.iter().filter_map(last).fold(0.0, f64::max), left, RIGHT);
    let strips: Vec<ServerStrip> = shown
        .iter()
        .enumerate()
        .map(|(index, strip)| ServerStrip {
            name: strip.server.clone(),
            y: TOP + index as f64 * LANE,
            slots: slots(strip, &time),
        })
        .collect();
    let caption = tied(&compared(results, burst));
    let bottom = TOP + strips.len() as f64 * LANE;
    HeatPicture {
        id: format!("{style}-{requests}"),
        title: format!("{} requests in style {style}", number(requests as u64)),
        told: caption.clone(),
        caption,
        burst: time.at(shown.first().map_or(0.0, |strip| strip.burst_ms)),
        bottom,
        height: bottom + 18.0,
        ticks: time.ticks(3, |ms| format!("{} s", ms / 1e3)),
        strips,
    }
}

/// The length of a slot.
fn width(strip: &Interference) -> f64 {
    strip.slots.windows(2).next().map_or(0.0, |pair| pair[1].at_ms - pair[0].at_ms)
}

fn slots(strip: &Interference, time: &Scale) -> Vec<(f64, f64, usize)> {
    let slot = |slot: &Slot| {
        let (from, to) = (time.at(slot.at_ms), time.at(slot.at_ms + width(strip)));
        (from, round(to - from), heat(slot))
    };
    strip.slots.iter().map(slot).collect()
}

/// Returns the color of a slot, by the worst of its latencies: equal factors are equal steps.
fn heat(slot: &Slot) -> usize {
    let Some(latency) = slot.latency_ms else { return COLORS as usize };
    let part = (latency.max / RANGE.0).ln() / (RANGE.1 / RANGE.0).ln();
    (part * COLORS).clamp(0.0, COLORS - 1.0) as usize
}

#[cfg(test)]
mod tests {
    use load::Row;
    use measure::fixtures::empty;
    use measure::stats::Summary;

    use super::*;

    fn slot(at_ms: f64, ms: Option<f64>) -> Slot {
        let latency_ms = ms.and_then(|ms| Summary::of([ms]));
        Slot { at_ms, answered: 1, missing: usize::from(ms.is_none()), latency_ms }
    }

    #[test]
    fn a_later_answer_is_hotter_and_none_is_something_else() {
        assert_eq!([0.01, 0.1, 10.0, 5000.0].map(|ms| heat(&slot(0.0, Some(ms)))), [0, 0, 4, 7]);
        assert_eq!(heat(&slot(0.0, None)), 8);
    }

    #[test]
    fn a_strip_tells_before_from_after_the_burst() {
        let mut results = empty(&["x"]);
        results.measured.interference = vec![Interference {
            server: "x".into(),
            style: "drop".into(),
            round: 0,
            requests: 500,
            burst_ms: 100.0,
            answered_ms: None,
            slots: vec![
                slot(0.0, Some(1.0)),
                slot(50.0, Some(2.0)),
                slot(100.0, Some(70.0)),
                slot(150.0, None),
            ],
            row: Row::default(),
        }];
        let picture = all(&results).remove(0);
        assert!(picture.caption.ends_with("took 70\u{a0}ms on x."), "{}", picture.caption);
        assert_eq!(picture.strips[0].slots.len(), 4);
    }
}
