//! The story of a run, for a reader who has never heard of cancellation: one picture, one sentence, and five steps.

use askama::Template;
use measure::registry::Measured;
use measure::results::Results;
use measure::text::{list, span, tied};
use measure::zombie::summary::{headline, worst};
use measure::zombie::{Fate, Life, STYLES};

use super::gantt::capital;
use super::lanes::{self, LanesPicture, Shown};

mod advice;
pub(super) mod cost;
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
    /// A table below all, rendered by its own template.
    pub table: String,
}

impl Step {
    /// A step of sentences alone.
    fn said(id: &'static str, title: &'static str, told: Vec<String>) -> Self {
        Self { id, title, told, pictures: String::new(), points: Vec::new(), table: String::new() }
    }
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
        "drop" => "never asks; the server gives it up",
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
pub fn steps(results: &Results) -> Result<Vec<Step>, String> {
    if results.measured.zombie.is_empty() {
        return Ok(Vec::new());
    }
    let said = |step: Result<Step, askama::Error>| step.map_err(|error| error.to_string());
    Ok(vec![
        said(timeout(results))?,
        said(zombies(results))?,
        said(cost::step(results))?,
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
             nobody waits any longer. The work should stop too. It reports each step to the lab, so that the moment when \
             it really stops is seen from outside."
        ),
        format!(
            "In this run {timely} of {} such requests were answered within {} of their deadline.",
            answered.len(),
            span(limit)
        ),
        servers(results),
    ];
    let stopped = STYLES.iter().find_map(|style| opening::stopped(results, style, |_| true));
    let pictures = match stopped.or(results.measured.zombie.first()) {
        Some(life) => {
            let words = format!("On {}: {}", life.server, plain(&life.style));
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
        table: String::new(),
    })
}

/// Returns the servers with what they are; of many, their number.
fn servers(results: &Results) -> String {
    const MOST: usize = 6;
    let names = results.names();
    let of = |name: &&str| match about(results, name) {
        Some(about) => format!("{name} ({about})"),
        None => (*name).to_owned(),
    };
    match names.len() {
        1 => format!("The server of this run is {}.", of(&names[0])),
        2..=MOST => format!(
            "The servers of this run: {}. All got the same requests.",
            names.iter().map(of).collect::<Vec<_>>().join("; ")
        ),
        all => {
            format!("{all} servers got the same requests; the end of this page says what each of them is.")
        }
    }
}

/// Returns what a server is, in its first few words; `None` where nothing is said of it.
fn about<'a>(results: &'a Results, name: &str) -> Option<&'a str> {
    let server = results.servers.iter().find(|server| server.name == name)?;
    let first = [", ", ": ", "; "].iter().filter_map(|end| server.about.find(end)).min();
    let about = server.about[..first.unwrap_or(server.about.len())].trim();
    (!about.is_empty()).then_some(about)
}

/// The styles of work in words, each with its worst fate among all servers.
fn zombies(results: &Results) -> Result<Step, askama::Error> {
    let told = [
        "Nothing stops by itself. Work stops if its code asks, again and again, whether somebody still waits (it asks its \
         context); or if it is of a kind that can be taken away, as an async task can at each .await, and a thread cannot. \
         All other work runs to its end, whatever the client was told. Such work is called a zombie: it holds memory, \
         threads and database connections for nobody.",
        "In the picture the same work is written in several ways. The name of each, its style, stands in brackets, and is used \
         from here on. A lane shows the server on which it went worst.",
    ];
    let limit = results.limits.zombie_ms;
    let names = results.names();
    let fates = STYLES.iter().flat_map(|style| fates_of(&results.measured, &names, style, limit));
    let shown = fates.map(|(life, alike, all)| {
        let of = match (alike, all) {
            (_, 1) => format!(", on {}", life.server),
            (1, all) => format!(", on {}, 1 of {all}", life.server),
            (alike, all) if alike == all => format!(", on all {all} servers"),
            (alike, all) => format!(", on {alike} of {all} servers"),
        };
        let words = format!("{} ({})", capital(plain(&life.style)), life.style);
        let is_told = !matches!(life.fate(limit), Fate::NoTimeout | Fate::Unborn);
        Shown { words, of: if is_told { of } else { String::new() }, life }
    });
    let shown: Vec<_> = shown.collect();
    let title = "The same work written in several ways, where it went worst";
    let picture = lanes::picture(results, "styles", title, &shown);
    let late = if picture.has_late() { " In an orange one even the 504 is late." } else { "" };
    let pictures = framed(&picture, format!("A red bar is work after its answer, for nobody.{late}"))?;
    let points = all_tied(&[headline(results), held(results)].concat());
    Ok(Step {
        id: "step-2",
        title: "2. Who keeps working?",
        told: all_tied(&told.map(str::to_owned)),
        pictures,
        points,
        table: String::new(),
    })
}

/// Returns which servers answered late, because the work kept the thread that answers.
fn held(results: &Results) -> Vec<String> {
    let of = |style: &&'static str| {
        let late = |name: &&str| match worst(results, name, style) {
            Some(Fate::HeldAnswer(ms)) => Some(ms),
            _ => None,
        };
        let who: Vec<&str> = results.names().into_iter().filter(|name| late(name).is_some()).collect();
        let longest = who.iter().filter_map(late).fold(0.0, f64::max);
        (!who.is_empty()).then(|| {
            format!(
                "{}: in {style} work even the 504 came late, by up to {}: the work keeps the thread that answers.",
                list(&who),
                span(longest)
            )
        })
    };
    STYLES.iter().filter_map(of).collect()
}

/// The worst life of a style among all servers, on how many its fate is of the same kind, and of how many. A late answer
/// has an entry of its own where it is not the worst.
fn fates_of<'a>(
    measured: &'a Measured,
    names: &[&str],
    style: &str,
    limit: f64,
) -> Vec<(&'a Life, usize, usize)> {
    // A server whose requests are not timed out at all says nothing of a style.
    let is_told = |life: &&Life| !matches!(life.fate(limit), Fate::NoTimeout | Fate::Unborn);
    let lives = names.iter().filter_map(|name| measured.worst_of(name, style, limit)).filter(is_told);
    let mut lives: Vec<&Life> = lives.collect();
    let severity = |life: &Life| life.fate(limit).severity();
    lives.sort_by(|a, b| severity(b).total_cmp(&severity(a)));
    let kind = |life: &Life| std::mem::discriminant(&life.fate(limit));
    let is_held = |life: &&Life| matches!(life.fate(limit), Fate::HeldAnswer(_));
    let (first, held) = (lives.first().copied(), lives.iter().copied().find(is_held));
    let held = held.filter(|held| first.is_some_and(|first| kind(first) != kind(held)));
    let counted =
        |life: &'a Life| (life, lives.iter().filter(|other| kind(other) == kind(life)).count(), lives.len());
    first.into_iter().chain(held).map(counted).collect()
}

/// Returns the sentences with their numbers tied to their units.
fn all_tied(sentences: &[String]) -> Vec<String> {
    sentences.iter().map(|sentence| tied(sentence)).collect()
}

#[cfg(test)]
mod tests;
