//! Tables and sentences as text for a terminal, never wider than it is, nor than 100 columns.

use std::fmt::Write;
use std::ops::Range;

use comfy_table::{Attribute, CellAlignment, Color, ColumnConstraint, ContentArrangement, presets};
use measure::table::{Align, Cell, Table, Tone};
use measure::text::tied;
use textwrap::{Options, WordSplitter};

/// The widest line.
pub const WIDTH: u16 = 100;
/// The narrowest terminal for which lines are broken; on a narrower one the terminal breaks them.
pub const NARROW: u16 = 60;

/// The place that is printed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// The columns of its longest line.
    pub width: u16,
    /// True when it takes colors.
    pub color: bool,
}

impl Screen {
    /// A file, or another program: no colors, and the widest lines.
    pub const FILE: Self = Self { width: WIDTH, color: false };

    /// Returns a terminal of so many columns.
    pub fn of(columns: u16, color: bool) -> Self {
        Self { width: columns.clamp(NARROW, WIDTH), color }
    }
}

/// Returns the lines of a table. One that is too wide has its heads in several lines, or is parted between its columns, each part with the first of them: one by
/// servers, or one of figures alone. Words are broken into lines instead.
pub fn table(model: &Table, screen: Screen) -> String {
    table_of_parts(model, screen, usize::MAX).0
}

/// Returns the first parts of a table, at most so many, and the columns that are in none of them.
pub fn table_of_parts(model: &Table, screen: Screen, most: usize) -> (String, Vec<String>) {
    let names = &model.columns;
    let model = &headed(model, screen.width);
    let mut text = String::new();
    let (mut from, mut parts) = (0, 0);
    while from < model.columns.len() && parts < most {
        parts += 1;
        let to = if may_part(model) { abreast(model, from, screen.width) } else { model.columns.len() };
        if from > 0 {
            text.push('\n');
        }
        let mut part = part(model, from..to, screen.color);
        part.set_width(screen.width);
        fit(&mut part, screen.width);
        let _ = writeln!(text, "{}", part.trim_fmt());
        from = to;
    }
    (text, names[from..].iter().map(|column| column.name.clone()).collect())
}

/// Returns the number of parts into which a table is broken.
pub fn parts(model: &Table, screen: Screen) -> usize {
    let model = &headed(model, screen.width);
    let mut parts = 0;
    let mut from = 0;
    while may_part(model) && from < model.columns.len() {
        (from, parts) = (abreast(model, from, screen.width), parts + 1);
    }
    parts.max(1)
}

fn may_part(model: &Table) -> bool {
    model.by_server || model.columns.iter().all(|column| column.align == Align::Right)
}

/// Returns the lines of a table as wide as the terminal; without one they are as long as they are.
pub fn table_of_any_width(model: &Table, color: bool) -> String {
    part(model, 0..model.columns.len(), color).trim_fmt() + "\n"
}

/// Returns the end of the columns that fit beside each other, the first of them `from`; at least one is taken.
fn abreast(model: &Table, from: usize, width: u16) -> usize {
    // A space stands on each side of a cell, except at the end of the line.
    const SPACES: usize = 2;
    let widest = |texts: &mut dyn Iterator<Item = &str>| longest(texts.flat_map(str::lines)) + SPACES;
    let heads = widest(&mut model.lines.iter().map(|line| &line.head[..]).chain([&model.first[..]]));
    let mut room = (usize::from(width) + SPACES - 1).saturating_sub(heads);
    let mut to = from;
    while let Some(column) = model.columns.get(to) {
        let cells = model.lines.iter().filter_map(|line| line.cells.get(to)).map(|cell| &cell.text[..]);
        let head = column.head();
        let needed = widest(&mut cells.chain([&head[..]]));
        if needed > room && to > from {
            break;
        }
        (room, to) = (room.saturating_sub(needed), to + 1);
    }
    to
}

/// Returns a table of figures with its heads in as few lines as let all columns stand beside each other, and in three at most.
fn headed(model: &Table, width: u16) -> Table {
    let fits = |table: &Table| abreast(table, 0, width) == table.columns.len();
    if model.by_server || !may_part(model) || fits(model) {
        return model.clone();
    }
    let two = with_heads_of(model, 2);
    if fits(&two) { two } else { with_heads_of(model, 3) }
}

