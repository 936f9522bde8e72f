//! A chain of servers: a lane for each hop, the budget on the arrow to the next, and the cancel on its way through.

use askama::Template;
use measure::results::Results;
use measure::text::span;
use suite::hops::Hop;

use super::gantt::{Bar, capital};
use super::scale::{Scale, Tick, round};
use crate::chain::{self, Chain, told};

/// Where lanes begin at least: left of it stand the names, and between them the budgets.
const LEFT: f64 = 98.0;
/// Where lanes begin at most, so that they keep their length.
const FARTHEST: f64 = 170.0;
/// The room of a character of a name, and the gap behind the name.
const CHARACTER: f64 = 6.0;
const GAP: f64 = 4.0;
/// Where lanes end: right of it stand the times of the cancels and the answers.
const RIGHT: f64 = 256.0;
const TOP: f64 = 22.0;
const BAR: f64 = 13.0;
/// From one lane to the next: the arrow stands between.
const LANE: f64 = 36.0;

#[derive(Template)]
#[template(path = "pictures/chain.html")]
struct Chains {
    pictures: Vec<ChainPicture>,
}

/// The picture of one request through a chain.
#[derive(Debug)]
struct ChainPicture {
    /// Its id: the number of its row.
    id: usize,
    title: String,
    /// The fate of the work, in a sentence.
    told: String,
    height: f64,
    /// Where the plot ends.
    bottom: f64,
    /// Where the request ends, and how.
    over: f64,
    end: String,
    /// The axis of time.
    ticks: Vec<Tick>,
    /// The client's lane, and one for each hop.
    lanes: Vec<Lane>,
}

