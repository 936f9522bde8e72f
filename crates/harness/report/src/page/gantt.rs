//! Requests and their work as bars over time, one picture for each style of work.

use measure::results::Results;
use measure::text::tied;
use measure::zombie::summary::{self, sentence};
use measure::zombie::{Fate, Life, STYLES};

use super::scale::{CHARACTER, RIGHT, Scale, Tick, WIDTH, round};

const TOP: f64 = 22.0;
const REQUEST: f64 = 6.0;
const WORK: f64 = 15.0;
const LANE: f64 = REQUEST + WORK + 7.0;
const BETWEEN: f64 = 8.0;
/// Requests drawn for each server.
const MOST: usize = 2;

/// The picture of one style.
#[derive(Debug)]
pub struct Gantt {
    /// The style.
    pub style: &'static str,
    /// The behavior of such work.
    pub what: &'static str,
    /// The fate of the work, in a sentence.
    pub told: String,
    /// Its height.
    pub height: f64,
    /// Where the plot ends.
    pub bottom: f64,
    /// Where the deadline is.
    pub deadline: f64,
    /// The marks of the axis of time.
    pub ticks: Vec<Tick>,
    /// The lanes of each server.
    pub servers: Vec<Lanes>,
}

/// A server's name and its requests.
#[derive(Debug)]
pub struct Lanes {
    /// The server's name, or what else is said of the lanes.
    pub name: String,
    /// Where it stands.
    pub y: f64,
    /// The bars.
    pub bars: Vec<Bar>,
    /// The labels in or beside the bars.
    pub labels: Vec<Label>,
}

/// A bar.
#[derive(Debug, PartialEq)]
pub struct Bar {
    /// The kind of the bar: `request`, `late`, `work` or `zombie`.
    pub class: &'static str,
    /// Its left edge.
    pub x: f64,
    /// Its upper edge.
    pub y: f64,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
}

/// A text.
#[derive(Debug, PartialEq)]
pub struct Label {
    /// Where it stands: `inside` a bar, or `outside` in the bar's own color.
    pub class: &'static str,
    /// Where it begins.
    pub x: f64,
    /// Its base line.
    pub y: f64,
    /// The text of the label.
    pub text: String,
}

/// A picture for each style that was measured.
pub fn all(results: &Results) -> Vec<Gantt> {
    STYLES.iter().filter_map(|style| of(results, style)).collect()
}

fn of(results: &Results, style: &'static str) -> Option<Gantt> {
    let told = sentence(results, style)?;
    let lives = results.measured.zombie.iter();
    let last = lives.filter_map(|life| Some(life.answered_ms?.max(life.ended_ms.unwrap_or(life.watched_ms))));
    let longest = results.names().iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let left = (longest as f64 * CHARACTER + 10.0).min(WIDTH / 3.0);
    let time = Scale::linear(last.fold(0.0, f64::max), left, RIGHT);
    let mut y = TOP;
    let mut servers = Vec::new();
    for name in results.names() {
        let mut lanes = Lanes { name: name.to_owned(), y: y + REQUEST + WORK - 4.0, ..Lanes::empty() };
        let lives = results.measured.lives_of(name, style);
        for life in lives.iter().take(MOST) {
            let limit = results.limits.zombie_ms;
            lanes.draw(life, limit, &time, y, life.label(limit));
            y += LANE;
        }
        if !lives.is_empty() {
            y += BETWEEN;
            servers.push(lanes);
        }
    }
    let told = tied(&told.split_once(": ").map_or(told.clone(), |(_, rest)| capital(rest)));
    Some(Gantt {
        style,
        what: summary::style(style),
        told,
        height: y + 18.0,
        bottom: y,
        deadline: time.at(results.plan.zombie.deadline_ms as f64),
        ticks: time.ticks(4, |ms| format!("{} s", ms / 1e3)),
        servers,
    })
}

/// Returns the text with a capital letter in front.
pub(super) fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or(String::new(), |first| first.to_uppercase().chain(rest).collect())
}

impl Lanes {
    /// Returns lanes without a name and without bars.
    pub(super) fn empty() -> Self {
        Self { name: String::new(), y: 0.0, bars: Vec::new(), labels: Vec::new() }
    }

    /// Draws one request and its work below it, which says `text`.
    pub(super) fn draw(&mut self, life: &Life, limit: f64, time: &Scale, y: f64, text: String) {
        let answered = life.answered_ms.unwrap_or(life.watched_ms);
        let below = y + REQUEST + 1.0;
        // What the lab forgives is not drawn as late.
        let is_late = answered > life.deadline_ms + limit;
        self.bar("request", time, 0.0, if is_late { life.deadline_ms } else { answered }, y, REQUEST);
        if is_late {
            self.bar("late", time, life.deadline_ms, answered, y, REQUEST);
        }
        let Some(begun) = life.started_ms else {
            return self.label("work", text, time.at(0.0), time.at(0.0), below);
        };
        let end = life.tail_ms().filter(|_| life.ended_ms.is_some()).map(|tail| answered + tail);
        let end = end.unwrap_or(life.watched_ms);
        match life.fate(limit) {
            Fate::Zombie(_) | Fate::Endless(_) => {
                self.bar("work", time, begun, answered, below, WORK);
                self.bar("zombie", time, answered, end, below, WORK);
                self.label("zombie", text, time.at(answered), time.at(end), below);
            }
            Fate::HeldAnswer(_) => {
                self.bar("work", time, begun, end, below, WORK);
                self.label("late", text, time.at(begun), time.at(end), below);
            }
            Fate::Stopped(_) | Fate::Unborn | Fate::NoTimeout => {
                self.bar("work", time, begun, end, below, WORK);
                self.label("work", text, time.at(end), time.at(end), below);
            }
        }
    }

