use super::*;
use crate::fixtures::{empty, life};
use crate::zombie::{How, Life};

fn sentences(results: &Results) -> Vec<String> {
    STYLES.iter().filter_map(|style| sentence(results, style)).collect()
}

#[test]
fn who_left_zombies_is_told_with_style_and_length() {
    let mut results = empty(&["tokio", "smol", "threads"]);
    for (server, drop) in [("tokio", 0.3), ("smol", 0.1), ("threads", 2699.0)] {
        results.measured.zombie.push(life(server, "drop", drop));
        results.measured.zombie.push(life(server, "context", 0.0));
    }
    assert_eq!(
        headline(&results),
        [
            "threads left zombies in drop work: it went on for up to 2.70 s after its 504.",
            "tokio and smol left no zombies in context and drop work, all that was timed out."
        ]
    );
    assert_eq!(
        sentences(&results),
        [
            "context: stopped on all 3, at most 0.0 ms after the answer (it asks its context).",
            "drop: stopped on tokio and smol, at most 0.3 ms after the answer (a future that is dropped gets no further \
             than its last await); a zombie on threads, for 2.70 s after the answer (nothing stops a thread or a \
             goroutine from outside)."
        ]
    );
}

#[test]
fn servers_with_the_same_zombies_share_a_sentence() {
    let mut results = empty(&["tokio", "smol"]);
    results.measured.zombie = vec![life("tokio", "detached", 2690.0), life("smol", "detached", 2710.0)];
    assert_eq!(
        headline(&results),
        ["tokio and smol left zombies in detached work: it went on for up to 2.71 s after its 504."]
    );
    assert_eq!(
        sentences(&results),
        [
            "detached: a zombie on tokio and smol, for 2.69 s to 2.71 s after the answer (it was given no context, and \
             its handle was let go)."
        ]
    );
}

#[test]
fn the_worst_turn_speaks_for_a_server() {
    let mut results = empty(&["tokio"]);
    results.measured.zombie = vec![life("tokio", "drop", 0.0), life("tokio", "drop", 900.0)];
    assert_eq!(worst(&results, "tokio", "drop"), Some(Fate::Zombie(900.0)));
}

#[test]
fn an_answer_held_by_its_work_is_told_apart_from_a_zombie() {
    let mut results = empty(&["tokio"]);
    let mut held = life("tokio", "spin", -1.0);
    (held.answered_ms, held.ended_ms, held.how) = (Some(901.0), Some(900.0), Some(How::Completed));
    results.measured.zombie.push(held);
    assert_eq!(
        sentences(&results),
        [
            "spin: nothing could interrupt it on tokio, and the 504 came 601 ms late (the loop keeps the thread on which \
             the timeout would have been seen)."
        ]
    );
    assert_eq!(headline(&results), ["tokio left no zombies in spin work, all that was timed out."]);
}

#[test]
fn no_zombies_is_said_with_the_styles_that_were_timed_out() {
    let mut results = empty(&["whole", "untimed", "part", "both"]);
    let untimed = |server: &str, style: &str| Life { status: Some(200), ..life(server, style, 0.1) };
    for style in STYLES {
        results.measured.zombie.push(life("whole", style, 0.1));
        results.measured.zombie.push(untimed("untimed", style));
    }
    results.measured.zombie.extend([life("part", "drop", 0.1), untimed("part", "spin")]);
    // One round was not timed out, and in another the work went on: a zombie all the same.
    results.measured.zombie.extend([life("both", "drop", 900.0), untimed("both", "drop")]);
    let all = "context, drop, polling, detached, blocking and spin";
    assert_eq!(
        headline(&results)[..4],
        [
            "both left zombies in drop work: it went on for up to 900 ms after its 504.".to_owned(),
            "whole left no zombies in any style of work.".to_owned(),
            format!(
                "untimed: no work was timed out, so none could outlive its answer; {all} work was not timed out."
            ),
            "part left no zombies in drop work, all that was timed out; spin work was not timed out."
                .to_owned(),
        ]
    );
}

#[test]
fn servers_that_answer_alike_instead_of_504_share_a_sentence() {
    let mut results = empty(&["axum", "actix", "go"]);
    for (server, status) in [("axum", 200), ("actix", 200), ("go", 503)] {
        results.measured.zombie.push(Life { status: Some(status), ..life(server, "drop", 0.1) });
    }
    let told = headline(&results);
    let instead: Vec<&str> =
        told.iter().map(String::as_str).filter(|text| text.contains("instead")).collect();
    assert_eq!(instead, ["axum and actix gave 200 instead of 504.", "go gave 503 instead of 504."]);
}

#[test]
fn one_label_says_the_fate_wherever_it_is_shown() {
    let label = |life: Life| life.label(25.0);
    let mut held = life("x", "spin", 0.0);
    (held.answered_ms, held.ended_ms, held.how) = (Some(3001.0), Some(3000.0), Some(How::Completed));
    let unheard = Life { started_ms: None, ..life("x", "drop", 0.0) };
    assert_eq!(label(life("x", "drop", 2699.0)), "zombie 2.70 s");
    assert_eq!(label(life("x", "drop", 0.1)), "stopped");
    assert_eq!(label(held.clone()), "504 late by 2.70 s");
    assert_eq!(label(Life { status: None, ..held }), "closed, late by 2.70 s");
    assert_eq!(label(Life { status: Some(200), ..life("x", "drop", 0.0) }), "200, no 504");
    assert_eq!(label(unheard), "no start heard");
}
