use std::time::{Duration, Instant};

use measure::fixtures::{empty, latenesses, life, storm};
use measure::overshoot::Sample;
use measure::zombie::{How, Life};
use suite::exit::Exit;

use super::*;

#[test]
fn who_left_zombies_is_told_with_style_and_length() {
    let mut results = empty(&["tokio", "smol", "threads"]);
    for (server, drop) in [("tokio", 0.3), ("smol", 0.1), ("threads", 2699.0)] {
        results.measured.zombie.push(life(server, "drop", drop));
        results.measured.zombie.push(life(server, "context", 0.0));
    }
    assert_eq!(
        verdict(&results),
        [
            "threads left zombies in drop work: it went on for up to 2.70 s after its 504.",
            "tokio and smol left no zombies in context and drop work, all that was timed out."
        ]
    );
    assert_eq!(
        tails(&results),
        [
            "context: stopped on all 3, at most 0.0 ms after the 504.",
            "drop: stopped on tokio and smol, at most 0.3 ms after the 504; a zombie on threads, for 2.70 s after \
             the 504."
        ]
    );
}

#[test]
fn servers_with_the_same_zombies_share_a_sentence() {
    let mut results = empty(&["tokio", "smol"]);
    results.measured.zombie = vec![life("tokio", "detached", 2690.0), life("smol", "detached", 2710.0)];
    assert_eq!(
        verdict(&results),
        ["tokio and smol left zombies in detached work: it went on for up to 2.71 s after its 504."]
    );
    assert_eq!(
        tails(&results),
        ["detached: a zombie on tokio and smol, for 2.69 s to 2.71 s after the 504."]
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
        tails(&results),
        ["spin: nothing could interrupt it on tokio, and the 504 itself came 601 ms late."]
    );
    assert_eq!(verdict(&results), ["tokio left no zombies in spin work, all that was timed out."]);
}

#[test]
fn an_early_answer_is_called_a_broken_promise() {
    let mut results = empty(&["x"]);
    let now = Instant::now();
    let sample = |after| Sample {
        status: Some(504),
        intended_at: now,
        sent_at: now,
        first_byte_at: Some(now + Duration::from_millis(after)),
    };
    let mut one = Overshoot::new("x", 1, Duration::from_millis(100));
    one.add(&[sample(99), sample(101)], 0.0);
    results.measured.overshoot.push(one);
    assert_eq!(overshoot(&results)[0], "x answered 1 of 2 requests BEFORE their deadline: a broken promise.");
    assert_eq!(results.exit(), Exit::Broken);
}

#[test]
fn a_storm_tells_what_was_left_and_what_threads_cost() {
    let mut results = empty(&["tokio", "threads"]);
    results.measured.storm = vec![storm("tokio", 0, 4), storm("threads", 500, 1003)];
    let text = storms(&results, "drop");
    assert!(
        text[0].starts_with("threads: when the last 504 had been read, 500 of 500 works still ran"),
        "{text:?}"
    );
    assert_eq!(text[1], "tokio: no work was left when the last 504 had been read.");
    assert!(
        text[2].contains("threads needed 1,003 threads and 1.0 MB more memory; tokio needed 4"),
        "{text:?}"
    );
}

#[test]
fn no_zombies_is_said_with_the_styles_that_were_timed_out() {
    let mut results = empty(&["whole", "untimed", "part", "both"]);
    let untimed = |server: &str, style: &str| Life { status: Some(200), ..life(server, style, 0.1) };
    for style in measure::zombie::STYLES {
        results.measured.zombie.push(life("whole", style, 0.1));
        results.measured.zombie.push(untimed("untimed", style));
    }
    results.measured.zombie.extend([life("part", "drop", 0.1), untimed("part", "spin")]);
    // One round was not timed out, and in another the work went on: a zombie all the same.
    results.measured.zombie.extend([life("both", "drop", 900.0), untimed("both", "drop")]);
    let all = "context, drop, polling, detached, blocking and spin";
    assert_eq!(
        verdict(&results)[..4],
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
fn servers_are_told_apart_by_lateness_only_when_the_ranges_of_three_rounds_part() {
    let rounds = |late: [f64; 3]| late.map(|late| vec![late; 300]);
    let told = |a: &[Vec<f64>], b: &[Vec<f64>]| {
        let mut results = empty(&["a", "b"]);
        for (name, rounds) in [("a", a), ("b", b)] {
            let rounds: Vec<&[f64]> = rounds.iter().map(Vec::as_slice).collect();
            results.measured.overshoot.push(latenesses(name, &rounds));
        }
        overshoot(&results)[1].clone()
    };
    let (low, high) = (rounds([1.0, 2.0, 3.0]), rounds([7.0, 8.0, 9.0]));
    assert_eq!(
        told(&high, &low),
        "With 500 at once 99 of 100 were answered within 2.0 ms by b, and within 8.0 ms by a."
    );
    for (a, b) in [(&low[..], &rounds([2.5, 8.0, 9.0])[..]), (&low[..2], &high[..])] {
        assert!(told(a, b).contains("no server is told to be later"), "{}", told(a, b));
    }
}

#[test]
fn nothing_measured_is_nothing_said() {
    let results = empty(&["tokio"]);
    assert!(verdict(&results).is_empty() && tails(&results).is_empty());
    assert!(overshoot(&results).is_empty() && storms(&results, "drop").is_empty());
    assert_eq!(results.exit(), Exit::NotRun);
}

#[test]
fn servers_that_answer_alike_instead_of_504_share_a_sentence() {
    let mut results = empty(&["axum", "actix", "go"]);
    for (server, status) in [("axum", 200), ("actix", 200), ("go", 503)] {
        results.measured.zombie.push(Life { status: Some(status), ..life(server, "drop", 0.1) });
    }
    let told = verdict(&results);
    let instead: Vec<&str> =
        told.iter().map(String::as_str).filter(|text| text.contains("instead")).collect();
    assert_eq!(instead, ["axum and actix gave 200 instead of 504.", "go gave 503 instead of 504."]);
}
