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
    let mut advice = Vec::new();
    if STYLES.iter().any(|style| *style != "detached" && ran_on(style)) {
        advice.push("give work a context (its deadline and a cancel signal) that it asks at every step");
    }
    if ran_on("detached") {
        advice.push("cancel what you spawn");
    }
    if STYLES.iter().any(|style| held(style)) {
        advice.push("move CPU loops off the threads that answer");
    }
    if names.iter().any(is_deaf) {
        advice.push("read from the connection while the work runs, and cancel when it ends");
    }
    if length == Length::Shortest {
        advice.truncate(1);
    }
    let text = advice.join("; ") + ".";
    (!advice.is_empty()).then(|| point(Tone::Plain, "to do", text))
}
