//! The last step: what to do about the work that went on in this run, and that it helps.

use measure::disconnect::ACTIONS;
use measure::results::Results;
use measure::text::list;
use measure::zombie::summary::worst;
use measure::zombie::{Fate, STYLES};

use super::{Step, all_tied, framed, opening, plain};
use crate::page::lanes::{self, Shown};

pub(super) fn step(results: &Results) -> Result<Step, askama::Error> {
    let points = advice(results);
    let told = if points.is_empty() {
        "In this run no work went on after its answer or its client, so there is nothing to mend."
    } else {
        "For what went on in this run:"
    };
    // The same server, so that nothing differs but the code.
    let same = ["detached", "blocking", "drop", "spin"].iter().find_map(|style| {
        let bad = opening::zombie(results, style, |_| true)?;
        let good = |style: &&str| opening::stopped(results, style, |name| name == bad.server);
        Some((bad, ["context", "polling"].iter().find_map(good)?))
    });
    let pictures = match same {
        Some((bad, good)) => {
            let shown = [bad, good].map(|life| Shown {
                words: format!("Work that {} ({})", plain(&life.style), life.style),
                of: String::new(),
                life,
            });
            let title = "The same server without and with the question";
            let caption = format!("Both on the server {}; only the code of the work differs.", bad.server);
            framed(&lanes::picture(results, "remedy", title, &shown), caption)?
        }
        None => String::new(),
    };
    Ok(Step { id: "step-5", title: "5. What to do?", told: all_tied(&[told.to_owned()]), pictures, points })
}

/// Returns what to do, for the kinds of work that went on.
fn advice(results: &Results) -> Vec<String> {
    let names = results.names();
    let with = |wanted: fn(Fate) -> bool| -> Vec<&'static str> {
        let fate = |style: &str| names.iter().filter_map(move |name| worst(results, name, style)).any(wanted);
        STYLES.iter().copied().filter(|style| fate(style)).collect()
    };
    let zombies = with(|fate| matches!(fate, Fate::Zombie(_) | Fate::Endless(_)));
    let held = with(|fate| matches!(fate, Fate::HeldAnswer(_)));
    let unheard = |name: &&str| {
        let missed = |way: &measure::disconnect::Action| {
            results.measured.heard_of(name, way.name).is_some_and(|heard| heard.canceled < heard.tries)
        };
        ACTIONS.iter().any(missed)
    };
    let unheard: Vec<&str> = names.iter().copied().filter(|name| unheard(name)).collect();
    let mut advice = Vec::new();
    let asking: Vec<&str> = zombies.iter().copied().filter(|style| *style != "detached").collect();
    if !asking.is_empty() {
        advice.push(format!(
            "Hand the context into the work and ask it at every step ({}). Nothing stops a thread from outside.",
            list(&asking)
        ));
    }
    if zombies.contains(&"detached") {
        advice.push("Keep the handle of what you start on the side, and cancel it (detached).".to_owned());
    }
    if !held.is_empty() {
        advice.push(format!(
            "Keep loops that burn CPU off the threads that answer, or let them yield ({}).",
            list(&held)
        ));
    }
    if !unheard.is_empty() {
        advice.push(format!(
            "Watch the connection while the work runs, and cancel the work when the connection ends ({}).",
            list(&unheard)
        ));
    }
    advice
}

#[cfg(test)]
mod tests {
    use measure::fixtures::{empty, life};

    use super::*;

    #[test]
    fn what_went_on_is_met_with_what_stops_it_and_the_picture_is_of_one_server() {
        let mut results = empty(&["tokio", "threads"]);
        results.measured.zombie = vec![
            life("tokio", "context", 0.2),
            life("threads", "context", 0.3),
            life("threads", "drop", 2000.0),
            life("tokio", "detached", 2699.0),
        ];
        let step = step(&results).unwrap();
        assert_eq!(step.points.len(), 2, "{:?}", step.points);
        assert!(step.points[0].contains("(drop)") && step.points[1].contains("(detached)"));
        assert!(step.pictures.contains("Both on the server tokio"), "{}", step.pictures);
    }

    #[test]
    fn where_nothing_went_on_there_is_nothing_to_mend() {
        let mut results = empty(&["tokio"]);
        results.measured.zombie = vec![life("tokio", "context", 0.2)];
        let step = step(&results).unwrap();
        assert!(step.points.is_empty() && step.told[0].contains("nothing to mend"));
    }
}
