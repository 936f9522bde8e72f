//! The pictures of each measurement.

use askama::Template;
use measure::results::Results;
use measure::text::list;

use super::curves::{CurvesPicture, LatePicture};
use super::gantt::Gantt;
use super::heat::HeatPicture;
use super::memory::MemoryPicture;
use super::speed::{self, BarPicture};
use super::story::cost;
use super::{curves, gantt, heat, memory};

#[derive(Template)]
#[template(path = "pictures/gantt.html")]
struct Gantts {
    pictures: Vec<Gantt>,
}

#[derive(Template)]
#[template(path = "pictures/storm.html")]
pub(super) struct Storms {
    /// The beginning of the ids of the pictures.
    pub(super) prefix: &'static str,
    /// The servers whose pictures stand in the story; empty for the story itself.
    pub(super) elsewhere: String,
    /// The pictures.
    pub(super) pictures: Vec<CurvesPicture>,
}

#[derive(Template)]
#[template(path = "pictures/late.html")]
struct Lates {
    pictures: Vec<LatePicture>,
}

#[derive(Template)]
#[template(path = "pictures/memory.html")]
struct Memories {
    pictures: Vec<MemoryPicture>,
}

#[derive(Template)]
#[template(path = "pictures/heat.html")]
struct Heats {
    pictures: Vec<HeatPicture>,
}

#[derive(Template)]
#[template(path = "pictures/bars.html")]
struct Bars {
    /// True when sentences on reading them stand above them.
    has_intro: bool,
    pictures: Vec<BarPicture>,
}

/// Renders bars; nothing where there are none.
fn bars(has_intro: bool, pictures: Vec<BarPicture>) -> Result<String, askama::Error> {
    if pictures.is_empty() { Ok(String::new()) } else { Bars { has_intro, pictures }.render() }
}

/// Renders the storms that the story does not show; nothing where it shows all of them.
fn storms(results: &Results) -> Result<String, askama::Error> {
    let told = if results.measured.zombie.is_empty() { Vec::new() } else { cost::shown(results) };
    let pictures = curves::storms(results, |storm| !cost::is_among(storm, &told));
    let told: Vec<&str> = told.into_iter().map(|storm| storm.server.as_str()).collect();
    Storms { prefix: "storm", elsewhere: list(&told), pictures }.render()
}

/// Renders the pictures of a measurement; nothing when it has none.
pub(super) fn of(name: &str, results: &Results) -> Result<String, askama::Error> {
    match name {
        "zombie" => Gantts { pictures: gantt::all(results) }.render(),
        "storm" => storms(results),
        "overshoot" => Lates { pictures: curves::late(results) }.render(),
        "footprint" => Memories { pictures: memory::all(results) }.render(),
        "interference" => Heats { pictures: heat::all(results) }.render(),
        "throughput" => bars(true, speed::throughput(results)),
        "latency" => bars(speed::throughput(results).is_empty(), speed::latency(results)),
        _ => Ok(String::new()),
    }
}
