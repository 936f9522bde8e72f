//! The gallery's page as HTML: one file with everything inside, in the report's style.

use askama::Template;
use measure::table::Table;
use testbed::adapters::Adapter;

use super::Gallery;
use super::shown::Missed;
use crate::html;

/// The file's name, beside the report.
pub const FILE: &str = "gallery.html";

#[derive(Template)]
#[template(path = "gallery.html")]
struct Page<'a> {
    summary: [String; 3],
    table: String,
    missed: Vec<Missed<'a>>,
    absent: Vec<(&'a str, &'a str)>,
}

impl Gallery {
    /// Renders the page as HTML.
    ///
    /// # Errors
    /// When the template cannot be filled.
    pub fn html(&self, adapters: &[Adapter]) -> Result<String, String> {
        let note = "Red: some scenarios failed, or all; the reason is a press away. †: the answer waits for a body that the client has announced \
             and does not send, which makes no cell red. –: no scenario was judged.";
        let mut table =
            Table { title: "Servers and questions".into(), note: note.into(), ..self.table(adapters) };
        for line in &mut table.lines {
            line.note = line.note.replace('`', "");
        }
        let page = Page {
            summary: self.summary(adapters),
            table: html::table(&table, true)?,
            missed: self.missed(adapters),
            absent: self.absent(adapters),
        };
        page.render().map_err(|error| format!("failed to render the gallery: {error}"))
    }
}

/// Returns the parts of a text in turn plain and as code, which stands between backticks; of a code true comes first.
pub(crate) fn spans(text: &str) -> impl Iterator<Item = (bool, &str)> {
    text.split('`')
        .enumerate()
        .map(|(index, part)| (index % 2 == 1, part))
        .filter(|(_, part)| !part.is_empty())
}
