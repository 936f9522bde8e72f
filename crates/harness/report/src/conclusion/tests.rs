use measure::disconnect::Disconnect;
use measure::fixtures::{empty, life, storm, whole};
use measure::zombie::How;
use suite::document::Gap;

use super::*;
use crate::terminal::render::Screen;
use crate::terminal::tables;

/// A run of these servers in which work of style drop ran on, and a client of each that left was heard or not.
fn run(names: &[&str], hears: impl Fn(&str) -> bool) -> Results {
    let mut results = empty(names);
    for name in names {
        results.measured.zombie.push(life(name, "drop", 2700.0));
        results.measured.zombie.push(life(name, "context", 0.1));
        results.measured.storm.push(storm(name, 500, 1006));
        let how = Some(if hears(name) { How::Canceled } else { How::Completed });
        let disconnect =
            Disconnect { server: (*name).to_owned(), action: "FIN".into(), round: 0, last_ms: 2.0, how };
        results.measured.disconnect.push(disconnect);
    }
    results
}

fn said(results: &Results, label: &str) -> Option<String> {
    points(results, Length::Full).into_iter().find(|point| point.label == label).map(|point| point.text)
}

fn many() -> Vec<String> {
    (0..13).map(|number| format!("a-server-with-a-name-{number}")).collect()
}

#[test]
fn a_newcomer_is_told_what_ran_on_where_for_how_long_and_what_to_do() {
    let results = whole();
    let zombies = said(&results, "ran on").unwrap();
    assert_eq!(zombies, "up to 2.70 s after the 504, for nobody (zombies): dropped work on threads.");
    assert!(said(&results, "asked").unwrap().starts_with("tokio, threads: "));
    assert!(said(&results, "stopped").unwrap().ends_with("dropped work on tokio."));
    assert!(said(&results, "to do").unwrap().starts_with("check a context"));
}

#[test]
fn the_cost_of_a_storm_is_compared_with_the_server_that_needed_least_at_the_same_load() {
    let cost = said(&whole(), "cost").unwrap();
    let (most, least) = cost.split_once("; ").unwrap();
    assert!(
        most.starts_with("500 timeouts at once: threads took ") && most.contains("all 500 ran on for"),
        "{cost}"
    );
    assert!(least.starts_with("tokio took ") && least.ends_with(", and none ran on."), "{cost}");
    let alone = said(&run(&["x"], |_| true), "cost").unwrap();
    assert!(!alone.contains("x took") && !alone.contains(';'), "{alone}");
}

#[test]
fn what_to_do_is_said_for_each_way_in_which_work_ran_on() {
    let mut results = run(&["x", "y"], |_| true);
    assert_eq!(said(&results, "to do").unwrap(), "check a context (deadline, cancel signal) at each step.");
    for style in ["detached", "blocking"] {
        results.measured.zombie.push(life("x", style, 2700.0));
    }
    results.measured.outside = measure::fixtures::everything().measured.outside;
    for one in &mut results.measured.outside {
        (one.style, one.outlived_ms) = ("query-dropped".into(), 600.0);
    }
    assert_eq!(
        said(&results, "to do").unwrap(),
        "check a context (deadline, cancel signal) at each step; cancel what you spawn; time out blocking calls; cancel \
         queries."
    );
}

#[test]
fn work_that_stopped_is_told_as_the_rest_once_what_ran_on_is_named() {
    let mut results = run(&["x", "y", "z"], |_| true);
    for name in ["x", "y"] {
        results.measured.zombie.retain(|life| life.server != name || life.style != "drop");
        results.measured.zombie.push(life(name, "drop", 0.1));
    }
    let told = said(&results, "stopped").unwrap();
    assert!(told.ends_with("work that asks its context (context); all other dropped work."), "{told}");
}

#[test]
fn a_run_of_one_server_names_it_once() {
    let results = run(&["x"], |_| true);
    assert_eq!(said(&results, "ran on").unwrap().matches(" on x").count(), 0);
    assert!(said(&results, "asked").unwrap().starts_with("x: "));
}

#[test]
fn work_that_ran_on_is_not_said_to_ask_its_context() {
    let mut results = run(&["x"], |_| true);
    results.measured.zombie.push(life("x", "context", 900.0));
    let told = said(&results, "ran on").unwrap();
    assert!(told.contains("work that should ask its context (context)"), "{told}");
}

#[test]
fn servers_that_do_not_hear_their_client_are_told_apart() {
    let told = said(&run(&["x", "y"], |name| name == "x"), "client").unwrap();
    assert!(told.contains("the request's context is canceled within 2.0 ms on x; "), "{told}");
    assert!(told.ends_with("on y the work runs to its end for nobody in 1 of 1 ways to leave."), "{told}");
}

