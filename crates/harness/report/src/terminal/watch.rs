//! A server under somebody else's load on the terminal: the conclusion, and curves over time.

use std::fmt::Write;

use measure::text::{number, span};
use measure::watch::{Reading, Watch};

use super::pictures::level;
use super::render::{Screen, wrap_to};
use crate::watched;

/// The columns of a line beside its curve, and of the longest curve.
const BESIDE: usize = 32;
const CURVE: usize = 64;

/// A quantity of a reading, where an instrument tells it.
type Quantity = fn(&Reading) -> Option<u64>;

/// The whole section.
pub fn print(watch: &Watch, screen: Screen) -> String {
    let (bold, plain) = if screen.color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let mut text = format!("\n{bold}{}{plain}\n", wrap_to(&watched::title(watch), "", screen.width));
    for sentence in watched::sentences(watch) {
        let _ = writeln!(text, "{}", wrap_to(&sentence, "  ", screen.width));
    }
    let columns = usize::from(screen.width).saturating_sub(BESIDE).min(CURVE);
    let curves: [(&str, Quantity); 4] = [
        ("requests", |reading| reading.requests),
        ("work", Reading::running),
        ("zombies", Reading::no_request_waits),
        ("threads", |reading| reading.threads),
    ];
    let shown =
        curves.iter().filter_map(|(name, of)| Some((name, curve(watch, *of, columns), watch.most(of)?)));
    let lines: Vec<String> =
        shown.map(|(name, curve, most)| format!("  {name:>8} {curve} at most {}", number(most))).collect();
    if !lines.is_empty() {
        let end = span(watch.after().at_ms);
        let _ = write!(text, "\n{}\n  {:>8} 0 s{end:>width$}\n", lines.join("\n"), "", width = columns - 3);
    }
    text
}

/// The most of a quantity in each column's time, as a level.
fn curve(watch: &Watch, of: Quantity, length: usize) -> String {
    let (end, most) = (watch.after().at_ms, watch.most(of).unwrap_or(0).max(1));
    let at = |ms: f64| ((ms / end * length as f64) as usize).min(length - 1);
    let mut columns = vec![None; length];
    for reading in &watch.readings {
        let column = &mut columns[at(reading.at_ms)];
        *column = (*column).max(of(reading));
    }
    // A column without a reading is like the one before.
    let mut last = 0;
    let levels = columns.iter().map(|column| {
        last = column.unwrap_or(last);
        level(last as f64 / most as f64)
    });
    levels.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watched::tests::zombie;

    #[test]
    fn the_curve_of_zombies_rises_after_the_load_and_falls_to_nothing() {
        let curve = curve(&zombie(), Reading::no_request_waits, CURVE);
        assert_eq!(curve.chars().count(), CURVE);
        assert!(curve.starts_with(' ') && curve.ends_with(' ') && curve.contains('█'), "{curve}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [80, 100] {
            let text = print(&zombie(), Screen::of(width, false));
            assert!(text.lines().all(|line| line.chars().count() <= usize::from(width)), "{text}");
        }
        let text = print(&zombie(), Screen::FILE);
        assert!(text.contains("zombies") && text.contains("at most 13"), "{text}");
    }

    #[test]
    fn a_watch_of_one_reading_is_drawn() {
        let watch = Watch { readings: vec![Reading::default()], ..Watch::default() };
        assert!(!print(&watch, Screen::FILE).contains("at most"));
    }
}
