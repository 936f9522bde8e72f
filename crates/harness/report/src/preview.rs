//! Pictures of a run that stand alone, as SVG: what its report opens with, for chats, and the picture in the README.

use askama::Template;
use measure::results::Results;
use textwrap::{Options, WordSplitter};

use crate::page::lanes::LanesPicture;
use crate::page::story;

/// The longest line of the sentence.
const LINE: usize = 84;
/// From the base line of one line to the next, and of the first.
const LEADING: f64 = 22.0;
const FIRST: f64 = 68.0;
/// The picture of the page is drawn larger by this.
const SCALE: f64 = 1.85;
/// The room for the legend and the line below it.
const BELOW: f64 = 62.0;

#[derive(Template)]
#[template(path = "preview.svg", escape = "html")]
struct Preview<'a> {
    results: &'a Results,
    lines: Vec<(f64, String)>,
    picture: LanesPicture,
    /// Where the picture begins, and by how much it is larger.
    top: f64,
    scale: f64,
    legend: f64,
    height: f64,
}

/// Draws the picture; `None` for a run in which no work was timed out.
///
/// # Errors
/// When the template cannot be filled.
pub fn svg(results: &Results) -> Result<Option<String>, String> {
    let Some(opening) = story::opening(results) else { return Ok(None) };
    document(results, &opening.sentence, opening.picture).map(Some)
}

/// Draws a sentence and lanes as a document of their own.
///
/// # Errors
/// When the template cannot be filled.
pub(crate) fn document(results: &Results, sentence: &str, picture: LanesPicture) -> Result<String, String> {
    let lines: Vec<_> = wrapped(sentence)
        .into_iter()
        .zip(0u8..)
        .map(|(line, n)| (FIRST + f64::from(n) * LEADING, line))
        .collect();
    let top = FIRST + lines.len() as f64 * LEADING - 4.0;
    let legend = top + picture.height * SCALE + 22.0;
    let preview =
        Preview { results, lines, picture, top, scale: SCALE, legend, height: legend + BELOW - 22.0 };
    preview.render().map_err(|error| format!("failed to draw the preview: {error}"))
}

/// Breaks a sentence into lines, between words.
fn wrapped(sentence: &str) -> Vec<String> {
    let options = Options::new(LINE).break_words(false).word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(sentence, options).into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use measure::fixtures::{empty, life};

    use super::*;

    #[test]
    fn a_run_is_drawn_with_its_sentence_and_names_are_escaped() {
        let mut results = empty(&["tokio", "thr<eads"]);
        results.measured.zombie = vec![life("tokio", "drop", 0.1), life("thr<eads", "drop", 2699.0)];
        let svg = svg(&results).unwrap().unwrap();
        assert!(
            svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"")
                && svg.trim_end().ends_with("</svg>")
        );
        assert!(svg.contains("Server tokio") && svg.contains("2.70\u{a0}s for nobody"), "{svg}");
        assert!(!svg.contains("thr<eads") && !svg.contains("href"), "{svg}");
    }

    #[test]
    fn a_run_without_timeouts_has_no_preview() {
        assert_eq!(svg(&empty(&["x"])), Ok(None));
    }

    #[test]
    fn a_sentence_is_broken_between_words() {
        let lines = wrapped(&"word ".repeat(40));
        assert!(lines.len() > 1 && lines.iter().all(|line| line.chars().count() <= LINE), "{lines:?}");
    }
}