#[test]
fn what_was_not_measured_is_not_spoken_of() {
    let mut results = run(&["x"], |_| true);
    results.measured.storm.clear();
    results.measured.disconnect.clear();
    assert_eq!((said(&results, "cost"), said(&results, "client")), (None, None));
    let mut results = measure::fixtures::run(&[&[1.0]]);
    results.plan = results.plan.only(&["overshoot".to_owned()]);
    assert!(said(&results, "not asked").is_some() && said(&results, "overshoot").is_some());
}

#[test]
fn a_server_whose_work_cannot_be_watched_is_told_with_the_reason() {
    let mut results = empty(&["run"]);
    let gap = Gap {
        server: "run".into(),
        what: "zombie".into(),
        unsupported: true,
        why: "it sends no heartbeats".into(),
    };
    results.measured.gaps.push(gap);
    let told = said(&results, "not seen").unwrap();
    assert!(told.starts_with("whether work stops on run: its work sends no heartbeats"), "{told}");
    results.measured.zombie.push(life("tokio", "drop", 0.1));
    assert_eq!(said(&results, "not seen"), Some(told), "beside a server whose work was seen too");
}

#[test]
fn of_many_servers_each_is_named_or_is_one_of_all_others() {
    let names =
        ["tokio", "async-std", "smol", "threads", "go-context", "go-timeouthandler", "python-threading"];
    let others =
        ["python-asyncio", "plain-hyper", "axum", "actix", "actix-no-half-closed", "go-writetimeout"];
    let names: Vec<&str> = names.into_iter().chain(others).collect();
    let mut results = run(&names, |name| names[..4].contains(&name));
    // Work of style drop ran on where the name is one of the last seven, and its pairs with spin on the first six.
    results
        .measured
        .zombie
        .retain(|life| life.style != "drop" || !names[..6].contains(&life.server.as_str()));
    results.measured.zombie.extend(names[..6].iter().map(|name| life(name, "spin", 2700.0)));
    let told = |label: &str| {
        let points = points(&results, Length::Shortest);
        points.into_iter().find(|point| point.label == label).map(|point| point.text).unwrap()
    };
    assert!(
        told("ran on").contains(&format!("dropped work on all but {}", list(&names[..6]))),
        "{}",
        told("ran on")
    );
    assert!(told("ran on").contains(&format!("(spin) on {}", list(&names[..6]))), "{}", told("ran on"));
    assert_eq!(
        told("client"),
        "when it leaves, the context is canceled within 2.0 ms on tokio, async-std, smol and threads; on the other 9 the work \
         runs on in 1 of 1 ways to leave."
    );
    let text = tables::conclusion(&results, Screen::FILE);
    assert!(!names.iter().any(|_| text.contains(" of 13")), "a number names no server: {text}");
}

#[test]
fn of_more_servers_than_a_line_holds_the_first_are_named() {
    let names = many();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let results = run(&names, |_| false);
    let names_of = Names::of(&results, Length::Shortest);
    assert_eq!(names_of.plain(&names[..7]), format!("{} and 2 more", names[..5].join(", ")));
}

/// A run of these thirteen servers whose shortest conclusion is too long for ten lines.
fn crowded(names: &[&str]) -> Results {
    let mut results = run(names, |name| name.ends_with('3'));
    let lives = &mut results.measured.zombie;
    lives.retain(|life| life.style != "drop" || names[7..].contains(&life.server.as_str()));
    lives.extend(names.iter().map(|name| life(name, "spin", 2700.0)));
    lives.extend(names[3..9].iter().map(|name| life(name, "blocking", 2700.0)));
    results
}

#[test]
fn a_point_that_one_can_do_without_is_kept_where_it_fits() {
    let names = many();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let results = crowded(&names);
    let has = |label| said(&results, label).is_some();
    assert!(has("cost") && has("stopped") && has("asked"));
    let text = tables::conclusion(&results, Screen::FILE);
    assert!(text.contains("\n stopped "), "one line is left for it: {text}");
    assert!(!text.contains("\n cost ") && !text.contains("\n asked "), "none is left for these: {text}");
}

#[test]
fn a_conclusion_has_at_most_ten_lines_however_many_servers_there_are() {
    let names = many();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for results in [
        crowded(&names),
        run(&names, |name| name.ends_with('3')),
        run(&names[..4], |_| true),
        whole(),
        empty(&["x"]),
    ] {
        let text = tables::conclusion(&results, Screen::FILE);
        // A blank line and the heading come first.
        assert!(text.lines().count() <= 12, "{text}");
        for width in [80, 100] {
            let text = tables::conclusion(&results, Screen::of(width, false));
            assert!(text.lines().all(|line| line.chars().count() <= usize::from(width)), "{text}");
        }
    }
}
