//! Values as people read them: in a sentence nothing may look like code.

use std::fmt::Display;

/// The value, or the word `nothing`.
pub(crate) fn or_none<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn what_is_not_there_is_nothing() {
        assert_eq!((or_none(Some(500)), or_none::<u16>(None)), ("500".to_owned(), "nothing".to_owned()));
    }

    /// Types whose `Debug` people may read: a time (`1.5ms`), or text in quotation marks.
    const READABLE: &[&str] = &[
        "after", "budget", "head", "again", "answered", "at", "behind", "census", "deadline", "each",
        "headers", "held", "late", "lasted", "least", "most", "patience", "pieces", "released", "refused",
        "scale", "statuses", "text", "timeout", "took", "usage", "waited", "was", "within", "work", "worst",
        "zombie", "said",
    ];

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                sources(&entry, found);
            } else if entry.extension().is_some_and(|ending| ending == "rs") {
                found.push(entry);
            }
        }
    }

    #[test]
    fn no_text_for_people_shows_an_option_as_code() {
        let (mut files, mut wrong) = (Vec::new(), Vec::new());
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scenarios"), &mut files);
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            for (number, line) in (1..).zip(text.lines()) {
                let names = line.split('{').skip(1).filter_map(|rest| rest.split('}').next());
                let plain = |inside: &str| inside.split_once(":?").map(|(name, _)| name.to_owned());
                // A constant is a length of time.
                let constant = |name: &String| name.chars().all(|letter| letter.is_ascii_uppercase());
                let odd = |name: &String| !constant(name) && !READABLE.contains(&name.as_str());
                wrong.extend(
                    names.filter_map(plain).filter(odd).map(|name| {
                        format!("{}:{number}: `{{{name}:?}}`", file.file_name().unwrap().display())
                    }),
                );
            }
        }
        assert!(wrong.is_empty(), "say these with Display, or with `or_none`: {wrong:#?}");
    }
}
