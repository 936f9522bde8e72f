//! A run as files that other programs read, beside the document and the page.
//!
//! | file | what | opens in |
//! | --- | --- | --- |
//! | `results.json` | everything, by a published schema | anything |
//! | `report.html` | the report, with nothing from outside | a browser |
//! | `trace.json` | requests, work and storms over time | <https://ui.perfetto.dev> |
//! | `samples.csv` | every sample, one a line | a spreadsheet |
//! | `latency.hlog` | latencies as HdrHistograms, one for each turn | HdrHistogram's tools |

use std::path::{Path, PathBuf};

use super::page;
use super::results::Results;

pub mod hlog;
pub mod samples;
pub mod schema;
pub mod timeline;

/// Writes the page and the files for other programs into `folder`; gives their paths.
///
/// # Errors
/// A sentence that names the file and what went wrong.
pub fn write(results: &Results, folder: &Path) -> Result<Vec<PathBuf>, String> {
    let files = [
        ("report.html", page::render(results)?),
        ("trace.json", timeline::render(results)),
        ("samples.csv", samples::render(results)),
        ("latency.hlog", hlog::render(results)),
    ];
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let mut paths = Vec::new();
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| failed(&path, &error))?;
        paths.push(path);
    }
    Ok(paths)
}

/// The same, and the document itself first.
///
/// # Errors
/// A sentence that names the file and what went wrong.
pub fn write_all(results: &Results, folder: &Path) -> Result<Vec<PathBuf>, String> {
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    let path = folder.join("results.json");
    std::fs::write(&path, results.json()).map_err(|error| failed(&path, &error))?;
    let mut paths = vec![path];
    paths.extend(write(results, folder)?);
    Ok(paths)
}

fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("failed to write `{}`: {error}", path.display())
}
