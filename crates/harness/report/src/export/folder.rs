//! The folder of a run: one of its own by date and time, and beside it the files of the latest run.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use measure::results::Results;

use super::write_all;

/// The place of a run's files. It is made, and found to be writable, before the run begins.
#[derive(Debug)]
pub struct Folder {
    own: PathBuf,
    /// The place of the same files as the latest; none when the user named a folder.
    latest: Option<PathBuf>,
}

impl Folder {
    /// The folder that the user named, and nothing beside it.
    ///
    /// # Errors
    /// When it cannot be made or written to.
    pub fn named(path: &Path) -> Result<Self, String> {
        writable(path)?;
        Ok(Self { own: path.to_path_buf(), latest: None })
    }

    /// A new folder in `latest`, named by date and time (`2026-11-26T00-40-12Z`).
    ///
    /// # Errors
    /// When it cannot be made or written to.
    pub fn dated(latest: &Path, at: SystemTime) -> Result<Self, String> {
        let stamp = stamp(at);
        let free = |number: u32| match number {
            1 => latest.join(&stamp),
            number => latest.join(format!("{stamp}-{number}")),
        };
        let own = (1..).map(free).find(|path| !path.exists()).expect("some number is free");
        writable(&own)?;
        Ok(Self { own, latest: Some(latest.to_path_buf()) })
    }

    /// The folder of this run alone.
    pub fn path(&self) -> &Path {
        &self.own
    }

    /// Writes the run into its own folder alone. Returns the paths.
    ///
    /// # Errors
    /// A sentence that names the file and what went wrong.
    pub fn write_own(&self, results: &Results) -> Result<Vec<PathBuf>, String> {
        write_all(results, &self.own)
    }

    /// Writes the run, and makes it the latest unless the user named the folder. Returns the paths to show.
    ///
    /// # Errors
    /// A sentence that names the file and what went wrong.
    pub fn write(&self, results: &Results) -> Result<Vec<PathBuf>, String> {
        let paths = self.write_own(results)?;
        let Some(latest) = &self.latest else { return Ok(paths) };
        let mut shown = Vec::new();
        for path in &paths {
            let to = latest.join(path.file_name().unwrap_or_default());
            std::fs::copy(path, &to).map_err(|error| failed(&to, &error))?;
            shown.push(to);
        }
        shown.push(self.own.clone());
        Ok(shown)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder with files in it stays; one of a run that came to nothing goes.
        let _ = std::fs::remove_dir(&self.own);
    }
}

/// Makes a folder, and writes a file in it to see that it can be done.
///
/// # Errors
/// A sentence that names the folder.
pub fn writable(path: &Path) -> Result<(), String> {
    std::fs::create_dir_all(path).map_err(|error| failed(path, &error))?;
    let probe = path.join(format!(".lab-{}", std::process::id()));
    std::fs::write(&probe, "x").map_err(|error| failed(path, &error))?;
    std::fs::remove_file(&probe).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("failed to write `{}`: {error}", path.display())
}

/// A moment as a name that sorts by time: `2026-11-26T00-40-12Z`.
fn stamp(at: SystemTime) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // `Thu, 26 Nov 2026 00:40:12 GMT`, by RFC 9110 always of these six words.
    let date = httpdate::fmt_http_date(at);
    let words: Vec<&str> = date.split(' ').collect();
    let [_, day, month, year, time, _] = words[..] else { return date };
    let month = 1 + MONTHS.iter().position(|name| *name == month).unwrap_or(0);
    format!("{year}-{month:02}-{day}T{}Z", time.replace(':', "-"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use measure::fixtures::whole;

    use super::*;

    /// A fresh folder for one test; the caller removes it.
    fn place(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("lab-folder-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_moment_is_a_name_that_sorts_by_time() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_653_612);
        assert_eq!(stamp(at), "2026-11-26T00-40-12Z");
        assert!(stamp(at) < stamp(at + Duration::from_secs(86_400)));
    }

    #[test]
    fn every_run_keeps_a_folder_and_the_latest_stands_beside_them() {
        let (latest, at) = (place("dated"), SystemTime::UNIX_EPOCH);
        let mut folders = Vec::new();
        for _ in 0..2 {
            let folder = Folder::dated(&latest, at).unwrap();
            folder.write(&whole()).unwrap();
            folders.push(folder.path().to_path_buf());
        }
        assert_ne!(folders[0], folders[1], "two runs of one second have a folder each");
        for folder in folders.iter().chain([&latest]) {
            assert!(folder.join("results.json").is_file() && folder.join("report.html").is_file());
        }
        std::fs::remove_dir_all(&latest).unwrap();
    }

    #[test]
    fn a_named_folder_gets_the_files_alone_and_an_empty_one_goes() {
        let named = place("named");
        Folder::named(&named).unwrap().write(&whole()).unwrap();
        assert!(named.join("results.json").is_file());
        std::fs::remove_dir_all(&named).unwrap();
        drop(Folder::named(&named).unwrap());
        assert!(!named.exists(), "nothing was written");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named_at_once() {
        let file = place("file");
        std::fs::write(&file, "").unwrap();
        let error = Folder::named(&file.join("below")).unwrap_err();
        std::fs::remove_file(&file).unwrap();
        assert!(error.starts_with("failed to write `") && error.contains("below"), "{error}");
    }
}
