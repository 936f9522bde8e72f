//! Servers in the cells of a finding.

use measure::text::list;

/// The most servers that a cell names as missing from all.
const FEW: usize = 5;

/// Returns these of `everybody` as briefly as can be: `all 13`, `all but a and b`, or a list; a dash for none.
pub(super) fn who(names: &[&str], everybody: &[&str]) -> String {
    let missing: Vec<&str> = everybody.iter().copied().filter(|name| !names.contains(name)).collect();
    match names.len() {
        0 => "–".to_owned(),
        some if some == everybody.len() && some > 2 => format!("all {some}"),
        some if missing.len() <= FEW && missing.len() < some && some > 2 => {
            format!("all but {}", list(&missing))
        }
        _ => list(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_as_briefly_as_can_be() {
        let all = ["a", "b", "c", "d", "e", "f", "g", "h"];
        assert_eq!(who(&all, &all), "all 8");
        assert_eq!(who(&all[..7], &all), "all but h");
        assert_eq!(who(&all[..5], &all), "all but f, g and h");
        assert_eq!(who(&all[..4], &all), "a, b, c and d", "as many are missing");
        assert_eq!(who(&[], &all), "–");
        assert_eq!(who(&all[..2], &all[..2]), "a and b");
    }
}
