use super::*;
use crate::catalog;

/// The most lines of a server, and the most of them that may be the lab's.
const LINES: usize = 40;
const OF_THE_LAB: usize = 10;

const LOCKS: [&str; 4] = ["requirements.txt", "package-lock.json", "Cargo.lock", FILE];

fn all() -> Vec<Adapter> {
    read(&catalog::root().unwrap()).unwrap()
}

fn text(adapter: &Adapter, file: &str) -> String {
    let path = adapter.folder.join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The servers' sources: every file that is neither a lock nor a list of packages.
fn sources(adapter: &Adapter) -> Vec<PathBuf> {
    let lists = ["requirements.in", "package.json", "Cargo.toml"];
    let entries = std::fs::read_dir(&adapter.folder).unwrap().map(|entry| entry.unwrap().path());
    let is_source = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        path.is_file() && !LOCKS.contains(&name) && !lists.contains(&name)
    };
    entries.filter(is_source).collect()
}

/// True for a line that speaks of the witness or of the work that it counts.
fn is_of_the_lab(line: &str) -> bool {
    let mut words = line.split(|c: char| !c.is_alphanumeric());
    words.any(|word| ["witness", "work"].contains(&word.to_lowercase().as_str()))
}

#[test]
fn every_adapter_is_named_after_its_folder_and_its_variants_apart() {
    for adapter in all() {
        assert!(adapter.folder.ends_with(&adapter.name), "{}", adapter.folder.display());
        let mut names: Vec<&str> = adapter.variants.iter().map(|variant| variant.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), adapter.variants.len(), "{}", adapter.name);
        assert!(!names.is_empty(), "{}", adapter.name);
    }
}

#[test]
fn every_run_takes_its_port_and_every_page_is_one() {
    for adapter in all() {
        for variant in &adapter.variants {
            let given = variant.run.contains("{port}") || adapter.env.values().any(|value| value == "{port}");
            assert!(given, "{}/{}", adapter.name, variant.name);
            let pages = variant.reds.iter().map(|red| &red.source).chain([&variant.source]);
            for page in pages {
                assert!(page.starts_with("https://"), "{}/{}: {page}", adapter.name, variant.name);
            }
        }
    }
}

#[test]
fn what_fails_names_a_server_that_does_not_or_what_was_tried() {
    let adapters = all();
    let find = |adapter: &Adapter, mend: &str| {
        let (folder, name) = mend.split_once('/').unwrap_or((&adapter.name, mend));
        let adapter = adapters.iter().find(|adapter| adapter.name == folder)?;
        adapter.variants.iter().find(|variant| variant.name == name).cloned()
    };
    for adapter in &adapters {
        for variant in &adapter.variants {
            for red in &variant.reds {
                let at = format!("{}/{} {:?}", adapter.name, variant.name, red.question);
                let Some(mend) = &red.mend else {
                    assert!(red.tried.is_some(), "{at}: neither a mend nor what was tried");
                    continue;
                };
                let found = find(adapter, mend).unwrap_or_else(|| panic!("{at}: no {mend}"));
                let still = found.reds.iter().any(|other| other.question == red.question);
                assert!(!still, "{at}: {mend} fails it too");
            }
        }
    }
}

#[test]
fn every_version_is_the_one_that_the_lock_pins() {
    for adapter in all() {
        let install = &adapter.install;
        let mut locks = install.apt.join("\n");
        for file in [&install.pip, &install.npm, &install.cargo].into_iter().flatten() {
            locks.push_str(&text(&adapter, file));
        }
        for (package, version) in &adapter.versions {
            assert!(locks.contains(version.as_str()), "{}: {package} {version}", adapter.name);
        }
    }
}

#[test]
fn locks_pin_hashes_and_name_no_registry() {
    for adapter in all() {
        if let Some(file) = &adapter.install.pip {
            let text = text(&adapter, file);
            for (line, next) in text.lines().zip(text.lines().skip(1)).filter(|(line, _)| line.contains("=="))
            {
                assert!(next.trim().starts_with("--hash=sha256:"), "{}: {line}", adapter.name);
            }
            assert!(!text.contains("--index-url") && !text.contains("--trusted-host"), "{}", adapter.name);
        }
        if let Some(file) = &adapter.install.npm {
            let text = text(&adapter, file);
            assert!(text.contains("\"integrity\"") && !text.contains("\"resolved\""), "{}", adapter.name);
        }
    }
}

#[test]
fn a_server_is_short_and_the_lab_s_part_of_it_shorter() {
    for adapter in all() {
        for path in sources(&adapter) {
            let text = std::fs::read_to_string(&path).unwrap();
            let (lines, ours) =
                (text.lines().count(), text.lines().skip(1).filter(|line| is_of_the_lab(line)).count());
            assert!(lines <= LINES, "{}: {lines} lines", path.display());
            assert!(ours <= OF_THE_LAB, "{}: {ours} lines for the lab", path.display());
        }
    }
}