/// A server, its work, and the call to it.
#[derive(Debug)]
struct Lane {
    name: String,
    /// The base line of its name.
    y: f64,
    bars: Vec<Bar>,
    /// The call from the lane above, and its cancel or its answer.
    arrows: Vec<Arrow>,
    /// The base line of what is said of them.
    between: f64,
    /// The budget that the call passes on, left of the plot.
    budget: String,
    /// Its cancel or its answer, right of the plot, and the kind of its arrow.
    outcome: Option<(&'static str, String)>,
}

/// An arrow between two lanes.
#[derive(Debug)]
struct Arrow {
    /// The kind of the arrow: `request` for a call and its answer, `late` for a cancel.
    class: &'static str,
    path: String,
}

/// Renders a picture for each chain that was left or timed out; nothing when there is none.
pub(super) fn render(results: &Results) -> Result<String, askama::Error> {
    let pictures = all(results);
    if pictures.is_empty() { Ok(String::new()) } else { Chains { pictures }.render() }
}

fn all(results: &Results) -> Vec<ChainPicture> {
    let limit = results.limits.zombie_ms;
    // A request that was served has nothing to cancel.
    let ended =
        |chain: &Chain<'_>| chain.left || chain.hops.first().is_some_and(|hop| hop.status != Some(200));
    let chains = chain::all(results).into_iter().filter(|(_, chain)| ended(chain)).enumerate();
    let picture = |(id, (row, chain)): (usize, (&suite::document::Row, Chain<'_>))| {
        of(id, format!("{}, {}", row.server, row.id), &chain, limit)
    };
    chains.map(picture).collect()
}

/// Draws one chain.
fn of(id: usize, title: String, chain: &Chain<'_>, limit: f64) -> ChainPicture {
    let time = Scale::linear(chain.last_ms.max(chain.over_ms), left_of(chain), RIGHT);
    let mut lanes = vec![client(chain, &time)];
    for (at, hop) in chain.hops.iter().enumerate() {
        let y = TOP + LANE * (at + 1) as f64;
        let mut lane = Lane::of(name(at, hop), y + BAR - 3.0);
        lane.calls(chain, hop, &time, y);
        if let (Some(began), Some(last)) = (hop.began_ms, hop.last_ms) {
            let is_zombie = chain.is_zombie(hop, limit);
            lane.bar("work", &time, began, if is_zombie { chain.over_ms } else { last }, y);
            if is_zombie {
                lane.bar("zombie", &time, chain.over_ms, last, y);
            }
        }
        lanes.push(lane);
    }
    let bottom = TOP + LANE * chain.hops.len() as f64 + BAR + 6.0;
    let (told, over, end) = (capital(&chain.sentence(limit)), time.at(chain.over_ms), chain.end());
    ChainPicture {
        id,
        title,
        told,
        height: bottom + 18.0,
        bottom,
        over,
        end,
        ticks: time.ticks(3, span),
        lanes,
    }
}

/// Returns the name of a lane: the place of the hop in the chain, and its server.
fn name(at: usize, hop: &Hop) -> String {
    format!("{} {}", at + 1, hop.server)
}

/// Returns where the lanes of a chain begin: right of its longest name.
fn left_of(chain: &Chain<'_>) -> f64 {
    let longest = chain.hops.iter().enumerate().map(|(at, hop)| name(at, hop).chars().count()).max();
    (longest.unwrap_or(0) as f64 * CHARACTER + GAP).clamp(LEFT, FARTHEST)
}

/// The lane of the client: its request until its end.
fn client(chain: &Chain<'_>, time: &Scale) -> Lane {
    let mut lane = Lane::of("client".to_owned(), TOP + 9.0);
    let (x, end) = (time.at(0.0), time.at(chain.over_ms));
    let width = round((end - x).max(1.0));
    lane.bars.push(Bar { class: "request", x, y: TOP + 3.0, width, height: 6.0 });
    lane
}

impl Lane {
    fn of(name: String, y: f64) -> Self {
        Self {
            name,
            y,
            bars: Vec::new(),
            arrows: Vec::new(),
            between: y,
            budget: String::new(),
            outcome: None,
        }
    }

    fn bar(&mut self, class: &'static str, time: &Scale, from: f64, to: f64, y: f64) {
        let (x, end) = (time.at(from), time.at(to));
        self.bars.push(Bar { class, x, y: round(y), width: round((end - x).max(1.0)), height: BAR });
    }

    /// Draws what passes between the lane above and this one, whose bar is at `y`.
    fn calls(&mut self, chain: &Chain<'_>, hop: &Hop, time: &Scale, y: f64) {
        self.between = y - 8.0;
        let Some(asked) = hop.asked_ms else {
            self.budget = "never asked".to_owned();
            return;
        };
        let (top, bottom) = (y - LANE + BAR + 2.0, y - 2.0);
        let down = |x: f64| format!("M{x},{top}V{bottom}m-3,-4l3,4l3,-4");
        self.arrows.push(Arrow { class: "request", path: down(time.at(asked)) });
        self.budget =
            hop.budget_ms.map_or_else(|| "no budget".to_owned(), |budget| format!("{budget:.1} ms left"));
        let after = |ms: f64| format!("{:+.1} ms", ms - chain.over_ms);
        if let Some(told) = told(hop) {
            self.arrows.push(Arrow { class: "late", path: down(time.at(told)) });
            self.outcome = Some(("late", format!("cancel {}", after(told))));
        } else if let Some(answered) = hop.answered_ms {
            let x = time.at(answered);
            self.arrows.push(Arrow { class: "request", path: format!("M{x},{bottom}V{top}m-3,4l3,-4l3,4") });
            let status = hop.status.map_or_else(String::new, |status| status.to_string());
            self.outcome = Some(("work", format!("{status} {}", after(answered))));
        }
    }
}

#[cfg(test)]
mod tests {
    use measure::fixtures::empty;
    use suite::document::Row;
    use suite::verdict::Verdict;

    use super::super::scale::WIDTH;
    use super::*;
    use crate::chain::tests::{answered, left};

    fn drawn(hops: Vec<Hop>) -> ChainPicture {
        let mut results = empty(&["tokio"]);
        let row = Row::whole_server("tokio", "hops/fin", Verdict::Pass, "stopped");
        results.results = vec![Row { hops, ..row }];
        all(&results).remove(0)
    }

    #[test]
    fn every_hop_has_a_lane_with_its_budget_and_the_time_of_its_cancel() {
        let picture = drawn(left());
        let names: Vec<_> = picture.lanes.iter().map(|lane| lane.name.as_str()).collect();
        assert_eq!(names, ["client", "1 tokio", "2 tokio", "3 tokio"]);
        let texts = |picture: &ChainPicture| {
            let lane = &picture.lanes[2];
            [lane.budget.clone(), lane.outcome.as_ref().map_or_else(String::new, |(_, text)| text.clone())]
        };
        assert_eq!(texts(&picture), ["895.0 ms left", "cancel +0.2 ms"]);
        assert!(picture.told.starts_with("The work of all 3 hops stopped"), "{}", picture.told);
        assert_eq!(texts(&drawn(answered())), ["895.0 ms left", "504 -1.0 ms"]);
    }

    #[test]
    fn work_that_goes_on_has_a_red_bar_and_nothing_leaves_the_picture() {
        for last in [300.6, 400.0, 3000.0] {
            let mut hops = left();
            hops[2].last_ms = Some(last);
            let picture = drawn(hops);
            let red = picture.lanes[3].bars.iter().any(|bar| bar.class == "zombie");
            assert_eq!(red, last > 325.0);
            for bar in picture.lanes.iter().flat_map(|lane| &lane.bars) {
                assert!(bar.x >= LEFT && bar.x + bar.width <= RIGHT + 1.0, "{bar:?}");
                assert!(bar.y + bar.height <= picture.bottom, "{bar:?}");
            }
        }
    }

    #[test]
    fn the_longest_texts_stand_beside_the_plot_and_no_two_in_one_place() {
        // The greatest width of a character, plain and bold.
        let (plain, bold) = (6.0, 6.6);
        let mut hops = left();
        for hop in &mut hops {
            hop.budget_ms = Some(15_000.0);
            hop.left_ms = hop.left_ms.map(|left| left + 900.0);
        }
        for lane in &drawn(hops).lanes {
            assert!(lane.budget.chars().count() as f64 * plain < LEFT, "{}", lane.budget);
            let outcome = lane.outcome.as_ref().map_or(0, |(_, text)| text.chars().count());
            assert!(outcome as f64 * bold < WIDTH - RIGHT, "{lane:?}");
            assert!((lane.between - lane.y).abs() > 11.0 || lane.budget.is_empty(), "{lane:?}");
        }
    }

    #[test]
    fn lanes_begin_right_of_the_longest_name() {
        let mut hops = left();
        hops[1].server = "go-timeouthandler".to_owned();
        let picture = drawn(hops);
        let longest = picture.lanes.iter().map(|lane| lane.name.chars().count()).max().unwrap();
        for bar in picture.lanes.iter().flat_map(|lane| &lane.bars) {
            assert!(bar.x >= longest as f64 * CHARACTER && bar.x + bar.width <= RIGHT + 1.0, "{bar:?}");
        }
    }

    #[test]
    fn a_hop_that_was_never_asked_says_so() {
        let mut hops = answered();
        hops[2] = Hop { server: "tokio".into(), ..Hop::default() };
        assert_eq!(drawn(hops).lanes[3].budget, "never asked");
    }
}
