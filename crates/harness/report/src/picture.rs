//! The picture in the README: four requests and their work over time, drawn as the preview of a run is.

use measure::results::Results;
use measure::text::{span, tied};
use measure::zombie::summary;

use crate::page::lanes::{self, Shown};
use crate::preview;

/// The servers of the picture: a runtime that stops work by dropping it, and one that cannot.
const SERVERS: [&str; 2] = ["tokio", "threads"];
/// The styles of the picture.
const STYLES: [&str; 2] = ["drop", "detached"];
/// The parts that every picture has; the check looks for them.
const PARTS: [&str; 5] =
    ["<svg xmlns=", "<title ", "prefers-color-scheme: dark", "class=\"request\"", "class=\"zombie\""];

/// Returns the picture of a run.
///
/// # Errors
/// When the run did not watch the work that the picture is of.
pub fn draw(results: &Results) -> Result<String, String> {
    let limit = results.limits.zombie_ms;
    let mut shown = Vec::new();
    for style in STYLES {
        for server in SERVERS {
            let life = results.measured.worst_of(server, style, limit);
            let life = life.ok_or_else(|| format!("the run watched no work of {server} in style {style}"))?;
            let words = format!("Server {server}: {} ({style})", summary::noun(style, false));
            shown.push(Shown { words, of: String::new(), life });
        }
    }
    let plan = &results.plan.zombie;
    let sentence = format!(
        "Each client asked for {} of work, waited for {}, was answered 504 and left. Whether the work \
         stopped with it depends on the server and on the code.",
        span(plan.work_ms as f64),
        span(plan.deadline_ms as f64)
    );
    let title = "Four requests that time out, and their work";
    let picture =
        preview::document(results, &tied(&sentence), lanes::picture(results, "readme", title, &shown))?;
    check(&picture).map(|()| picture)
}

/// Checks the shape of a picture.
///
/// # Errors
/// A sentence that says what it lacks.
pub fn check(picture: &str) -> Result<(), String> {
    let lacks = |part: &&str| !picture.contains(*part);
    let names = SERVERS.iter().chain(&STYLES).copied();
    match PARTS.into_iter().chain(names).find(lacks) {
        Some(part) => Err(format!("docs/picture.svg lacks `{part}`; `lab docs --run RESULTS.json` draws it")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use measure::fixtures::{empty, life};

    use super::*;

    #[test]
    fn the_picture_has_a_zombie_where_work_went_on_and_none_where_it_stopped() {
        let mut results = empty(&["tokio", "threads"]);
        let lives = [("tokio", "drop", 0.1), ("threads", "drop", 2700.0)];
        let detached = ["tokio", "threads"].map(|server| (server, "detached", 2700.0));
        results.measured.zombie = lives
            .into_iter()
            .chain(detached)
            .map(|(server, style, tail)| life(server, style, tail))
            .collect();
        let picture = draw(&results).unwrap();
        assert_eq!(picture.matches(">2.70\u{a0}s for nobody<").count(), 3, "{picture}");
        assert_eq!(picture.matches(">the work stopped<").count(), 1, "{picture}");
        // Three zombies and the legend.
        assert_eq!(picture.matches("<rect class=\"zombie\"").count(), 4, "{picture}");
    }

    #[test]
    fn a_run_without_the_work_of_the_picture_is_refused_with_the_reason() {
        let error = draw(&empty(&["tokio"])).unwrap_err();
        assert_eq!(error, "the run watched no work of tokio in style drop");
        assert!(check("<svg xmlns=").unwrap_err().contains("lacks `<title `"));
    }
}
