//! Finds documentation that opens with a question word.

use std::error::Error;
use std::path::Path;

use crate::rust;
use crate::tree::File;

/// The words that no documentation opens with: a noun phrase or a verb says faster what an item is or does.
pub(crate) const AVOIDED: [&str; 10] =
    ["what", "how", "whether", "who", "whom", "whose", "whoever", "so", "nobody", "of"];

/// Returns a complaint for each comment that opens with a word of [`AVOIDED`].
pub(crate) fn check(_: &Path, files: &[File]) -> Result<Vec<String>, Box<dyn Error>> {
    let complaints: Vec<String> = files.iter().flat_map(complaints).collect();
    println!("words: {} files, {} comments to rewrite", files.len(), complaints.len());
    Ok(complaints)
}

fn complaints(file: &File) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut last = (0, "");
    for line in rust::documented_lines(&file.tokens) {
        let text = file.text.lines().nth(line - 1).unwrap_or_default().trim_start();
        let Some(kind) = ["///", "//!"].into_iter().find(|kind| text.starts_with(kind)) else { continue };
        let goes_on = last == (line - 1, kind);
        last = (line, kind);
        if !goes_on && opens_with_avoided(&text[kind.len()..]) {
            complaints.push(format!("{}:{line}: {}", file.path, text[kind.len()..].trim()));
        }
    }
    complaints
}

fn opens_with_avoided(text: &str) -> bool {
    let first = text.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty()).unwrap_or_default();
    AVOIDED.contains(&first.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        complaints(&File::parse("x.rs", text.into()).expect("the text is Rust"))
    }

    #[test]
    fn finds_question_words_at_items_fields_variants_and_files() {
        let text = "//! What it is.\n\n/// How long.\nconst A: u8 = 0;\n\
                    enum B {\n    /// Whether.\n    C,\n}\nstruct D {\n    /// Who.\n    e: u8,\n}\n";
        let lines: Vec<String> =
            found(text).iter().map(|line| line.split(": ").next().unwrap_or_default().into()).collect();
        assert_eq!(lines, ["x.rs:1", "x.rs:3", "x.rs:6", "x.rs:10"]);
    }

    #[test]
    fn names_the_sentence() {
        assert_eq!(found("/// So many.\nfn a() {}"), ["x.rs:1: So many."]);
    }

    #[test]
    fn finds_comments_inside_macros_and_bodies() {
        assert_eq!(found("m! {\n/// Of it.\nstruct A;\n}\nfn b() {\n/// Nobody.\nfn c() {}\n}").len(), 2);
    }

    #[test]
    fn lets_other_words_later_lines_and_strings_be() {
        let text = "/// Returns\n/// what it is. So?\n///\n/// What then?\nfn a() { \"\n/// What\n\"; }\n// What\nfn b() {}\n/// Softens.\nfn c() {}";
        assert_eq!(found(text), Vec::<String>::new());
    }
}
