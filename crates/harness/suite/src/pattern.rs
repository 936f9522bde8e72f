//! Patterns over scenario ids: `*` stands for any run of characters, everything else for itself.

/// True when `text` matches `pattern` as a whole.
pub fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| matches(tail, &rest[at..]))
        }),
    }
}

/// True when `text` matches one of the comma-separated patterns; an area alone stands for all of it.
pub fn selects(patterns: &str, text: &str) -> bool {
    patterns.split(',').map(str::trim).any(|pattern| {
        matches(pattern, text) || text.split_once('/').is_some_and(|(area, _)| area == pattern)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_even_an_empty_one() {
        assert!(matches("deadline/*", "deadline/zero-budget"));
        assert!(matches("*/fin", "disconnect/fin"));
        assert!(matches("work/*op*", "work/drop"));
        assert!(matches("a*", "a"));
        assert!(!matches("deadline/*", "work/drop"));
        assert!(!matches("drop", "work/drop"));
    }

    #[test]
    fn a_list_selects_by_any_member_and_an_area_by_its_name() {
        assert!(selects("baseline/fast-200, work", "work/drop"));
        assert!(!selects("baseline/fast-200,wor", "work/drop"));
    }
}
