//! The one model of a table. The terminal, the page and Markdown render it; no other code lays out rows.

use crate::stats::Summary;
use crate::text::{number, percentile};

/// A table, a note on reading it, and sentences on what it shows.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// The heading.
    pub title: String,
    /// A note on reading the table; may be empty.
    pub note: String,
    /// The header of the first column, which names the line.
    pub first: String,
    /// The other columns.
    pub columns: Vec<Column>,
    /// The lines.
    pub lines: Vec<Line>,
    /// The meaning of the table, in sentences.
    pub sentences: Vec<String>,
    /// The reasons why cells are not as promised; a cell names its reason by number, from 1.
    pub reasons: Vec<Reason>,
    /// True when the columns are servers: a narrow medium may part the table between them.
    pub by_server: bool,
}

/// A column of figures or of words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The quantity.
    pub name: String,
    /// The unit of all its figures; empty when there is none, or each cell has its own.
    pub unit: &'static str,
    /// The side to which its cells are aligned.
    pub align: Align,
}

/// A side of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words begin at the left.
    Left,
    /// Figures end at the right.
    Right,
}

/// A line of a table.
#[derive(Debug, Clone)]
pub struct Line {
    /// The header of the line.
    pub head: String,
    /// The meaning of the header; empty when it needs none.
    pub note: String,
    /// The cells, one for each column.
    pub cells: Vec<Cell>,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The grade of the cell.
    pub tone: Tone,
    /// The text; further lines hold details.
    pub text: String,
    /// The details that it opens on the page, if it has any.
    pub opens: Option<Opens>,
}

/// The grade of a cell, from indifferent to bad.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// A figure that is neither good nor bad.
    #[default]
    Plain,
    /// Nothing was measured, or nothing is supported.
    None,
    /// The promise is kept.
    Good,
    /// The promise is broken, but that is expected of this server, or something else may be the cause.
    Odd,
    /// The promise is broken.
    Bad,
}

/// The details that a cell opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opens {
    /// The scenarios of an area on a server.
    Area {
        /// The server's name.
        server: String,
        /// The area.
        area: String,
    },
    /// One scenario on one server: the number of its row.
    Row(usize),
    /// A part of the same page: its id.
    Part(String),
}

/// The reason why some cells of a table are not as promised.
#[derive(Debug, Clone)]
pub struct Reason {
    /// The servers.
    pub servers: Vec<String>,
    /// The number of cells.
    pub cells: usize,
    /// The reason, in a sentence without a full stop.
    pub text: String,
    /// Where that is written: addresses, or paths from the root of the repository.
    pub sources: Vec<String>,
    /// The observation in the first of the cells, and on which server.
    pub seen: String,
}

impl Table {
    /// Returns a table without lines.
    pub fn new<C: Into<Column>>(
        title: impl Into<String>,
        first: &str,
        columns: impl IntoIterator<Item = C>,
    ) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        Self { title: title.into(), first: first.to_owned(), columns, ..Self::default() }
    }

    /// Returns a table without lines whose columns are servers.
    pub fn by_server(title: impl Into<String>, first: &str, servers: &[&str]) -> Self {
        Self { by_server: true, ..Self::new(title, first, servers.iter().copied()) }
    }

    /// Adds a line.
    pub fn line(&mut self, head: impl Into<String>, cells: Vec<Cell>) {
        self.lines.push(Line { head: head.into(), note: String::new(), cells });
    }

    /// Returns the table, if it has lines.
    pub fn filled(self) -> Option<Self> {
        (!self.lines.is_empty()).then_some(self)
    }
}

impl Column {
    /// Returns a column of figures of one unit.
    pub fn of(name: &str, unit: &'static str) -> Self {
        Self { name: name.to_owned(), unit, align: Align::Right }
    }

    /// Returns a column of words.
    pub fn words(name: &str) -> Self {
        Self { name: name.to_owned(), unit: "", align: Align::Left }
    }

    /// Returns the header: the quantity and its unit.
    pub fn head(&self) -> String {
        if self.unit.is_empty() { self.name.clone() } else { format!("{}, {}", self.name, self.unit) }
    }
}

impl From<&str> for Column {
    fn from(name: &str) -> Self {
        Self::of(name, "")
    }
}

impl Cell {
    /// Returns a cell of this grade.
    pub fn new(tone: Tone, text: impl ToString) -> Self {
        Self { tone, text: text.to_string(), opens: None }
    }

    /// Returns a cell that is neither good nor bad.
    pub fn plain(text: impl ToString) -> Self {
        Self::new(Tone::Plain, text)
    }

    /// Returns the cell for what was not measured or is not supported.
    pub fn none() -> Self {
        Self::new(Tone::None, "–")
    }

    /// Returns the median, the 99th percentile and the worst of these milliseconds, or what stands for nothing measured.
    pub fn quantiles(all: Option<Summary>) -> [Self; 3] {
        let say = |ms: f64| format!("{ms:.2} ms");
        let Some(all) = all else { return [(); 3].map(|()| Self::none()) };
        [say(all.p50), percentile(all.p99, say), say(all.max)].map(Self::plain)
    }

    /// Returns a count that should be zero.
    pub fn fault(count: u64) -> Self {
        Self::new(if count > 0 { Tone::Bad } else { Tone::Plain }, number(count))
    }
}

impl Tone {
    /// Returns the grade as a class of the page.
    pub fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::None => "none",
            Self::Good => "good",
            Self::Odd => "odd",
            Self::Bad => "bad",
        }
    }
}
