use measure::fixtures::empty;
use suite::document::{Document, Server};
use testbed::capability::Capability;

use super::*;

/// A server that fails every scenario of the set in many words, or lacks what it needs.
fn worst(lacking: bool) -> Document {
    let mut run = empty(&[]).document();
    run.servers = vec![Server::new("run", "")];
    let set = scenarios::select(questions::SET).unwrap();
    run.results = set
        .iter()
        .enumerate()
        .map(|(index, scenario)| {
            let mut row = Row::whole_server("run", scenario.id, Verdict::Fail, "seen ".repeat(60));
            (row.attempts, row.trace) = (2, vec!["1.00 ms  #1 > GET /slow ".repeat(20); 300]);
            if lacking && index > 3 {
                (row.attempts, row.verdict) = (0, Verdict::Unsupported);
                row.lacks = Capability::ALL.to_vec();
            }
            row
        })
        .collect();
    run
}

#[test]
fn the_worst_server_fits_on_one_screen() {
    for run in [worst(false), worst(true)] {
        let text = screen(&run, false);
        assert!(text.lines().count() <= LINES, "{} lines:\n{text}", text.lines().count());
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.contains("lab explain ID"), "the end was cut off:\n{text}");
        assert!(text.contains("> GET /slow"), "the bytes were cut off:\n{text}");
    }
}

#[test]
fn the_first_thing_to_mend_stands_with_its_bytes_its_cause_and_its_remedy() {
    let mut run = worst(false);
    for row in run.results.iter_mut().filter(|row| row.id != "disconnect/fin") {
        row.verdict = Verdict::Pass;
    }
    let text = screen(&run, false);
    assert!(text.contains("answered in time?                   yes"), "{text}");
    assert!(text.contains("Mend first: disconnect/fin") && text.contains("> GET /slow"), "{text}");
    assert!(text.contains("  cause:  actix by default") && text.contains("  remedy: watch the"), "{text}");
    assert!(text.contains("  not with fin\n"), "{text}");
    let pasted = markdown(&run);
    assert!(pasted.contains("| `disconnect/fin` |") && pasted.contains("```text\n  | 1.00 ms"), "{pasted}");
    assert!(pasted.contains("- cause: ") && pasted.contains("- remedy: "), "{pasted}");
}

#[test]
fn work_that_is_stopped_while_its_client_waits_is_mended_before_work_that_outlives_its_client() {
    let mut run = worst(false);
    for row in run.results.iter_mut().filter(|row| !["disconnect/fin", "spared/body-one"].contains(&&*row.id))
    {
        row.verdict = Verdict::Pass;
    }
    let text = screen(&run, false);
    assert!(text.contains("Mend first: spared/body-one"), "{text}");
}

#[test]
fn what_was_not_judged_says_what_it_would_take() {
    let mut run = worst(true);
    for row in run.results.iter_mut().filter(|row| row.verdict == Verdict::Unsupported) {
        row.lacks = vec![Capability::Witness];
    }
    let (text, pasted) = (screen(&run, false), markdown(&run));
    assert!(text.contains(" need `witness`: ") && text.contains("LAB_WITNESS"), "{text}");
    assert!(pasted.contains(" scenarios need `witness`: "), "{pasted}");
}

#[test]
fn a_body_that_stalls_is_told_beside_a_yes() {
    let mut run = worst(false);
    for row in run.results.iter_mut().filter(|row| row.id != "deadline/stalled-body") {
        row.verdict = Verdict::Pass;
    }
    let text = screen(&run, false);
    assert!(text.contains("answered in time?                   yes"), "{text}");
    assert!(text.contains("Failed besides: deadline/stalled-body"), "{text}");
}

#[test]
fn color_is_for_terminals() {
    assert!(
        screen(&worst(false), true).contains("\x1b[31m") && !screen(&worst(false), false).contains('\x1b')
    );
}

#[test]
fn a_run_of_other_areas_has_no_question_to_answer() {
    let mut run = worst(false);
    assert!(is_asked(&run));
    run.results.retain(|row| row.area() == "values");
    assert!(!is_asked(&run));
}
