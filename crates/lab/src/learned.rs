//! `lab learned`: what a run taught, as pages.

use std::collections::BTreeSet;
use std::path::Path;

use report::learned;
use suite::exit::Exit;
use testbed::{catalog, files};

use crate::args::Learned;
use crate::progress::{print, say};
use crate::report::asked;

/// The page of the findings, from the root of the repository.
const LEARNED: &str = "docs/learned.md";

/// Prints what a run taught, or writes it with the pages of all figures.
pub(crate) fn learned(args: &Learned) -> Result<Exit, String> {
    let root = catalog::root()?;
    let results = asked(args.file.as_deref())?;
    let areas = learned::areas(&results);
    let page = learned::page(&results, &learned::learn(&results), &areas);
    if !args.write {
        print(page);
        return Ok(Exit::Good);
    }
    let folder = root.join("docs").join(learned::FOLDER);
    let pages =
        areas.iter().map(|area| (folder.join(format!("{}.md", area.name)), learned::area(&results, area)));
    for (path, text) in pages.chain([(root.join(LEARNED), page)]) {
        files::write(&path, text)?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(Exit::Good)
}

/// Checks the shape of the pages that `lab learned --write` wrote, and that the files to which they link are there.
///
/// # Errors
/// A sentence that names the page and says what is wrong with it.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let page = root.join(LEARNED);
    let text = checked(&page, learned::check::page)?;
    let folder = format!("{}/", learned::FOLDER);
    let areas: BTreeSet<&str> =
        learned::check::paths(&text).into_iter().filter(|path| path.starts_with(&folder)).collect();
    for area in areas {
        checked(&root.join("docs").join(area), learned::check::area)?;
    }
    Ok(())
}

/// Reads a page, checks its shape and the links from it, and returns it.
fn checked(path: &Path, shape: fn(&str) -> Result<(), String>) -> Result<String, String> {
    let text = files::read(path)?;
    shape(&text).map_err(|what| format!("`{}`: {what}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    match learned::check::paths(&text).into_iter().find(|target| !folder.join(target).exists()) {
        Some(target) => Err(format!("`{}` links to `{target}`, which is not there", path.display())),
        None => Ok(text),
    }
}
