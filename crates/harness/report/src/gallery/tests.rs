use std::collections::BTreeSet;
use std::path::PathBuf;

use suite::verdict::Level;

use super::*;

const MANIFEST: &str = r#"
    name = "frame"
    language = "Python"
    framework = "Frame"
    versions = { frame = "1.0" }

    [[variant]]
    name = "plain"
    about = "as the tutorial writes it"
    run = "serve {port}"
    source = "https://frame.example/tutorial"

    [[variant.red]]
    question = "disconnect"
    cause = "nothing asks"
    source = "https://frame.example/1"
    mend = "polling"

    [[variant]]
    name = "polling"
    about = "it asks"
    run = "serve {port}"
    source = "https://frame.example/polling"
"#;

fn adapters() -> Vec<Adapter> {
    vec![Adapter::parse(MANIFEST, PathBuf::from("peers/python/frame")).unwrap()]
}

fn row(id: &str, verdict: Verdict) -> Row {
    Row { level: Level::Must, ..Row::whole_server("frame", id, verdict, "seen\nmore") }
}

fn machine() -> Machine {
    measure::fixtures::empty(&["tokio"]).document().machine
}

fn shown(disconnect: Verdict) -> Shown {
    let rows = [
        row("deadline/answers-504", Verdict::Pass),
        row("work/context", Verdict::Pass),
        row("disconnect/fin", disconnect),
        row("disconnect/rst", Verdict::Pass),
        row("disconnect/mid-stream", Verdict::Unsupported),
        row("spared/signals", Verdict::Error),
        row("leak/storm", Verdict::Fail),
    ];
    Shown::judged("Thu, 26 Nov 2026 01:00:00 GMT", &machine(), 1000, &rows)
}

fn gallery(plain: Verdict, polling: Verdict) -> Gallery {
    let servers = [("frame/plain", shown(plain)), ("frame/polling", shown(polling))];
    Gallery { schema: SCHEMA, servers: servers.map(|(name, shown)| (name.to_owned(), shown)).into() }
}

fn line<'a>(page: &'a str, of: &str) -> &'a str {
    page.lines().find(|line| line.contains(of)).unwrap_or_else(|| panic!("no `{of}` in:\n{page}"))
}

#[test]
fn a_cell_counts_what_was_judged_and_neither_lacks_nor_errors() {
    let shown = shown(Verdict::Fail);
    let answer = |question| shown.cell(question).unwrap().answer();
    assert_eq!(answer(Question::Answers), "yes");
    assert_eq!(answer(Question::Disconnect), "in 1 of 2");
    assert_eq!(answer(Question::Spared), "–");
    assert_eq!(shown.cell(Question::Spared).unwrap().errors, 1);
    let all_failed = Shown::judged("", &machine(), 0, &[row("work/context", Verdict::Fail)]);
    assert_eq!(all_failed.cell(Question::Deadline).unwrap().answer(), "no");
}

#[test]
fn a_red_cell_has_its_cause_and_a_mend_that_is_green() {
    let page = gallery(Verdict::Fail, Verdict::Pass).page(&adapters());
    // One day stands above the table, and in none of its lines.
    assert!(line(&page, "| `frame/plain` |").ends_with("| yes | yes | **in 1 of 2** | – |"), "{page}");
    assert!(
        line(&page, "**stops when its client leaves?**").contains("fails 1 of 2: `disconnect/fin`: seen")
    );
    assert!(line(&page, "cause: ").contains("nothing asks (<https://frame.example/1>)"), "{page}");
    assert!(line(&page, "mend: ").contains("`frame/polling` (all 2 scenarios pass there)"), "{page}");
    assert!(!page.contains("### `frame/polling`"), "{page}");
}

#[test]
fn the_same_stands_on_the_page_of_the_report_where_a_red_cell_leads_to_its_cause_and_its_mend() {
    let html = gallery(Verdict::Fail, Verdict::Pass).html(&adapters()).unwrap();
    for part in [
        " class=\"bad left\"><a href=\"#frame-plain-disconnect\">in 1 of 2</a></td>",
        "<h4 id=\"frame-plain-disconnect\">stops when its client leaves? <b class=\"bad\">in 1 of 2</b></h4>",
        "<dd>nothing asks <a class=\"soft\" href=\"https://frame.example/1\">https://frame.example/1</a></dd>",
        "<code>frame/polling</code> (all 2 scenarios pass there)",
        "<li><code>disconnect/fin</code>: seen</li>",
        "2 of 2 servers were judged",
    ] {
        assert!(html.contains(part), "{part} is not in\n{html}");
    }
    assert!(!html.contains("id=\"frame-polling-") && !html.contains("src="), "{html}");
    let unexplained = gallery(Verdict::Pass, Verdict::Fail).html(&adapters()).unwrap();
    assert!(unexplained.contains("not known yet") && unexplained.contains("none known, and none tried"));
}

#[test]
fn a_mend_that_fails_too_is_told_to() {
    let page = gallery(Verdict::Fail, Verdict::Fail).page(&adapters());
    assert!(line(&page, "mend: `frame/polling`").contains("but it fails 1 of 2 there too"), "{page}");
    assert!(page.contains("cause: not known yet"), "{page}");
}

