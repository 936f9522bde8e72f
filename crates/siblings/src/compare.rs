//! Two files side by side, and where they differ without saying why.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::source::{Mark, Piece, Source, Token};

/// The beginning of a comment that announces an item which only its server has.
const ONLY: &str = "only here, because ";
/// The beginning of a comment that names, in backticks, an item which its server does not have.
const NO: &str = "no `";

/// The beginning of a comment that explains a body which its server writes in another way.
const BODY: &str = "another body, because ";

/// A difference that no comment explains.
#[derive(Debug)]
pub(crate) struct Difference {
    /// The item.
    pub(crate) item: String,
    /// The differing lines of the first file and of the second, each with its number.
    pub(crate) lines: [Vec<(usize, String)>; 2],
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.item)?;
        for (sign, lines) in ["-", "+"].iter().zip(&self.lines) {
            for (number, line) in lines {
                write!(f, "\n  {sign} {number:4}  {}", line.trim())?;
            }
        }
        Ok(())
    }
}

/// A line of code and its number.
type Line = (usize, String);

/// Compares two files of the same name.
pub(crate) fn compare(one: &Source, two: &Source) -> Vec<Difference> {
    let places = [places(one, two), places(two, one)];
    let names =
        places.each_ref().map(|places| places.iter().map(|place| place.name.as_str()).collect::<Vec<_>>());
    let mut differences = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &names[0], &names[1]) {
        match op {
            DiffOp::Equal { old_index, new_index, len } => {
                for at in 0..len {
                    let (Some(first), Some(second)) =
                        (places[0][old_index + at].piece, places[1][new_index + at].piece)
                    else {
                        continue;
                    };
                    documents(one, first, two, second, &mut differences);
                    bodies(one, first, two, second, &mut differences);
                }
            }
            _ => differences.push(Difference {
                item: "an item that the other file does not have here".into(),
                lines: [shown(&places[0][op.old_range()]), shown(&places[1][op.new_range()])],
            }),
        }
    }
    differences
}

/// A place in the order of items: an item, or a comment that says why there is none.
struct Place<'a> {
    line: usize,
    name: String,
    piece: Option<&'a Piece>,
}

fn shown(places: &[Place<'_>]) -> Vec<(usize, String)> {
    places.iter().map(|place| (place.line, place.name.clone())).collect()
}

/// The places of `source` that `other` must have, too.
fn places<'a>(source: &'a Source, other: &Source) -> Vec<Place<'a>> {
    let bare = |name: &str| name.rsplit([' ', ':']).next().unwrap_or_default().to_owned();
    let has = |source: &Source, name: &str| source.items.iter().any(|item| bare(&item.name) == name);
    let mut places = Vec::new();
    for item in &source.items {
        let only = source.marks(item.lines.clone()).any(|mark| mark.text.starts_with(ONLY));
        if has(other, &bare(&item.name)) || !only {
            places.push(Place { line: *item.lines.start(), name: bare(&item.name), piece: Some(item) });
        }
    }
    for mark in source.marks(source.all()) {
        let Some(name) = mark.text.strip_prefix(NO).and_then(|rest| rest.split('`').next()) else { continue };
        let name = bare(name);
        if has(other, &name) {
            places.push(Place { line: mark.line, name, piece: None });
        }
    }
    places.sort_by_key(|place| place.line);
    places
}

/// Compares the documentation of an item: it may differ where a comment above one of the two says why.
fn documents(one: &Source, first: &Piece, two: &Source, second: &Piece, differences: &mut Vec<Difference>) {
    let named = |source: &Source, piece: &Piece| piece.docs.replace(&source.server, "NAME");
    if named(one, first) != named(two, second) && !explained(one, first) && !explained(two, second) {
        let line = |piece: &Piece| vec![(*piece.lines.start(), piece.docs.clone())];
        let lines = [line(first), line(second)];
        differences.push(Difference { item: format!("the documentation of {}", second.name), lines });
    }
}

/// Reports whether a comment above the item explains it.
fn explained(source: &Source, piece: &Piece) -> bool {
    source.marks(*piece.lines.start()..=piece.head).next().is_some()
}

/// Reports whether a comment above the item says why its body is another one.
fn has_another_body(source: &Source, piece: &Piece) -> bool {
    source.marks(*piece.lines.start()..=piece.head).any(|mark| mark.text.starts_with(BODY))
}

/// Compares the code of an item, line by line.
fn bodies(one: &Source, first: &Piece, two: &Source, second: &Piece, differences: &mut Vec<Difference>) {
    if [(one, first), (two, second)].iter().any(|(source, piece)| has_another_body(source, piece)) {
        return;
    }
    let (lines, others) = (first.code(), second.code());
    let texts = |lines: &[(usize, String)]| lines.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>();
    for (old, new) in hunks(&texts(&lines), &texts(&others)) {
        let (old, new) = unequal(&lines[old], &others[new]);
        let sides = [
            Side { source: one, piece: first, lines: old, other: two, opposite: second },
            Side { source: two, piece: second, lines: new, other: one, opposite: first },
        ];
        if !sides.iter().all(Side::shows_why) && !sides.iter().any(Side::says_why) {
            let lines = sides.map(|side| side.shown());
            differences.push(Difference { item: second.name.clone(), lines });
        }
    }
}

