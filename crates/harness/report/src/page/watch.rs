//! A server under somebody else's load, over time.

use measure::results::Results;
use measure::text::{number, tied};
use measure::watch::{self, Reading, Watch};

use super::curves::{BOTTOM, CurvesPicture, LEFT, RIGHT, TOP, points};
use super::scale::Scale;
use crate::watched;

/// A watch as a section of the page.
#[derive(Debug)]
pub struct Watched {
    /// The server and its load.
    pub title: String,
    /// Its meaning, the conclusion first.
    pub told: Vec<String>,
    /// The curves; none when no instrument counts work.
    pub picture: Option<CurvesPicture>,
}

/// The watches of a run.
///
/// # Errors
/// When the document has one of another shape.
pub fn all(results: &Results) -> Result<Vec<Watched>, String> {
    let section = |watch: &Watch| {
        let told: Vec<String> = watched::sentences(watch).iter().map(|sentence| tied(sentence)).collect();
        let picture = picture(watch, told.first().cloned().unwrap_or_default());
        Watched { title: watched::title(watch), told, picture }
    };
    Ok(watch::of(results)?.iter().map(section).collect())
}

fn picture(watch: &Watch, caption: String) -> Option<CurvesPicture> {
    let most = watch.most(Reading::running)?.max(watch.most(|reading| reading.threads).unwrap_or(0)).max(1);
    let time = Scale::linear(watch.after().at_ms, LEFT, RIGHT);
    let count = Scale::linear(most as f64 * 1.05, BOTTOM, TOP);
    let line = |of: fn(&Reading) -> Option<u64>| {
        let point = |reading: &Reading| Some((time.at(reading.at_ms), count.at(of(reading)? as f64)));
        points(watch.readings.iter().filter_map(point))
    };
    let zombies = line(Reading::no_request_waits);
    Some(CurvesPicture {
        name: watch.server.clone(),
        told: format!(
            "at most {} units of work at once, {} of them without a request that waits for it",
            number(watch.most(Reading::running)?),
            watch.most(Reading::no_request_waits).map_or("an unknown number".to_owned(), number)
        ),
        caption,
        requests: line(|reading| reading.requests),
        work: line(Reading::running),
        threads: line(|reading| reading.threads),
        zombies: if zombies.is_empty() { zombies } else { format!("M{LEFT},{BOTTOM} L{zombies}V{BOTTOM}Z") },
        xs: time.ticks(3, |ms| format!("{} s", ms / 1e3)),
        ys: count.ticks(3, |n| number(n as u64)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watched::tests::{watched, zombie};

    #[test]
    fn a_watch_is_a_section_with_its_curves() {
        let all = all(&watched()).unwrap();
        let picture = all[0].picture.as_ref().unwrap();
        assert_eq!(picture.work.split_whitespace().count(), zombie().readings.len());
        assert!(picture.zombies.starts_with("M44,150 L44,150 ") && picture.zombies.ends_with("V150Z"));
        let page = crate::page::render(&watched()).unwrap();
        assert!(page.contains("<title id=\"watch-1-title\">threads under"), "it is shown");
    }
}