/// Returns the table with each head broken into at most so many lines, as narrow as its cells where that can be.
fn with_heads_of(model: &Table, lines: usize) -> Table {
    let mut table = model.clone();
    for (index, column) in table.columns.iter_mut().enumerate() {
        let head = column.head();
        let cells = model.lines.iter().filter_map(|line| line.cells.get(index));
        let cells = longest(cells.flat_map(|cell| cell.text.lines()));
        let least = cells.max(longest(head.split(' ')));
        let wrapped = |width: usize| wrap_to(&head, "", u16::try_from(width).unwrap_or(u16::MAX));
        let narrowest = (least..head.chars().count()).find(|width| wrapped(*width).lines().count() <= lines);
        (column.name, column.unit) = (narrowest.map_or(head.clone(), wrapped), "");
    }
    table
}

/// Returns the length of the longest of these lines.
fn longest<'a>(lines: impl Iterator<Item = &'a str>) -> usize {
    lines.map(|line| line.chars().count()).max().unwrap_or(0)
}

fn part(model: &Table, columns: Range<usize>, color: bool) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let shown = &model.columns[columns.clone()];
    let header = std::iter::once(model.first.clone()).chain(shown.iter().map(|column| column.head()));
    table.set_header(header.map(|title| comfy_table::Cell::new(title).add_attribute(Attribute::Dim)));
    for line in &model.lines {
        let cells = line.cells.get(columns.clone()).unwrap_or(&[]).iter().map(cell);
        table.add_row(std::iter::once(comfy_table::Cell::new(&line.head)).chain(cells));
    }
    let aligns = std::iter::once(Align::Left).chain(shown.iter().map(|column| column.align));
    for ((index, column), align) in table.column_iter_mut().enumerate().zip(aligns) {
        column.set_cell_alignment(match align {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        });
        if index == 0 || model.by_server {
            // A name broken in two is no name.
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table
}

fn cell(cell: &Cell) -> comfy_table::Cell {
    let shown = comfy_table::Cell::new(&cell.text);
    match cell.tone {
        Tone::Plain | Tone::None => shown,
        Tone::Good => shown.fg(Color::Green),
        Tone::Odd => shown.fg(Color::Yellow),
        Tone::Bad => shown.fg(Color::Red).add_attribute(Attribute::Bold),
    }
}

/// Takes what a wide table lacks from the space between its columns, before any cell is broken.
fn fit(table: &mut comfy_table::Table, width: u16) {
    let content: u16 = table.column_max_content_widths().iter().sum();
    let columns = u16::try_from(table.column_count()).unwrap_or(u16::MAX);
    if content.saturating_add(columns.saturating_mul(2)) > width {
        for column in table.column_iter_mut() {
            column.set_padding((1, 0));
        }
    }
}

/// Breaks a sentence into lines of at most 100 columns, each with this indent.
pub fn wrap(sentence: &str, indent: &str) -> String {
    wrap_to(sentence, indent, WIDTH)
}

/// Breaks a sentence into lines of at most so many columns, each with this indent.
pub fn wrap_to(sentence: &str, indent: &str, columns: u16) -> String {
    let options = Options::new(columns.into()).initial_indent(indent).subsequent_indent(indent);
    let options = options.break_words(false).word_splitter(WordSplitter::NoHyphenation);
    // What is tied is not broken.
    textwrap::fill(&tied(sentence), options).replace('\u{a0}', " ")
}

/// Breaks the lines of a text that are wider than the screen between their words; what follows is indented below them.
pub fn fold(text: &str, screen: Screen) -> String {
    const INDENT: &str = "      ";
    let mut folded = String::new();
    for line in text.lines() {
        let mut rest = line.to_owned();
        while let Some(at) = break_of(&rest, usize::from(screen.width)) {
            let _ = writeln!(folded, "{}", rest[..at].trim_end());
            rest = format!("{INDENT}{}", rest[at..].trim_start());
        }
        let _ = writeln!(folded, "{rest}");
    }
    folded
}

/// Returns where to break a line: behind its last word that fits. `None` when all of it fits, or no word ends in time.
fn break_of(line: &str, width: usize) -> Option<usize> {
    let (mut columns, mut escaped, mut last) = (0, false, None);
    let begin = line.len() - line.trim_start().len();
    for (at, letter) in line.char_indices() {
        // An escape sequence for a color takes no column, and ends with its letter.
        escaped |= letter == '\x1b';
        if escaped {
            escaped = !letter.is_ascii_alphabetic();
            continue;
        }
        if letter == ' ' && at > begin {
            last = Some(at);
        }
        columns += 1;
        if columns > width {
            return last;
        }
    }
    None
}

#[cfg(test)]
mod tests;
