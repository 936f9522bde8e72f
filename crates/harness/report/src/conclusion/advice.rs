//! The last point of a conclusion: what to do about what ran on.

use measure::results::Results;
use measure::table::Tone;

use super::{Length, Point, point};
use crate::advice;

/// Returns what to do, for the kinds of work that ran on in this run; `None` where nothing did, or nothing was watched.
pub(super) fn of(results: &Results, length: Length) -> Option<Point> {
    let mut advice: Vec<&str> = advice::of(results).iter().map(|advice| advice.remedy.brief()).collect();
    if length == Length::Shortest {
        advice.truncate(3);
    }
    let text = advice.join("; ") + ".";
    (!advice.is_empty()).then(|| point(Tone::Plain, "to do", text))
}
