//! Memory by requests in flight, the points, and the line whose slope is what a request costs.

use measure::footprint::summary::{by_server, compared, is_floor};
use measure::footprint::{Footprint, State};
use measure::results::Results;
use measure::text::{number, tied};

use super::curves::{BOTTOM, LEFT, RIGHT, TOP};
use super::ink;
use super::scale::{Scale, Tick, round};

/// Memory of all servers in one state, on the same axes.
#[derive(Debug)]
pub struct MemoryPicture {
    /// Its id.
    pub id: &'static str,
    /// The title of the picture.
    pub title: &'static str,
    /// The lines in words, for those who do not see them.
    pub told: String,
    /// The meaning of the picture, in a sentence.
    pub caption: String,
    /// A line for each server, the steepest first, as they lie one above the other.
    pub fits: Vec<Fit>,
    /// Where the memory ends that the leanest process has without any connection.
    pub bare: f64,
    /// The marks of the horizontal axis: requests in flight, or idle connections.
    pub xs: Vec<Tick>,
    /// The marks of the vertical axis: megabytes.
    pub ys: Vec<Tick>,
}

/// The points of one server and the line through them.
#[derive(Debug)]
pub struct Fit {
    /// The server.
    pub name: String,
    /// The class of its line.
    pub ink: String,
    /// The footprint of each connection, as a label.
    pub figure: String,
    /// The points.
    pub points: Vec<(f64, f64)>,
    /// The ends of the line.
    pub line: [f64; 4],
}

/// A picture for each state that was measured.
pub fn all(results: &Results) -> Vec<MemoryPicture> {
    let states =
        [(State::InFlight, "in-flight", "Requests in flight"), (State::Idle, "idle", "Idle connections")];
    states.into_iter().filter_map(|(state, id, title)| picture(results, state, id, title)).collect()
}

fn picture(results: &Results, state: State, id: &'static str, title: &'static str) -> Option<MemoryPicture> {
    let rounds = by_server(results, state);
    let mut shown: Vec<&Footprint> = rounds.iter().filter_map(|(_, rounds)| middle(rounds)).collect();
    shown.sort_by(|a, b| slope(b).total_cmp(&slope(a)));
    let readings = || shown.iter().flat_map(|memory| &memory.readings);
    let most = readings().map(|reading| reading.held).max()?;
    let highest = readings().map(|reading| reading.pss).max()?;
    let bare = shown.iter().filter_map(|memory| Some(memory.pss?.base)).fold(f64::INFINITY, f64::min);
    let held = Scale::linear(most as f64, LEFT, RIGHT);
    let size = Scale::linear(highest as f64 / 1e6 * 1.05, BOTTOM, TOP);
    let fits: Vec<Fit> =
        shown.iter().filter_map(|m| fit(m, ink_of(results, &m.server), &held, &size)).collect();
    let told: Vec<String> = fits.iter().map(|fit| format!("{} {}", fit.name, fit.figure)).collect();
    Some(MemoryPicture {
        id,
        title,
        told: told.join("; "),
        caption: tied(&format!("{} {}", compared(results, state), floor_told(&shown))),
        fits,
        bare: size.at(bare / 1e6),
        xs: held.ticks(3, |count| number(count as u64)),
        ys: size.ticks(3, |megabytes| format!("{megabytes} MB")),
    })
}

/// Returns the round with the median slope.
fn middle<'a>(rounds: &[&'a Footprint]) -> Option<&'a Footprint> {
    let mut rounds = rounds.to_vec();
    rounds.sort_by(|a, b| slope(a).total_cmp(&slope(b)));
    rounds.get(rounds.len() / 2).copied()
}

fn slope(memory: &Footprint) -> f64 {
    memory.pss.map_or(0.0, |line| line.slope)
}

/// A floor is gray, whatever its place.
fn ink_of(results: &Results, server: &str) -> String {
    if is_floor(server) { "ink-floor".to_owned() } else { ink(results, server) }
}

