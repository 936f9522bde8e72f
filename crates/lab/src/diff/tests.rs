use super::*;

/// A run of one server with these latenesses, round by round, and this verdict.
fn run(rounds: &[&[f64]], verdict: &str) -> Document {
    let mut document = measure::fixtures::run(rounds).document();
    document.results[0].verdict = serde_json::from_value(verdict.into()).expect("a verdict");
    document
}

const BEFORE: &[&[f64]] = &[&[1.0], &[1.2], &[1.1]];

#[test]
fn a_regression_past_the_threshold_is_found() {
    let difference = Difference::of(&run(BEFORE, "pass"), &run(&[&[2.0], &[2.2], &[2.1]], "pass"), 20.0);
    assert_eq!((difference.regressions, difference.figures.len()), (1, 1));
    assert!(difference.human(Screen::FILE).contains("+91 %"), "{}", difference.human(Screen::FILE));
}

#[test]
fn a_change_below_the_threshold_is_told_and_is_no_regression() {
    let difference = Difference::of(&run(BEFORE, "pass"), &run(&[&[2.0], &[2.2], &[2.1]], "pass"), 95.0);
    assert_eq!((difference.regressions, difference.figures[0].worse), (0, true));
}

#[test]
fn a_median_within_the_spread_of_the_other_run_is_no_change() {
    let difference = Difference::of(&run(BEFORE, "pass"), &run(&[&[1.05], &[9.0], &[8.0]], "pass"), 20.0);
    assert_eq!((difference.figures.len(), difference.unchanged), (0, 1));
}

#[test]
fn less_than_the_noise_of_the_machine_is_no_change() {
    let difference = Difference::of(&run(BEFORE, "pass"), &run(&[&[1.3], &[1.31], &[1.32]], "pass"), 1.0);
    assert_eq!((difference.figures.len(), difference.unchanged), (0, 1));
}

#[test]
fn an_improvement_is_no_regression() {
    let difference = Difference::of(&run(&[&[9.0], &[9.5], &[9.2]], "fail"), &run(BEFORE, "pass"), 20.0);
    assert_eq!((difference.regressions, difference.verdicts.len(), difference.figures.len()), (0, 1, 1));
}

#[test]
fn a_verdict_that_got_worse_is_a_regression_whatever_the_figures_say() {
    let difference = Difference::of(&run(BEFORE, "pass"), &run(BEFORE, "xfail"), 20.0);
    assert_eq!((difference.regressions, difference.figures.len()), (1, 0));
    assert!(difference.human(Screen::FILE).contains("WORSE x work/drop: pass → xfail"));
    assert_eq!(Difference::of(&run(BEFORE, "flaky"), &run(BEFORE, "pass"), 20.0).regressions, 0);
}

#[test]
fn what_is_gone_is_a_regression_by_name() {
    let before = run(BEFORE, "pass");
    let mut after = run(BEFORE, "pass");
    let row = after.results.remove(0);
    let difference = Difference::of(&before, &after, 20.0);
    assert_eq!(difference.gone, [format!("{}: {}", row.server, row.id)]);
    assert_eq!(difference.regressions, 1);
    assert!(difference.human(Screen::FILE).contains(&format!("GONE {}: {}", row.server, row.id)));
    let mut after = run(BEFORE, "pass");
    after.servers.clear();
    assert!(Difference::of(&before, &after, 20.0).gone[0].ends_with("the whole server"));
    after.results.clear();
    after.measurements.clear();
    assert_eq!(Difference::of(&before, &after, 20.0).compared, 0);
}

#[test]
fn figures_of_fewer_than_three_rounds_are_not_judged() {
    let difference = Difference::of(&run(&[&[1.0]], "pass"), &run(&[&[9.0]], "pass"), 20.0);
    assert_eq!((difference.figures.len(), difference.regressions), (0, 0));
    assert!(difference.too_few > 0);
    assert!(difference.human(Screen::FILE).contains("fewer than 3 rounds"));
}

#[test]
fn figures_of_unlike_runs_are_not_judged() {
    let before = run(BEFORE, "pass");
    let changes: [fn(&mut Document); 3] = [
        |document| document.machine.cores += 1,
        |document| document.plan = None,
        |document| document.machine.load = document.machine.load.map(|load| load + 30.0).or(Some(30.0)),
    ];
    for change in changes {
        let mut after = run(&[&[2.0], &[2.2], &[2.1]], "pass");
        let mut before = before.clone();
        before.machine.load = Some(0.1);
        after.machine.load = Some(0.1);
        change(&mut after);
        let difference = Difference::of(&before, &after, 20.0);
        assert_eq!((difference.unlike.len(), difference.figures.len()), (1, 0), "{:?}", difference.unlike);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_its_field() {
    let error = read(std::path::Path::new("/no/such.json")).unwrap_err();
    assert!(error.starts_with("failed to read `/no/such.json`"), "{error}");
    let text = measure::fixtures::run(&[]).json().replace("\"cores\":2", "\"cores\":\"two\"");
    let error = Document::parse(&text).unwrap_err();
    assert!(error.starts_with("field `machine.cores`: invalid type: string \"two\""), "{error}");
}

#[test]
fn every_measurement_of_the_registry_is_compared() {
    let before = measure::fixtures::everything().document();
    for (name, _) in measure::registry::ALL {
        let mut after = before.clone();
        after.measurements.retain(|one| one.name != *name);
        assert_eq!(after.measurements.len() + 1, before.measurements.len(), "{name}");
        let difference = Difference::of(&before, &after, 20.0);
        assert!(!difference.gone.is_empty() && difference.gone.len() == difference.regressions, "{name}");
    }
}