#[test]
fn a_server_that_is_absent_or_was_not_run_has_a_row_that_says_so() {
    let absent = Shown::absent("", &machine(), Some("no `serve` on the PATH\nat all".to_owned()));
    let gallery = Gallery { schema: SCHEMA, servers: [("frame/plain".to_owned(), absent)].into() };
    let page = gallery.page(&adapters());
    assert!(line(&page, "| `frame/plain` |").ends_with("| – | – | – | – | absent |"), "{page}");
    assert!(line(&page, "| `frame/polling` |").ends_with("| – | – | – | – | not run |"), "{page}");
    assert!(page.contains("- `frame/plain`: no `serve` on the PATH\n"), "{page}");
}

#[test]
fn a_red_cell_without_a_cause_and_a_green_one_with_one_are_surprises() {
    let surprises = gallery(Verdict::Pass, Verdict::Fail).surprises(&adapters());
    assert_eq!(surprises.len(), 2, "{surprises:?}");
    assert!(surprises[0].starts_with("frame/plain passes `disconnect`"), "{surprises:?}");
    assert!(surprises[1].starts_with("frame/polling fails `disconnect`"), "{surprises:?}");
    assert!(gallery(Verdict::Fail, Verdict::Pass).surprises(&adapters()).is_empty());
    let mut comes_and_goes = adapters();
    comes_and_goes[0].variants[0].reds[0].flaky = true;
    assert_eq!(gallery(Verdict::Pass, Verdict::Pass).surprises(&comes_and_goes).len(), 0);
}

#[test]
fn a_document_is_read_back_as_it_was_and_another_version_is_refused() {
    let gallery = gallery(Verdict::Fail, Verdict::Pass);
    assert_eq!(Gallery::parse(&gallery.json()), Ok(gallery.clone()));
    let other = gallery.json().replace("\"schema\": 1", "\"schema\": 9");
    assert_eq!(Gallery::parse(&other), Err("its `schema` is 9, and this lab reads 1".to_owned()));
}

#[test]
fn a_body_that_stalls_is_marked_and_explained_and_makes_no_cell_red() {
    let rows = [row("deadline/answers-504", Verdict::Pass), row("deadline/stalled-body", Verdict::Fail)];
    let shown = Shown::judged("Thu, 26 Nov 2026 01:00:00 GMT", &machine(), 1000, &rows);
    let cell = shown.cell(Question::Answers).unwrap();
    assert_eq!((cell.answer().as_str(), cell.is_red(), cell.is_whole()), ("yes †", false, false));
    let gallery = Gallery { schema: SCHEMA, servers: [("frame/plain".to_owned(), shown)].into() };
    let page = gallery.page(&adapters());
    assert!(line(&page, "**answered in time?**").contains("† `deadline/stalled-body`: seen"), "{page}");
    assert!(page.contains("Of them, 1 answer in time"), "{page}");
    assert!(page.contains("Linux") && page.contains("in one run, Thu, 26 Nov 2026"), "{page}");
    assert_eq!(gallery.surprises(&adapters()).len(), 1, "no manifest explains it");
}

/// The results that `docs/gallery.md` is made of.
fn kept() -> (Gallery, Vec<Adapter>) {
    let root = testbed::catalog::root().unwrap();
    (Gallery::kept(&root).unwrap(), testbed::adapters::read(&root).unwrap())
}

#[test]
fn each_red_cell_of_the_kept_gallery_has_its_cause_its_source_and_its_mend() {
    let (gallery, adapters) = kept();
    let mut wrong = Vec::new();
    for (adapter, variant) in variants(&adapters) {
        let name = format!("{}/{}", adapter.name, variant.name);
        let Some(shown) = gallery.servers.get(&name) else { continue };
        for (question, cell) in shown.cells.iter().filter(|(_, cell)| cell.has_missed()) {
            let Some(red) = red(variant, *question) else {
                wrong.push(format!("{name} {}: no cause", question.word()));
                continue;
            };
            let cause = red.cause.len() > 20 && red.source.starts_with("https://");
            let mended = red.mend.as_ref().map(|mend| {
                let mend = if mend.contains('/') { mend.clone() } else { format!("{}/{mend}", adapter.name) };
                let there = gallery.servers.get(&mend).and_then(|shown| shown.cell(*question));
                // A mend of a body that stalls lets none hold the answer; one of a red cell fails nothing that counts.
                there.is_some_and(|there| if cell.is_red() { there.is_green() } else { there.is_whole() })
            });
            let tried = red.tried.as_ref().is_some_and(|tried| tried.len() > 20);
            if !cause || !mended.unwrap_or(tried) {
                wrong.push(format!("{name} {}: cause {cause}, mend {:?}", question.word(), red.mend));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_kept_gallery_has_24_servers_in_7_languages_at_least() {
    let (gallery, adapters) = kept();
    let judged: Vec<_> =
        variants(&adapters).filter(|(adapter, one)| gallery.was_judged(adapter, one)).collect();
    let languages: BTreeSet<&str> = judged.iter().map(|(adapter, _)| adapter.language.as_str()).collect();
    assert!(judged.len() >= 24 && languages.len() >= 7, "{} in {languages:?}", judged.len());
}
