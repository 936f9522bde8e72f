use measure::fixtures::{empty, everything, life, storm};
use measure::zombie::How;

use super::*;

#[test]
fn the_story_has_five_steps_each_with_a_picture_where_everything_was_measured() {
    let mut results = everything();
    results.measured.zombie = vec![life("x", "context", 0.1), life("x", "detached", 2699.0)];
    let steps = steps(&results).unwrap();
    assert_eq!(steps.len(), 5);
    for step in &steps {
        assert!(!step.told.is_empty(), "{step:?}");
        assert!(
            step.pictures.contains("<svg class=\"picture\"") || step.pictures.contains("<table"),
            "{step:?}"
        );
    }
}

#[test]
fn a_storm_is_drawn_once_in_the_story_or_in_its_section() {
    let mut results = empty(&["x", "y", "z"]);
    results.measured.zombie = vec![life("x", "drop", 0.1)];
    results.measured.storm =
        [("x", 0), ("y", 500), ("z", 20)].map(|(name, left)| storm(name, left, 6)).to_vec();
    let drawn = |results: &Results| {
        let page = crate::page::render(results).unwrap();
        let count = |name: &str| page.matches(&format!(">Storm: {name}, style drop<")).count();
        (["x", "y", "z"].map(count), page.contains("Those of y and x stand in <a href=\"#step-3\">"))
    };
    assert_eq!(drawn(&results), ([1, 1, 1], true));
    results.measured.zombie.clear();
    assert_eq!(drawn(&results), ([1, 1, 1], false), "a run without a story has all of them in the section");
}

#[test]
fn a_run_without_timeouts_has_no_story() {
    assert!(steps(&empty(&["x"])).unwrap().is_empty());
}

#[test]
fn every_style_is_explained_before_it_is_named() {
    let mut results = empty(&["x"]);
    results.measured.zombie = STYLES.iter().map(|style| life("x", style, 0.1)).collect();
    let steps = steps(&results).unwrap();
    assert!(
        steps[0].told.iter().all(|told| STYLES.iter().all(|style| !told.contains(&format!("({style})"))))
    );
    for style in STYLES {
        assert_ne!(plain(style), plain("another"), "{style}");
        assert!(steps[1].pictures.contains(&format!("{} ({style})", capital(plain(style)))), "{style}");
    }
}

#[test]
fn the_worst_server_of_a_style_is_shown_with_the_number_of_its_kind() {
    let mut results = empty(&["a", "b", "c"]);
    results.measured.zombie =
        vec![life("a", "drop", 0.1), life("b", "drop", 900.0), life("c", "drop", 2000.0)];
    let names = results.names();
    let fates = fates_of(&results.measured, &names, "drop", 25.0);
    let [(life, alike, all)] = fates[..] else { panic!("{fates:?}") };
    assert_eq!((life.server.as_str(), alike, all), ("c", 2, 3));
}

#[test]
fn a_late_504_is_shown_beside_the_zombies_of_its_style() {
    let mut results = empty(&["a", "b"]);
    let held = Life {
        answered_ms: Some(3000.0),
        ended_ms: Some(2999.0),
        how: Some(How::Completed),
        ..life("a", "spin", 0.1)
    };
    results.measured.zombie = vec![held, life("b", "spin", 2000.0)];
    let fates = fates_of(&results.measured, &results.names(), "spin", 25.0);
    let who: Vec<_> = fates.iter().map(|(life, alike, all)| (life.server.as_str(), *alike, *all)).collect();
    assert_eq!(who, [("b", 1, 2), ("a", 1, 2)]);
    let step = zombies(&results).unwrap();
    assert!(
        step.points.iter().any(|point| point.starts_with("a: in spin work even the 504 came late")),
        "{step:?}"
    );
}
