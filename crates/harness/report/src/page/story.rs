//! The story of a run, for a reader who has never heard of cancellation: one picture, one sentence, and five steps.

use askama::Template;
use measure::registry::Measured;
use measure::results::Results;
use measure::text::{span, tied};
use measure::zombie::summary::headline;
use measure::zombie::{Fate, Life, STYLES};

use super::lanes::{self, LanesPicture, Shown};

mod advice;
mod cost;
mod left;
mod opening;

pub use opening::{Opening, of as opening};

/// A step: a heading, sentences, pictures, and what follows them.
#[derive(Debug, Template)]
#[template(path = "story/step.html")]
pub struct Step {
    /// Its anchor.
    pub id: &'static str,
    /// The heading.
    pub title: &'static str,
    /// The sentences above the pictures.
    pub told: Vec<String>,
    /// The pictures, rendered by their own templates.
    pub pictures: String,
    /// The sentences below them.
    pub points: Vec<String>,
}

/// Lanes in a frame, with their legend.
#[derive(Template)]
#[template(path = "story/lanes.html")]
struct Framed<'a> {
    picture: &'a LanesPicture,
    caption: String,
}

/// Returns the behavior of a style's work, to follow "work that", for a reader who knows no style.
fn plain(style: &str) -> &'static str {
    match style {
        "context" => "asks at every step whether to stop",
        "polling" => "blocks a thread, but asks at every step",
        "drop" => "never asks; the server ceases to wait for it",
        "detached" => "never asks; it was started and let go",
        "blocking" => "never asks, and blocks a thread",
        "spin" => "never asks, and keeps a processor busy",
        _ => "is of a kind of its own",
    }
}

/// The steps of a run in which work was timed out; none where none was.
///
/// # Errors
/// When a template cannot be filled.
pub fn steps(results: &Results) -> Result<Vec<Step>, askama::Error> {
    if results.measured.zombie.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![
        timeout(results)?,
        zombies(results)?,
        cost::step(results)?,
        left::step(results)?,
        advice::step(results)?,
    ])
}

/// Renders lanes in a frame.
fn framed(picture: &LanesPicture, caption: String) -> Result<String, askama::Error> {
    Framed { picture, caption }.render()
}

/// The first step: a request that times out, where everything is as it should be.
fn timeout(results: &Results) -> Result<Step, askama::Error> {
    let plan = &results.plan.zombie;
    let (deadline, work) = (span(plan.deadline_ms as f64), span(plan.work_ms as f64));
    let limit = results.limits.zombie_ms;
    let answered: Vec<f64> = results.measured.zombie.iter().filter_map(Life::late_ms).collect();
    let timely = answered.iter().filter(|late| **late <= limit).count();
    let told = vec![
        format!(
            "A client sends a request and says how long it will wait: its deadline, here {deadline}. The request asks for \
             {work} of work. When the time is up, the server answers with an error (HTTP 504, “deadline exceeded”), and \
             nobody waits any longer. The work should stop too. It sends a signal at each step, so that the moment when it \
             really stops is seen from outside."
        ),
        format!(
            "In this run {timely} of {} such requests ended by {} after their deadline.",
            answered.len(),
            span(limit)
        ),
    ];
    let stopped = STYLES.iter().find_map(|style| opening::stopped(results, style, |_| true));
    let pictures = match stopped.or(results.measured.zombie.first()) {
        Some(life) => {
            let words = format!("Server {}: work that {}", life.server, plain(&life.style));
            let shown = [Shown { words, of: String::new(), life }];
            let title = "A request that times out, and its work";
            framed(&lanes::picture(results, "timeout", title, &shown), "As it should be.".to_owned())?
        }
        None => String::new(),
    };
    Ok(Step {
        id: "step-1",
        title: "1. What happens at a timeout?",
        told: all_tied(&told),
        pictures,
        points: Vec::new(),
    })
}

/// The styles of work in words, each with its worst fate among all servers.
fn zombies(results: &Results) -> Result<Step, askama::Error> {
    let told = [
        "Nothing stops by itself. Work stops if its code asks, again and again, whether somebody still waits (it asks its \
         context); or if it is of a kind that can be taken away, as an async task can at each .await, and a thread cannot. \
         All other work runs to its end, whatever the client was told. Such work is called a zombie: it holds memory, \
         threads and database connections for nobody.",
        "Below, the same work is written in several ways. The name of each, its style, stands in brackets, and is used from \
         here on. A lane shows the server on which it went worst.",
    ];
    let limit = results.limits.zombie_ms;
    let shown = STYLES.iter().filter_map(|style| {
        let (life, alike, all) = worst_of_all(&results.measured, &results.names(), style, limit)?;
        let of = match (alike, all) {
            (_, 1) => format!(", on {}", life.server),
            (1, all) => format!(", on {}, 1 of {all}", life.server),
            (alike, all) if alike == all => format!(", on all {all} servers"),
            (alike, all) => format!(", on {alike} of {all} servers"),
        };
        let of = if matches!(life.fate(limit), Fate::Zombie(_) | Fate::Endless(_) | Fate::Stopped(_)) {
            of
        } else {
            String::new()
        };
        let words = format!("Work that {} ({style})", plain(style));
        Some(Shown { words, of, life })
    });
    let shown: Vec<_> = shown.collect();
    let title = "The same work written in several ways, where it went worst";
    let pictures = framed(
        &lanes::picture(results, "styles", title, &shown),
        "A red bar is work after its answer, for nobody.".to_owned(),
    )?;
    let points = all_tied(&headline(results));
    Ok(Step {
        id: "step-2",
        title: "2. Who keeps working?",
        told: all_tied(&told.map(str::to_owned)),
        pictures,
        points,
    })
}

/// The worst life of a style among all servers, on how many its fate is of the same kind, and of how many.
fn worst_of_all<'a>(
    measured: &'a Measured,
    names: &[&str],
    style: &str,
    limit: f64,
) -> Option<(&'a Life, usize, usize)> {
    // A server whose requests are not timed out at all says nothing of a style.
    let is_told = |life: &&Life| !matches!(life.fate(limit), Fate::NoTimeout | Fate::Unborn);
    let lives = names.iter().filter_map(|name| measured.worst_of(name, style, limit)).filter(is_told);
    let lives: Vec<&Life> = lives.collect();
    let severity = |life: &Life| life.fate(limit).severity();
    let life = lives.iter().copied().max_by(|a, b| severity(a).total_cmp(&severity(b)))?;
    let kind = |life: &Life| std::mem::discriminant(&life.fate(limit));
    Some((life, lives.iter().filter(|other| kind(other) == kind(life)).count(), lives.len()))
}

/// Returns the sentences with their numbers tied to their units.
fn all_tied(sentences: &[String]) -> Vec<String> {
    sentences.iter().map(|sentence| tied(sentence)).collect()
}

#[cfg(test)]
mod tests;
