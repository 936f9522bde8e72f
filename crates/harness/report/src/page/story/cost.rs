//! The third step: the cost of many timeouts at once.

use askama::Template;
use measure::results::Results;
use measure::storm::{Storm, summary};
use measure::text::{megabytes, number};

use super::{Step, all_tied, plain};
use crate::page::curves;
use crate::page::pictures::Storms;

/// The anchor of the step.
pub(in crate::page) const STEP: &str = "step-3";

/// Returns the storms whose pictures stand in the step: the one that cost most, and the one that cost least.
pub(in crate::page) fn shown(results: &Results) -> Vec<&Storm> {
    let mut styles = results.plan.storm.styles.iter().map(|style| summary::shown(results, style));
    let storms = styles.find(|storms| !storms.is_empty()).unwrap_or_default();
    let cost = |storm: &Storm| (storm.zombie_area(), storm.peak().threads as f64);
    let by = |a: &&Storm, b: &&Storm| {
        let ((area, threads), (other_area, other_threads)) = (cost(a), cost(b));
        area.total_cmp(&other_area).then(threads.total_cmp(&other_threads))
    };
    let least = storms.iter().copied().min_by(by);
    let most = storms.iter().copied().max_by(by);
    let most = most.filter(|most| least.is_some_and(|least| least.server != most.server));
    most.into_iter().chain(least).collect()
}

/// Returns true for one of these storms.
pub(in crate::page) fn is_among(storm: &Storm, shown: &[&Storm]) -> bool {
    shown.iter().any(|one| std::ptr::eq(*one, storm))
}

pub(super) fn step(results: &Results) -> Result<Step, askama::Error> {
    let (id, title) = (STEP, "3. What does it cost?");
    let shown = shown(results);
    let Some(style) = shown.first().map(|storm| &storm.style) else {
        let told = vec!["This run did not measure it: no storm of timeouts was sent.".to_owned()];
        return Ok(Step::said(id, title, told));
    };
    let told = vec![format!(
        "When a database hangs, all requests time out together. Here {} did, on each server: work that {} ({style}). The \
         red area is work that nobody waits for.",
        number(results.plan.storm.requests as u64),
        plain(style)
    )];
    let pictures = curves::storms(results, |storm| is_among(storm, &shown));
    let pictures = Storms { prefix: "cost", elsewhere: String::new(), pictures }.render()?;
    let points: Vec<String> = shown.into_iter().map(said).collect();
    Ok(Step { id, title, told: all_tied(&told), pictures, points: all_tied(&points), table: String::new() })
}

/// The cost of one storm, in a sentence.
fn said(storm: &Storm) -> String {
    let left = match storm.left_behind() {
        0 => "no work was left after the last answer".to_owned(),
        left => format!(
            "after the last answer the work of {} requests still ran: {:.0} seconds of work for nobody in all",
            number(left),
            storm.zombie_area()
        ),
    };
    format!(
        "{} took {} and {} more memory; {left}.",
        storm.server,
        storm.threads_taken(),
        megabytes(storm.grown())
    )
}
