//! Durations as the flags and the parameters write them: a whole number and a unit.

use std::time::Duration;

/// The format of a duration, for messages.
pub const TAKES: &str = "a duration such as `250ms`, `2s` or `1m`";

/// Reads a whole number followed by `us`, `ms`, `s`, `m` or `h`.
///
/// # Errors
/// Anything else, and a value that overflows, is refused with a text that says what is taken.
pub fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let nanos: u64 = match unit {
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        _ => return Err(format!("takes {TAKES}")),
    };
    let number: u64 = number.parse().map_err(|_| format!("takes {TAKES}"))?;
    number
        .checked_mul(nanos)
        .map(Duration::from_nanos)
        .ok_or_else(|| format!("is too long: it takes {TAKES}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_each_unit() {
        for (text, nanos) in [
            ("7us", 7_000),
            ("250ms", 250_000_000),
            ("2s", 2_000_000_000),
            ("1m", 60_000_000_000),
            ("1h", 3_600_000_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in [
            "",
            "5",
            "s",
            "-1s",
            "+1s",
            "1.5s",
            " 1s",
            "1s ",
            "1 s",
            "1d",
            "1S",
            "99999999999999999999s",
            "1e3s",
        ] {
            assert!(parse(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn refuses_what_overflows() {
        assert!(parse("18446744073709551615h").is_err());
    }
}
