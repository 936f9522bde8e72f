//! Figures and lists as text.

use crate::stats::{ROUNDS, Summary};

/// A 99th percentile, or a dash where too few samples have none.
pub fn percentile(p99: Option<f64>, say: impl Fn(f64) -> String) -> String {
    p99.map_or_else(|| "–".to_owned(), say)
}

/// A span of time, in the unit that fits.
pub fn span(ms: f64) -> String {
    match ms.abs() {
        // Never "-0.0".
        nothing if nothing < 0.05 => "0.0 ms".to_owned(),
        small if small < 9.95 => format!("{ms:.1} ms"),
        medium if medium < 999.5 => format!("{ms:.0} ms"),
        _ => format!("{:.2} s", ms / 1e3),
    }
}

/// A number with its thousands apart.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size in megabytes.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// The same text with its numbers and their units tied together by no-break spaces.
pub fn tied(text: &str) -> String {
    let mut tied = String::with_capacity(text.len());
    for (index, word) in text.split(' ').enumerate() {
        let unit = matches!(word.trim_end_matches(|c: char| !c.is_alphanumeric()), "ms" | "s" | "MB");
        let after_number = tied.ends_with(|c: char| c.is_ascii_digit());
        if index > 0 {
            tied.push(if unit && after_number { '\u{a0}' } else { ' ' });
        }
        tied.push_str(word);
    }
    tied
}

/// From the least to the most of these, or the one that they all are.
pub fn range(values: impl IntoIterator<Item = f64>, say: impl Fn(f64) -> String) -> String {
    let Some(summary) = Summary::of(values) else { return String::new() };
    let (least, most) = (say(summary.min), say(summary.max));
    if least == most { most } else { format!("{least} to {most}") }
}

/// `a, b and c`.
pub fn list(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        [one] => (*one).to_owned(),
        [front @ .., last] => format!("{} and {last}", front.join(", ")),
    }
}

/// Returns the names as a list, or `all 4` when these are all of `everybody`.
pub fn those(names: &[&str], everybody: usize) -> String {
    if names.len() == everybody && everybody > 2 { format!("all {everybody}") } else { list(names) }
}

/// Why figures are not compared.
pub const ALIKE: &str = "their ranges overlap, or have fewer than three rounds";

/// Returns true when none of these figures is of as many rounds as a comparison takes.
pub fn are_few(rounds: &[(&str, Summary)]) -> bool {
    rounds.iter().all(|(_, rounds)| rounds.count < ROUNDS)
}

/// The meaning of `~` in a column of ratios.
pub const ABOUT: &str = "~: not told apart; the ranges overlap, or have fewer than three rounds.";

/// The mark behind the name of a server that stands beside the others as a floor.
pub const BARE: &str = " (bare)";

/// The meaning of that mark.
pub const BARE_IS: &str = "Bare: a server that does nothing but answer, with no deadline and no context.";

/// One median as a multiple of another, marked where the ranges of the rounds do not part.
pub fn ratio(of: &Summary, base: &Summary) -> String {
    format!("{}{:.2}", if of.parts_from(base) { "" } else { "~" }, of.p50 / base.p50)
}

/// The least and the most of all rounds of servers that are not told apart, and the end of a sentence that says why; empty
/// where their rounds are few.
pub fn alike(rounds: &[(&str, Summary)]) -> (f64, f64, String) {
    let all = Summary::of(rounds.iter().flat_map(|(_, one)| [one.min, one.max]));
    let (least, most) = all.map_or((0.0, 0.0), |all| (all.min, all.max));
    let why = format!("; no server is told from another: {ALIKE}");
    (least, most, if are_few(rounds) { String::new() } else { why })
}

/// The least and the most of these servers by their median; `None` for fewer than two, or where their ranges do not part.
pub fn extremes<'a>(rounds: &[(&'a str, Summary)]) -> Option<[(&'a str, Summary); 2]> {
    let by = |a: &&(&str, Summary), b: &&(&str, Summary)| a.1.p50.total_cmp(&b.1.p50);
    let (least, most) = (*rounds.iter().min_by(by)?, *rounds.iter().max_by(by)?);
    least.1.parts_from(&most.1).then_some([least, most])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_the_unit_that_fits() {
        assert_eq!(
            [0.04, 9.94, 12.3, 999.0, 2703.0].map(span),
            ["0.0 ms", "9.9 ms", "12 ms", "999 ms", "2.70 s"]
        );
    }

    #[test]
    fn a_number_and_its_unit_stay_on_one_line() {
        assert_eq!(tied("for 1.20 s, on 3 s or it is"), "for 1.20\u{a0}s, on 3\u{a0}s or it is");
        assert_eq!(tied("it s ms"), "it s ms");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([7, 1003, 1_234_567].map(number), ["7", "1,003", "1,234,567"]);
    }

    #[test]
    fn a_ratio_of_ranges_that_do_not_part_is_marked() {
        let of = |values: &[f64]| Summary::of(values.iter().copied()).unwrap();
        let base = of(&[1.0, 2.0, 3.0]);
        assert_eq!(ratio(&of(&[4.0, 6.0, 8.0]), &base), "3.00");
        assert_eq!(ratio(&of(&[3.0, 6.0, 8.0]), &base), "~3.00", "they overlap");
        assert_eq!(ratio(&of(&[6.0]), &base), "~3.00", "one round");
    }

    #[test]
    fn servers_are_told_apart_only_where_three_rounds_part() {
        let of = |values: &[f64]| Summary::of(values.iter().copied()).unwrap();
        let (low, high) = (("a", of(&[1.0, 2.0, 3.0])), ("b", of(&[70.0, 80.0, 90.0])));
        assert_eq!(extremes(&[high, low]), Some([low, high]));
        assert_eq!(extremes(&[low, ("b", of(&[2.5, 80.0, 90.0]))]), None, "they overlap");
        assert_eq!(extremes(&[("a", of(&[1.0])), ("b", of(&[90.0]))]), None, "one round");
        assert_eq!(extremes(&[low]), None, "one server");
    }
}