fn fit(memory: &Footprint, ink: String, held: &Scale, size: &Scale) -> Option<Fit> {
    let line = memory.pss?;
    let most = memory.readings.iter().map(|reading| reading.held).max()? as f64;
    let at = |x: f64| size.at((line.base + line.slope * x) / 1e6);
    let point = |reading: &measure::footprint::Reading| {
        (held.at(reading.held as f64), size.at(reading.pss as f64 / 1e6))
    };
    Some(Fit {
        name: memory.server.clone(),
        ink,
        figure: format!("{} B each", number(line.slope.max(0.0).round() as u64)),
        points: memory.readings.iter().map(point).collect(),
        line: [held.at(0.0), at(0.0), held.at(most), at(most)].map(round),
    })
}

/// Returns a sentence that names the floor, or says that there is none.
fn floor_told(shown: &[&Footprint]) -> String {
    let floors = shown.iter().filter(|memory| is_floor(&memory.server));
    match floors.min_by(|a, b| slope(a).total_cmp(&slope(b))) {
        Some(floor) => format!(
            "The gray line is the floor: {}, which has no deadline and no context, {} bytes.",
            floor.server,
            number(slope(floor).max(0.0).round() as u64)
        ),
        None => {
            "No floor is drawn: this run did not measure the memory of a server that does next to nothing."
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use measure::fixtures::empty;
    use measure::footprint::Reading;
    use measure::stats::Line;
    use testbed::floor;

    use super::*;

    fn memory(server: &str, round: usize, slope: f64) -> Footprint {
        let reading = |held: usize| Reading {
            held,
            pss: 1_000_000 + (slope * held as f64) as u64,
            anonymous: 0,
            threads: 1,
            descriptors: 1,
        };
        let pss = Some(Line { slope, base: 1e6, r2: 1.0 });
        let readings = vec![reading(0), reading(100), reading(1000)];
        Footprint { server: server.into(), state: State::InFlight, round, readings, pss, anonymous: None }
    }

    #[test]
    fn the_round_in_the_middle_is_drawn_and_its_points_lie_on_its_line() {
        let mut results = empty(&["x"]);
        results.measured.footprint =
            vec![memory("x", 0, 9000.0), memory("x", 1, 5000.0), memory("x", 2, 7000.0)];
        let picture = all(&results).remove(0);
        let fit = &picture.fits[0];
        assert_eq!(fit.figure, "7,000 B each");
        assert_eq!((fit.points[0], fit.points[2]), ((fit.line[0], fit.line[1]), (fit.line[2], fit.line[3])));
        assert!(
            picture.caption.starts_with("Each costs 7,000 bytes on x. No floor is drawn"),
            "{}",
            picture.caption
        );
    }

    #[test]
    fn a_floor_is_gray_named_and_no_server_among_others() {
        let mut results = empty(&["x", "plain-hyper"]);
        results.measured.footprint = vec![memory("x", 0, 9000.0), memory("plain-hyper", 0, 5000.0)];
        let picture = all(&results).remove(0);
        let inks: Vec<_> = picture.fits.iter().map(|fit| (fit.name.as_str(), fit.ink.as_str())).collect();
        assert_eq!(inks, [("x", "ink-0 dash-0"), ("plain-hyper", "ink-floor")]);
        assert!(
            picture
                .caption
                .starts_with("Each costs 9,000 bytes on x. The gray line is the floor: plain-hyper")
        );
    }

    #[test]
    fn a_floor_that_was_not_asked_for_as_a_server_is_drawn_too() {
        let mut results = empty(&["x"]);
        results.measured.footprint = vec![memory("x", 0, 9000.0), memory(floor::NAME, 0, 100.0)];
        assert_eq!(all(&results).remove(0).fits.len(), 2);
    }

    #[test]
    fn without_readings_there_is_no_picture() {
        assert!(all(&empty(&["x"])).is_empty());
    }
}
