use measure::fixtures::{empty, everything, life};

use super::*;

#[test]
fn the_story_has_five_steps_each_with_a_picture_where_everything_was_measured() {
    let mut results = everything();
    results.measured.zombie = vec![life("x", "context", 0.1), life("x", "detached", 2699.0)];
    let steps = steps(&results).unwrap();
    assert_eq!(steps.len(), 5);
    for step in &steps {
        assert!(!step.told.is_empty() && step.pictures.contains("<svg class=\"picture\""), "{step:?}");
    }
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
        assert!(steps[1].pictures.contains(&format!("{} ({style})", plain(style))), "{style}");
    }
}

#[test]
fn the_worst_server_of_a_style_is_shown_with_the_number_of_its_kind() {
    let mut results = empty(&["a", "b", "c"]);
    results.measured.zombie =
        vec![life("a", "drop", 0.1), life("b", "drop", 900.0), life("c", "drop", 2000.0)];
    let names = results.names();
    let (life, alike, all) = worst_of_all(&results.measured, &names, "drop", 25.0).unwrap();
    assert_eq!((life.server.as_str(), alike, all), ("c", 2, 3));
}
