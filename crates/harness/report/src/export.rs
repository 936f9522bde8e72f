//! A run as files that other programs read, beside the document and the page.
//!
//! | file | what | opens in |
//! | --- | --- | --- |
//! | `results.json` | everything, by a published schema | anything |
//! | `report.html` | the report, with nothing from outside | a browser |
//! | `gallery.html` | the kept results of the gallery, to which the report links, if there are any | a browser |
//! | `report.svg` | what the report opens with, for chats and READMEs | a browser |
//! | `trace.json` | requests, work and storms over time | <https://ui.perfetto.dev> |
//! | `samples.csv` | every sample, one a line | a spreadsheet |
//! | `otlp.json`, by `lab export otlp` | requests and work as spans | a tracing tool |
//! | `latency.hlog` | latencies as HdrHistograms, one for each round | HdrHistogram's tools |

use std::path::{Path, PathBuf};

use measure::results::Results;
use testbed::{adapters, catalog, files};

use crate::gallery::Gallery;
use crate::{gallery, page, preview};

pub mod folder;
pub mod hlog;
pub mod otlp;
pub mod samples;
pub mod schema;
pub mod timeline;

/// Writes the page and the files for other programs into `folder`; gives their paths.
///
/// # Errors
/// A sentence that names the file and what went wrong.
pub fn write(results: &Results, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let gallery = kept_gallery();
    let mut texts = vec![
        ("report.html", page::render_beside(results, gallery.is_some())?),
        ("trace.json", timeline::render(results)),
        ("samples.csv", samples::render(results)),
        ("latency.hlog", hlog::render(results)),
    ];
    texts.extend(preview::svg(results)?.map(|picture| ("report.svg", picture)));
    let mut paths = Vec::new();
    for (name, text) in texts.into_iter().chain(gallery.map(|html| (gallery::FILE, html))) {
        let path = folder.join(name);
        files::write(&path, text)?;
        paths.push(path);
    }
    Ok(paths)
}

/// The same, and the document itself first.
///
/// # Errors
/// A sentence that names the file and what went wrong.
pub fn write_all(results: &Results, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let path = folder.join("results.json");
    files::write(&path, results.json())?;
    let mut paths = vec![path];
    paths.extend(write(results, folder)?);
    Ok(paths)
}

/// Returns the gallery's page; `None` where the repository keeps no results of one, or not in this version's shape.
fn kept_gallery() -> Option<String> {
    let root = catalog::root().ok()?;
    let gallery = Gallery::kept(&root).ok().filter(|gallery| !gallery.servers.is_empty())?;
    gallery.html(&adapters::read(&root).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::crowd;

    #[test]
    fn what_is_written_is_valid_by_the_published_schema() {
        let folder = std::env::temp_dir().join(format!("lab-export-{}", std::process::id()));
        let paths = write_all(&crowd(), &folder).unwrap();
        assert!(paths.iter().all(|path| path.metadata().unwrap().len() > 0), "{paths:?}");
        assert!(folder.join(gallery::FILE).is_file());
        let report = std::fs::read_to_string(folder.join("report.html")).unwrap();
        assert!(report.contains("<a href=\"gallery.html\">"), "the report leads to the gallery");
        let document = std::fs::read_to_string(&paths[0]).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/results.schema.json");
        let published = std::fs::read_to_string(published).unwrap();
        let schema = jsonschema::draft202012::new(&serde_json::from_str(&published).unwrap()).unwrap();
        let document = serde_json::from_str(&document).unwrap();
        let errors: Vec<String> = schema
            .iter_errors(&document)
            .take(3)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(errors, [""; 0]);
    }
}
