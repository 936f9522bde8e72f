use testbed::capability::Capability;

use super::*;
use crate::missing;

fn document(rows: Vec<Row>) -> Document {
    let machine = Machine { kernel: "6".into(), cores: 2, ..Machine::default() };
    Document { machine, servers: vec![Server::new("x", "")], results: rows, ..Document::empty() }
}

fn row(server: &str, verdict: Verdict, seen: &str) -> Row {
    Row { attempts: 1, ..Row::whole_server(server, "a/b", verdict, seen) }
}

fn of(verdicts: &[Verdict]) -> Document {
    document(verdicts.iter().map(|verdict| row("x", *verdict, "")).collect())
}

#[test]
fn a_broken_promise_outweighs_an_error() {
    assert_eq!(of(&[Verdict::Pass, Verdict::Error, Verdict::Fail]).exit(), Exit::Broken);
    assert_eq!(of(&[Verdict::Pass, Verdict::Error]).exit(), Exit::NotRun);
    assert_eq!(of(&[Verdict::Xpass]).exit(), Exit::Broken);
    assert_eq!(of(&[Verdict::Warn, Verdict::Xfail, Verdict::Flaky, Verdict::Unsupported]).exit(), Exit::Good);
}

#[test]
fn a_server_or_a_measurement_that_failed_outweighs_nothing_but_is_not_forgotten() {
    let mut run = of(&[Verdict::Pass]);
    assert_eq!(run.exit(), Exit::Good);
    let gap = Gap {
        server: "x".into(),
        what: "storm".into(),
        unsupported: true,
        why: "no count of its own".into(),
    };
    run.gaps = vec![gap.clone()];
    assert_eq!(run.exit(), Exit::Good);
    run.gaps = vec![Gap { unsupported: false, ..gap }];
    assert_eq!(run.exit(), Exit::NotRun);
    run.gaps.clear();
    run.servers[0].error = Some("failed to build".to_owned());
    assert_eq!(run.exit(), Exit::NotRun);
}

#[test]
fn a_run_that_judged_and_measured_nothing_is_no_success() {
    assert_eq!(document(Vec::new()).exit(), Exit::NotRun);
    let mut run = of(&[Verdict::Unsupported, Verdict::Unsupported]);
    run.results.iter_mut().for_each(|row| (row.attempts, row.lacks) = (0, vec![Capability::Witness]));
    assert_eq!(run.exit(), Exit::NotRun);
    let told = missing::nothing_judged(&run).expect("nothing was judged");
    assert!(told.contains("all 2 scenarios") && told.contains("LAB_WITNESS"), "{told}");
    run.results.push(row("x", Verdict::Pass, "ok"));
    assert_eq!((run.exit(), missing::nothing_judged(&run)), (Exit::Good, None));
}

#[test]
fn counts_leave_out_zeros() {
    let run = of(&[Verdict::Fail, Verdict::Pass, Verdict::Pass]);
    assert_eq!(run.counts(Some("x")), [(Verdict::Pass, 2), (Verdict::Fail, 1)]);
    assert_eq!(run.counts(Some("y")), []);
}

#[test]
fn servers_that_miss_alike_share_a_line_and_the_red_ones_come_first() {
    let run = document(vec![
        row("x", Verdict::Warn, "slow"),
        row("x", Verdict::Fail, "early"),
        row("y", Verdict::Pass, "fine"),
        row("z", Verdict::Fail, "early"),
    ]);
    let misses: Vec<_> =
        run.misses().into_iter().map(|(servers, row)| (servers.join("+"), row.verdict)).collect();
    assert_eq!(misses, [("x+z".to_owned(), Verdict::Fail), ("x".to_owned(), Verdict::Warn)]);
    assert_eq!((run.score("x", "a"), run.exit()), ((0, 2), Exit::Broken));
}

#[test]
fn servers_that_miss_alike_for_other_reasons_have_lines_of_their_own() {
    let why = |server: &str, why: &str| Row {
        expected: Some(why.to_owned()),
        ..row(server, Verdict::Xfail, "the work went on")
    };
    let run =
        document(vec![why("actix", "it reads no more"), why("python", "a thread"), why("go", "a thread")]);
    let misses: Vec<_> =
        run.misses().into_iter().map(|(servers, row)| (servers.join("+"), row.expected.clone())).collect();
    let of = |servers: &str, why: &str| (servers.to_owned(), Some(why.to_owned()));
    assert_eq!(misses, [of("actix", "it reads no more"), of("python+go", "a thread")]);
}

#[test]
fn a_document_is_read_back_as_it_was_written() {
    let mut first = row("x", Verdict::Pass, "ok");
    first.figures = vec![("z_ms".to_owned(), 1.5), ("a_ms".to_owned(), f64::NAN)];
    let mut run = document(vec![first, row("x", Verdict::Xfail, "late")]);
    let series = Series {
        server: "x".into(),
        what: "lateness".into(),
        unit: "ms".into(),
        better: Better::Less,
        least: 0.5,
        latency_from: None,
        rounds: vec![vec![1.0, 2.5], Vec::new()],
        rounds_at_ms: Vec::new(),
    };
    let records = vec![serde_json::json!({ "server": "x" })];
    run.measurements = vec![Measurement { name: "overshoot".into(), series: vec![series], records }];
    let text = run.json();
    assert_eq!(Document::parse(&text).unwrap().json(), text);
}

#[test]
fn another_version_is_refused_by_its_number_and_what_is_no_run_is_told_so() {
    let other = of(&[]).json().replace("\"schema\":4", "\"schema\":5");
    let error = Document::parse(&other).unwrap_err();
    assert_eq!(error, "its `schema` is 5, and this lab reads 4; use the lab that wrote it");
    assert_eq!(Document::parse("{}").unwrap_err(), "it has no `schema`, so it is no run of the lab");
    assert!(Document::parse("no").is_err());
}

#[test]
fn a_field_of_another_type_is_named() {
    let wrong = of(&[]).json().replace("\"cores\":2", "\"cores\":\"two\"");
    let error = Document::parse(&wrong).unwrap_err();
    assert!(error.starts_with("field `machine.cores`: invalid type: string \"two\""), "{error}");
}