    fn bar(&mut self, class: &'static str, time: &Scale, from: f64, to: f64, y: f64, height: f64) {
        let (x, end) = (time.at(from), time.at(to));
        self.bars.push(Bar { class, x, y: round(y), width: round((end - x).max(1.0)), height });
    }

    /// Puts a text inside the bar from `x` to `end` if it fits there, else to the right of it. Where neither has room, it ends
    /// with the bar and lies on the bars to its left.
    fn label(&mut self, class: &'static str, text: String, x: f64, end: f64, y: f64) {
        let y = round(y + WORK - 4.0);
        let width = text.chars().count() as f64 * CHARACTER;
        let (fits, overflows) = (end - x >= width + 8.0, end + 5.0 + width > WIDTH);
        let (class, x) = match (fits, overflows) {
            (true, _) if class == "zombie" || overflows => ("inside", x + 5.0),
            // The bars of a request begin at the left edge of the axis, and reach to here.
            (false, true) => ("inside", end - width - 4.0),
            _ => (class, end + 5.0),
        };
        self.labels.push(Label { class, x: round(x.min(WIDTH - width).max(0.0)), y, text });
    }
}

#[cfg(test)]
mod tests {
    use measure::fixtures::{empty, life};
    use measure::zombie::How;

    use super::*;

    fn drawn(tail: f64) -> Gantt {
        let mut results = empty(&["threads"]);
        results.measured.zombie = vec![life("threads", "drop", tail), life("threads", "detached", 2699.0)];
        all(&results).remove(0)
    }

    #[test]
    fn what_overhangs_the_answer_is_a_zombie_and_says_how_long() {
        let gantt = drawn(2699.0);
        let bars: Vec<_> = gantt.servers[0].bars.iter().map(|bar| bar.class).collect();
        assert_eq!(bars, ["request", "work", "zombie"]);
        let (work, zombie) = (&gantt.servers[0].bars[1], &gantt.servers[0].bars[2]);
        assert_eq!((round(work.x + work.width), round(zombie.x + zombie.width)), (zombie.x, RIGHT));
        assert_eq!(gantt.servers[0].labels[0].text, "zombie 2.70 s");
        assert_eq!(gantt.servers[0].labels[0].class, "inside");
    }

    #[test]
    fn a_label_that_does_not_fit_its_bar_stands_beside_it() {
        let gantt = drawn(300.0);
        let (bar, label) = (&gantt.servers[0].bars[2], &gantt.servers[0].labels[0]);
        assert_eq!((label.class, label.x), ("zombie", round(bar.x + bar.width + 5.0)));
    }

    #[test]
    fn a_label_with_no_room_beside_its_bar_lies_on_the_bars_before_it() {
        let mut results = empty(&["threads"]);
        let mut late = life("threads", "drop", 60.0);
        (late.answered_ms, late.ended_ms) = (Some(2900.0), Some(2960.0));
        results.measured.zombie = vec![late];
        let gantt = &all(&results)[0];
        let (bar, label) = (&gantt.servers[0].bars[3], &gantt.servers[0].labels[0]);
        assert_eq!((bar.class, label.class, label.text.as_str()), ("zombie", "inside", "zombie 60 ms"));
        assert!(label.x + label.text.len() as f64 * CHARACTER <= bar.x + bar.width, "{label:?}");
    }

    #[test]
    fn what_held_its_answer_says_so_inside_a_bar_that_leaves_no_room_beside_it() {
        let mut results = empty(&["threads"]);
        let mut late = life("threads", "drop", 0.0);
        (late.answered_ms, late.ended_ms, late.how) = (Some(3001.0), Some(3000.0), Some(How::Completed));
        results.measured.zombie = vec![late];
        let label = &all(&results)[0].servers[0].labels[0];
        assert_eq!((label.class, label.text.as_str()), ("inside", "504 late by 2.70 s"));
    }

    #[test]
    fn work_that_stopped_has_no_red_bar() {
        let gantt = drawn(0.4);
        assert!(gantt.servers[0].bars.iter().all(|bar| bar.class != "zombie"));
        assert_eq!(gantt.servers[0].labels[0].text, "stopped");
    }

    #[test]
    fn nothing_leaves_the_picture() {
        for tail in [0.0, 20.0, 300.0, 2600.0, 9000.0] {
            let gantt = drawn(tail);
            for bar in gantt.servers.iter().flat_map(|server| &server.bars) {
                assert!(bar.x >= 7.0 * CHARACTER && bar.x + bar.width <= RIGHT + 1.0, "{bar:?}");
                assert!(bar.y >= TOP && bar.y + bar.height <= gantt.bottom, "{bar:?}");
            }
            for label in gantt.servers.iter().flat_map(|server| &server.labels) {
                let width = label.text.len() as f64 * CHARACTER;
                assert!(label.x >= 0.0 && label.x + width <= WIDTH, "{label:?}");
            }
        }
    }
}
