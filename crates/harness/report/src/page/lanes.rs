//! A few requests and their work, one below the other, each with words above it: the pictures of the story and the preview.

use measure::results::Results;
use measure::text::{span, tied};
use measure::zombie::{Fate, Life};

use super::gantt::Lanes;
use super::scale::{CHARACTER, RIGHT, Scale, Tick, WIDTH, round};

const LEFT: f64 = 1.0;
const TOP: f64 = 22.0;
/// From the top of a lane to the base line of its words, to its bars, and to the next lane.
const WORDS: f64 = 11.0;
const BARS: f64 = 16.0;
const LANE: f64 = 49.0;

/// Lanes on one axis of time.
#[derive(Debug)]
pub struct LanesPicture {
    /// Its id.
    pub id: &'static str,
    /// The name of the picture.
    pub title: String,
    /// The picture in words, for those who do not see it.
    pub told: String,
    /// Its height.
    pub height: f64,
    /// Where the plot ends.
    pub bottom: f64,
    /// Where the deadline is.
    pub deadline: f64,
    /// The words at the deadline, and where they begin.
    pub given_up: (f64, String),
    /// The axis of time.
    pub ticks: Vec<Tick>,
    /// A request and its work in each, by the words above them.
    pub lanes: Vec<Lanes>,
}

impl LanesPicture {
    /// Returns true when an answer came later than its deadline.
    pub fn has_late(&self) -> bool {
        self.lanes.iter().flat_map(|lane| &lane.bars).any(|bar| bar.class == "late")
    }
}

/// The contents of a lane.
#[derive(Debug)]
pub struct Shown<'a> {
    /// The words above it.
    pub words: String,
    /// The end of its label, behind the fate of the work.
    pub of: String,
    /// The request and its work.
    pub life: &'a Life,
}

/// Draws lanes.
pub fn picture(results: &Results, id: &'static str, title: &str, shown: &[Shown<'_>]) -> LanesPicture {
    let limit = results.limits.zombie_ms;
    let last = |life: &Life| {
        life.answered_ms.unwrap_or(life.watched_ms).max(life.ended_ms.unwrap_or(life.watched_ms))
    };
    // The work that was asked for always fits, so that all pictures have the same axis.
    let longest = shown.iter().map(|one| last(one.life)).fold(results.plan.zombie.work_ms as f64, f64::max);
    let time = Scale::linear(longest, LEFT, RIGHT);
    let mut lanes = Vec::new();
    for (one, top) in shown.iter().zip((0..).map(|n| TOP + f64::from(n) * LANE)) {
        let mut lane = Lanes { name: one.words.clone(), y: top + WORDS, ..Lanes::empty() };
        lane.draw(one.life, limit, &time, top + BARS, said(one, limit));
        lanes.push(lane);
    }
    let told = shown.iter().map(|one| format!("{}: {}", one.words, said(one, limit)));
    let bottom = TOP + shown.len() as f64 * LANE - 4.0;
    let deadline = results.plan.zombie.deadline_ms as f64;
    let given_up = tied(&format!("deadline: {}", span(deadline)));
    let width = given_up.chars().count() as f64 * CHARACTER;
    LanesPicture {
        id,
        title: title.to_owned(),
        told: told.collect::<Vec<_>>().join("; "),
        height: bottom + 18.0,
        bottom,
        deadline: time.at(deadline),
        given_up: (round((time.at(deadline) - 8.0).clamp(0.0, WIDTH - width)), given_up),
        ticks: time.ticks(4, |ms| format!("{} s", ms / 1e3)),
        lanes,
    }
}

/// Returns the fate of the work in a few words, for a reader who does not know what a zombie is.
fn said(shown: &Shown<'_>, limit: f64) -> String {
    let what = match shown.life.fate(limit) {
        Fate::Zombie(ms) => format!("{} for nobody", span(ms)),
        Fate::Endless(ms) => format!("over {} for nobody", span(ms)),
        Fate::Stopped(_) => "the work stopped".to_owned(),
        _ => shown.life.label(limit),
    };
    tied(&(what + &shown.of))
}

#[cfg(test)]
mod tests {
    use measure::fixtures::{empty, life};

    use super::*;

    #[test]
    fn each_lane_has_its_words_and_nothing_leaves_the_picture() {
        for tail in [0.1, 30.0, 400.0, 2699.0, 90_000.0] {
            let (good, bad) = (life("tokio", "drop", 0.1), life("threads", "drop", tail));
            let shown = |words: &str, life| Shown { words: words.into(), of: ", on 4 of 4".into(), life };
            let (first, second) = (shown("one", &good), shown("other", &bad));
            let drawn = picture(&empty(&["tokio", "threads"]), "x", "X", &[first, second]);
            assert_eq!(drawn.lanes[1].name, "other");
            assert!(drawn.given_up.0 + 16.0 * CHARACTER <= WIDTH, "{:?}", drawn.given_up);
            for lane in &drawn.lanes {
                for bar in &lane.bars {
                    assert!(bar.x >= 0.0 && bar.x + bar.width <= 345.0 && bar.y + bar.height < drawn.bottom);
                }
                for label in &lane.labels {
                    let end = label.x + label.text.chars().count() as f64 * CHARACTER;
                    assert!(label.x >= 0.0 && end <= 360.5, "{label:?}");
                }
            }
        }
    }
}
