//! The shape of the pages, checked without a run: findings that can be read at a glance, each with its reason and source.

use super::{COLUMNS, FINDINGS, LINES};

/// The fewest findings of a page.
const FEWEST: usize = 7;

/// Checks the page of the findings: a date and a machine; each finding is numbered, has one small table, one reason and one
/// source; and the page says what the run does not show.
///
/// # Errors
/// A sentence that says what is missing, or what is too large.
pub fn page(text: &str) -> Result<(), String> {
    dated(text)?;
    let (findings, rest) =
        text.split_once("\n## What this run does not show\n").ok_or("the limits are missing")?;
    if rest.trim().is_empty() {
        return Err("the limits are empty".to_owned());
    }
    let findings: Vec<&str> = findings.split("\n## ").skip(1).collect();
    if !(FEWEST..=FINDINGS).contains(&findings.len()) {
        return Err(format!("{} findings, and not {FEWEST} to {FINDINGS}", findings.len()));
    }
    for (number, finding) in (1..).zip(&findings) {
        if !finding.starts_with(&format!("{number}. ")) {
            return Err(format!("finding {number} is not numbered so"));
        }
        one(finding).map_err(|what| format!("finding {number}: {what}"))?;
    }
    Ok(())
}

/// Checks a page of all figures: a date, a machine, and at least one table with lines.
///
/// # Errors
/// A sentence that says what is missing.
pub fn area(text: &str) -> Result<(), String> {
    dated(text)?;
    let lines = text.lines().filter(|line| line.starts_with("| ")).count();
    if lines > 2 { Ok(()) } else { Err("it has no table".to_owned()) }
}

/// Checks that a page says when, and on which machine.
fn dated(text: &str) -> Result<(), String> {
    let origin = text.lines().find(|line| line.starts_with("From `lab compare` on "));
    let origin = origin.ok_or("the run is not named")?;
    let date = origin["From `lab compare` on ".len()..].split(": ").next().unwrap_or_default();
    httpdate::parse_http_date(date).map_err(|_| format!("`{date}` is no date"))?;
    let has = |what: &str| origin.contains(what);
    if has(" cores, Linux ") { Ok(()) } else { Err("the machine is not named".to_owned()) }
}

/// Checks one finding.
fn one(text: &str) -> Result<(), String> {
    let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    let cells = |line: &str| line.replace("\\|", "").matches('|').count() - 1;
    match table[..] {
        [head, _, ref lines @ ..] if !lines.is_empty() => {
            if cells(head) > COLUMNS || lines.len() > LINES {
                return Err(format!("a table of {} columns and {} lines", cells(head), lines.len()));
            }
        }
        _ => return Err("no table".to_owned()),
    }
    for word in ["Why: ", "Source: ["] {
        if text.lines().filter(|line| line.starts_with(word)).count() != 1 {
            return Err(format!("not one line `{word}…`"));
        }
    }
    Ok(())
}

/// Returns the targets of a page's links that are paths, without their anchors.
pub fn paths(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let paths = targets.filter(|target| !target.starts_with("http") && !target.starts_with('#'));
    paths.map(|path| path.split('#').next().unwrap_or(path)).collect()
}
