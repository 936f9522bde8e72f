//! The table of verdicts, in Markdown.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use drop_at_await::Report;

use crate::case::{Case, Outcome, moments};
use crate::cases::all;
use crate::sources::Package;

const INTRODUCTION: &str = "\
A future can be dropped wherever it waits: by `select!`, by a timeout, by a client that disconnects. This page says what each
function loses then. It is written by `cargo run -p cancel-safety`, and a test of that crate runs every row again: a verdict that
changes with a version fails it, and so does a claim that the documentation of the version in use does not make.
";

const METHOD: &str = "\
## How it was judged

Each function is dropped at each of its awaits in turn, one run each, once before the wake that it waits for and once after it and
before its next poll ([`drop-at-await`](../../crates/drop-at-await/README.md)). Nothing else acts at that moment: the other side of a
channel or stream is driven step by step, and what needs a runtime runs on tokio's, with one thread. After the drop the function is
called again where it can be, as a `select!` in a loop does, and the invariant is checked.

- **keeps**: the invariant holds at every await. That is a statement about these versions, this invariant and these awaits.
- **loses**: the named thing is lost, or repeated, at one await at least. *Before a wake* means that nothing had happened yet;
  *after a wake* that what the function waited for had come.
- **documented** is what the function's own documentation says, or the list in the documentation of `tokio::select!`. Each link leads
  to the item.
- *as documented*, *undocumented* and *contradicts* compare the two. That a function which takes an item by value drops it when
  it is dropped is undocumented in most crates, and no finding; what surprises has a page.
";

/// Runs every check and writes the document.
///
/// # Errors
///
/// When a package is unknown, or a check comes to another verdict than the one on record.
pub fn document(packages: &HashMap<String, Package>) -> Result<String, String> {
    let cases = all();
    let mut rows = String::new();
    let mut package = "";
    for case in &cases {
        let version =
            &packages.get(case.package).ok_or_else(|| format!("no package `{}`", case.package))?.version;
        if case.package != package {
            package = case.package;
            rows.push_str(&heading(package, version));
        }
        let report = (case.check)();
        case.judge(&report).map_err(|error| format!("{}::{}: {error}", case.package, case.item))?;
        rows.push_str(&row(case, version, &report));
    }
    let (counts, pages) = (counts(&cases), pages(&cases));
    Ok(format!(
        "# What is lost when a future is dropped\n\n{counts}\n{INTRODUCTION}\n{pages}\n{METHOD}{rows}"
    ))
}

fn heading(package: &str, version: &str) -> String {
    format!(
        "\n## {package} {version}\n\n\
         | function | what goes through it | invariant | documented | verdict | |\n\
         | --- | --- | --- | --- | --- | --- |\n"
    )
}

fn row(case: &Case, version: &str, report: &Report) -> String {
    let Case { package, item, page, moved, .. } = case;
    let link = format!("[`{item}`](https://docs.rs/{package}/{version}/{page})");
    let verdict = match case.outcome {
        Outcome::Keeps => "keeps".to_owned(),
        Outcome::Loses(what) => format!("loses {what} ({})", moments(report)),
    };
    let agreement = match case.finding {
        Some(finding) => format!("[{}]({finding})", case.agreement()),
        None => case.agreement().to_owned(),
    };
    format!(
        "| {link} | {moved} | {} | {} | {verdict} | {agreement} |\n",
        case.invariant.text(),
        case.claim.text()
    )
}

/// Says how many functions lose something.
fn counts(cases: &[Case]) -> String {
    let functions = |keep: &dyn Fn(&Case) -> bool| {
        cases
            .iter()
            .filter(|case| keep(case))
            .map(|case| (case.package, case.item))
            .collect::<BTreeSet<_>>()
            .len()
    };
    let packages = cases.iter().map(|case| case.package).collect::<BTreeSet<_>>().len();
    let loses = |case: &Case| case.outcome != Outcome::Keeps;
    let agreement = |case: &Case, text: &str| loses(case) && case.agreement().contains(text);
    format!(
        "**{} functions of {packages} packages, in {} rows.** {} lose something: {} as documented, {} without a word in their \
         documentation, {} against it.\n",
        functions(&|_| true),
        cases.len(),
        functions(&loses),
        functions(&|case| agreement(case, "as documented")),
        functions(&|case| agreement(case, "undocumented")),
        functions(&|case| agreement(case, "contradicts")),
    )
}

/// Lists the pages with the smallest cases.
fn pages(cases: &[Case]) -> String {
    let mut text = "What surprises, with its smallest case:\n\n".to_owned();
    let mut pages: Vec<&str> = cases.iter().filter_map(|case| case.finding).collect();
    pages.sort_unstable();
    pages.dedup();
    for page in pages {
        let of: Vec<String> = cases
            .iter()
            .filter(|case| case.finding == Some(page))
            .map(|case| format!("`{}::{}`", case.package, case.item))
            .collect();
        let _ = writeln!(text, "- [{page}]({page}): {}", of.join(", "));
    }
    text
}
