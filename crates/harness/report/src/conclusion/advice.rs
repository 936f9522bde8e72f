//! The last point of a conclusion: what to do about what ran on.

use measure::disconnect::ACTIONS;
use measure::results::Results;
use measure::table::Tone;
use measure::zombie::summary::worst;
use measure::zombie::{Fate, STYLES};

use super::{Length, Point, point};

/// Returns what to do, for the kinds of work that ran on in this run; `None` where nothing did, or nothing was watched.
pub(super) fn of(results: &Results, length: Length) -> Option<Point> {
    let names = results.names();
    let ran_on = |style: &str| {
        let fate = |name: &&str| worst(results, name, style);
        names.iter().filter_map(fate).any(|fate| matches!(fate, Fate::Zombie(_) | Fate::Endless(_)))
    };
    let held = |style: &str| {
        let fate = |name: &&str| worst(results, name, style);
        names.iter().filter_map(fate).any(|fate| matches!(fate, Fate::HeldAnswer(_)))
    };
    let is_deaf = |name: &&str| {
        let heard = |action: &measure::disconnect::Action| results.measured.heard_of(name, action.name);
        ACTIONS.iter().filter_map(heard).any(|heard| heard.canceled < heard.tries)
    };
    let outlived =
        |style: &str| results.measured.outside.iter().any(|one| one.style == style && one.is_zombie());
    let mut advice = Vec::new();
    if ["context", "polling", "drop", "spin"].iter().any(|style| ran_on(style)) {
        advice.push("check a context (deadline, cancel signal) at each step");
    }
    if ran_on("detached") {
        advice.push("cancel what you spawn");
    }
    if ran_on("blocking") {
        advice.push("time out blocking calls");
    }
    if STYLES.iter().any(|style| held(style)) {
        advice.push("move CPU loops to other threads");
    }
    match (outlived("process-unkilled"), outlived("query-dropped")) {
        (true, true) => advice.push("kill child processes, cancel queries"),
        (true, false) => advice.push("kill child processes"),
        (false, true) => advice.push("cancel queries"),
        (false, false) => {}
    }
    if names.iter().any(is_deaf) {
        advice.push("read the connection while the work runs, and cancel at its end");
    }
    if length == Length::Shortest {
        advice.truncate(3);
    }
    let text = advice.join("; ") + ".";
    (!advice.is_empty()).then(|| point(Tone::Plain, "to do", text))
}