/// The lines that are left of the two sides without those, at their ends, that say the same in another layout.
fn unequal<'a>(one: &'a [Line], two: &'a [Line]) -> (&'a [Line], &'a [Line]) {
    let text = |lines: &[Line]| {
        let plain = lines.iter().flat_map(|(_, text)| text.chars()).filter(|c| !matches!(c, ' ' | ','));
        plain.collect::<String>()
    };
    let lengths = |one: &[Line], two: &[Line]| {
        let pairs =
            (0..=one.len()).rev().flat_map(|first| (0..=two.len()).rev().map(move |second| (first, second)));
        pairs.collect::<Vec<_>>()
    };
    let begin =
        lengths(one, two).into_iter().find(|(first, second)| text(&one[..*first]) == text(&two[..*second]));
    let (first, second) = begin.unwrap_or_default();
    let (one, two) = (&one[first..], &two[second..]);
    let end = lengths(one, two)
        .into_iter()
        .find(|(first, second)| text(&one[one.len() - first..]) == text(&two[two.len() - second..]));
    let (first, second) = end.unwrap_or_default();
    (&one[..one.len() - first], &two[..two.len() - second])
}

/// The ranges of lines that differ. Two that only punctuation parts are one.
fn hunks(one: &[String], two: &[String]) -> Vec<(Range<usize>, Range<usize>)> {
    let mut hunks: Vec<(Range<usize>, Range<usize>)> = Vec::new();
    for op in capture_diff_slices(Algorithm::Patience, one, two) {
        let (old, new) = (op.old_range(), op.new_range());
        match hunks.last_mut() {
            _ if matches!(op, DiffOp::Equal { .. }) => {}
            Some(last)
                if one[last.0.end..old.start].iter().all(|line| !line.contains(char::is_alphanumeric)) =>
            {
                (last.0.end, last.1.end) = (old.end, new.end);
            }
            _ => hunks.push((old, new)),
        }
    }
    hunks
}

/// One side of a difference.
struct Side<'a> {
    source: &'a Source,
    piece: &'a Piece,
    lines: &'a [Line],
    other: &'a Source,
    /// The item on the other side.
    opposite: &'a Piece,
}

impl Side<'_> {
    /// The lines that are more than punctuation.
    fn code(&self) -> impl Iterator<Item = usize> {
        self.lines.iter().filter(|(_, text)| text.contains(char::is_alphanumeric)).map(|(line, _)| *line)
    }

    fn shown(&self) -> Vec<(usize, String)> {
        self.lines.iter().map(|(line, _)| (*line, self.source.line(*line).to_owned())).collect()
    }

    /// Reports whether a comment explains each of its lines, and with them those of the other side.
    fn says_why(&self) -> bool {
        let mut lines = self.code().peekable();
        lines.peek().is_some() && lines.all(|line| self.marks(line))
    }

    /// Reports whether each of its lines, if there are any, is explained by a comment or shows its runtime.
    fn shows_why(&self) -> bool {
        self.code().all(|line| self.marks(line) || self.names(line))
    }

    /// Reports whether a comment explains the line: one above its statement, or one on either side that names something
    /// on it in backticks, at the item or at the head of the file.
    fn marks(&self, line: usize) -> bool {
        let is_function = self.piece.name.starts_with("fn ");
        let inside = |mark: &Mark<'_>| !is_function || mark.line >= self.piece.head;
        let mut above = self.source.marks(self.piece.lines.clone()).filter(inside);
        let sides = [(self.source, self.piece), (self.other, self.opposite)];
        let mut naming =
            sides.iter().flat_map(|(source, piece)| source.marks(piece.lines.clone()).chain(source.header()));
        above.any(|mark| self.source.covered(mark.line).contains(&line))
            || naming.any(|mark| {
                let quoted = mark.text.split('`').skip(1).step_by(2);
                let named: BTreeSet<_> = quoted.map(|name| name.trim_end_matches('!')).collect();
                self.speaks_of(line, &named)
            })
    }

    /// Reports whether the line, or the head of its statement, names an import of this file alone, or the runtime
    /// itself.
    fn names(&self, line: usize) -> bool {
        let runtime = self.source.server.replace('-', "_");
        let imports = self.source.imports.difference(&self.other.imports).map(|(name, _)| name.as_str());
        let own: BTreeSet<_> = imports.chain([runtime.as_str()]).collect();
        self.speaks_of(line, &own)
    }

    /// Reports whether one of `names` is on the line, or at the head of a statement that the line belongs to.
    fn speaks_of(&self, line: usize, names: &BTreeSet<&str>) -> bool {
        let heads = (self.piece.head + 1..line).filter(|head| self.source.statement(*head).contains(&line));
        let mut lines = heads.chain([line]);
        lines.any(|line| self.tokens(line).any(|token| names.contains(token.text.as_str())))
    }

    fn tokens(&self, line: usize) -> impl Iterator<Item = &Token> {
        self.piece.tokens.iter().filter(move |token| token.line == line)
    }
}

#[cfg(test)]
mod tests;
