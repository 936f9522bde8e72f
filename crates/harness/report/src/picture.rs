//! The picture in the README: requests and their work over time, as one SVG of a run, light and dark.

use std::fmt::Write;

use measure::results::Results;
use measure::text::span;
use measure::zombie::{Fate, Life, summary};

use crate::page::scale::Scale;

/// The servers of the picture: a runtime that stops work by dropping it, and one that cannot.
const SERVERS: [&str; 2] = ["tokio", "threads"];
/// The styles of the picture.
const STYLES: [&str; 2] = ["drop", "detached"];
/// The size of the picture and the left end of its bars.
const WIDTH: f64 = 760.0;
const LEFT: f64 = 120.0;
/// The room behind the longest bar, for its label.
const LABEL: f64 = 150.0;
/// The height of a row, of a heading above two rows, and of what stands above all.
const ROW: f64 = 46.0;
const HEADING: f64 = 30.0;
const ABOVE: f64 = 78.0;
/// The parts that every picture has; the check looks for them.
const PARTS: [&str; 5] =
    ["<svg xmlns=", "<title ", "prefers-color-scheme: dark", "class=\"request\"", "class=\"zombie\""];

/// Returns the picture of a run.
///
/// # Errors
/// When the run did not watch the work that the picture is of.
pub fn draw(results: &Results) -> Result<String, String> {
    let limit = results.limits.zombie_ms;
    let mut lives = Vec::new();
    for style in STYLES {
        for server in SERVERS {
            let life = results.measured.worst_of(server, style, limit);
            lives.push(life.ok_or_else(|| format!("the run watched no work of {server} in style {style}"))?);
        }
    }
    let longest = lives.iter().map(|life| end(life)).fold(0.0, f64::max);
    let scale = Scale::linear(longest, LEFT, WIDTH - LABEL);
    let at = scale.at(results.plan.zombie.deadline_ms as f64);
    let (mut top, rows_high) = (ABOVE, HEADING + ROW * SERVERS.len() as f64);
    let bottom = ABOVE + rows_high * STYLES.len() as f64;
    let mut rows = format!(
        "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.0}\" y2=\"{bottom:.0}\" class=\"deadline\"/>\n",
        ABOVE - 6.0
    );
    for (style, lives) in STYLES.iter().zip(lives.chunks(SERVERS.len())) {
        let _ =
            writeln!(rows, r#"<text x="16" y="{:.0}" class="heading">{}</text>"#, top + 14.0, heading(style));
        top += HEADING;
        for life in lives {
            rows += &row(life, limit, top, &scale);
            top += ROW;
        }
    }
    let deadline = span(results.plan.zombie.deadline_ms as f64);
    let picture = framed(&rows, bottom + 12.0, &deadline, &span(results.plan.zombie.work_ms as f64));
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

/// Returns the heading above the rows of a style.
fn heading(style: &str) -> String {
    format!("Work that {} ({style})", summary::style(style))
}

/// Returns when the work was last seen alive, and not before its answer.
fn end(life: &Life) -> f64 {
    let end = life.ended_ms.map_or(life.watched_ms, |end| end.max(life.last_beat_ms.unwrap_or(end)));
    end.max(life.answered_ms.unwrap_or(0.0))
}

/// Returns the request and the work of one life: a thin bar above a thick one, and what is to be said of it.
fn row(life: &Life, limit: f64, top: f64, scale: &Scale) -> String {
    let answered = life.answered_ms.unwrap_or(life.watched_ms);
    let bar = |class: &str, from: f64, to: f64, y: f64, height: f64| {
        let (x, width) = (scale.at(from), (scale.at(to) - scale.at(from)).max(1.0));
        format!(
            "<rect x=\"{x:.1}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"{height:.0}\" class=\"{class}\"/>\n"
        )
    };
    let (said, is_zombie) = match life.fate(limit) {
        Fate::Stopped(_) => ("stopped with its request".to_owned(), false),
        Fate::Zombie(ms) => (format!("{} for nobody", span(ms)), true),
        Fate::Endless(ms) => (format!("over {} for nobody", span(ms)), true),
        _ => (life.label(limit), false),
    };
    let mut text = format!(
        "<text x=\"{:.0}\" y=\"{:.0}\" class=\"server\">{}</text>\n",
        LEFT - 12.0,
        top + 21.0,
        life.server
    );
    text += &bar("request", 0.0, answered, top + 4.0, 6.0);
    text += &bar("work", 0.0, if is_zombie { answered } else { end(life) }, top + 13.0, 16.0);
    if is_zombie {
        text += &bar("zombie", answered, end(life), top + 13.0, 16.0);
    }
    let class = if is_zombie { "bad" } else { "good" };
    let x = scale.at(end(life)) + 8.0;
    let _ = writeln!(text, r#"<text x="{x:.1}" y="{:.0}" class="{class}">{said}</text>"#, top + 26.0);
    text
}

/// Returns the whole document around its rows.
fn framed(rows: &str, height: f64, deadline: &str, work: &str) -> String {
    let title = format!("A request for {work} of work times out after {deadline}: does the work stop?");
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0} {height:.0}" width="{WIDTH:.0}" height="{height:.0}" role="img" aria-labelledby="title">
<title id="title">{title}</title>
<style>
svg {{ --paper: #ffffff; --ink: #1f2328; --soft: #59636e; --request: #8c959f; --work: #1a7f37; --zombie: #cf222e; }}
@media (prefers-color-scheme: dark) {{
svg {{ --paper: #0d1117; --ink: #f0f6fc; --soft: #9198a1; --request: #656c76; --work: #3fb950; --zombie: #ff7b72; }}
}}
text {{ font: 13px system-ui, sans-serif; fill: var(--ink); }}
.title {{ font-size: 17px; font-weight: 600; }}
.heading {{ font-weight: 600; paint-order: stroke; stroke: var(--paper); stroke-width: 5px; }}
.legend, .server {{ fill: var(--soft); }}
.server {{ text-anchor: end; }}
.good {{ fill: var(--work); }}
.bad {{ fill: var(--zombie); font-weight: 600; }}
.paper {{ fill: var(--paper); }}
.request {{ fill: var(--request); }}
.work {{ fill: var(--work); }}
.zombie {{ fill: var(--zombie); }}
.deadline {{ stroke: var(--soft); stroke-dasharray: 3 3; }}
</style>
<rect width="{WIDTH:.0}" height="{height:.0}" class="paper"/>
<text x="16" y="27" class="title">{title}</text>
<rect x="16" y="45" width="22" height="6" class="request"/><text x="44" y="53" class="legend">the request, until its 504</text>
<rect x="212" y="40" width="22" height="16" class="work"/><text x="240" y="53" class="legend">its work</text>
<rect x="310" y="40" width="22" height="16" class="zombie"/><text x="338" y="53" class="legend">its work after the 504, for nobody: a zombie</text>
{rows}</svg>
"#
    )
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
        assert_eq!(picture.matches("2.70 s for nobody").count(), 3, "{picture}");
        assert_eq!(picture.matches("stopped with its request").count(), 1, "{picture}");
        // Three zombies and the legend.
        assert_eq!(picture.matches("height=\"16\" class=\"zombie\"").count(), 4, "{picture}");
    }

    #[test]
    fn a_run_without_the_work_of_the_picture_is_refused_with_the_reason() {
        let error = draw(&empty(&["tokio"])).unwrap_err();
        assert_eq!(error, "the run watched no work of tokio in style drop");
        assert!(check("<svg xmlns=").unwrap_err().contains("lacks `<title `"));
    }
}
