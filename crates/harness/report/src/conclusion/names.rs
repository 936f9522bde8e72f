//! Lists of servers, as short as they can be understood.

use measure::results::Results;
use measure::text::list;
use measure::zombie::STYLES;

use super::Length;

/// The longest list that a conclusion spells out whatever its length.
const SHORT: usize = 4;
/// The longest list that the shortest conclusion spells out; of a longer one it names as many less one, and counts the rest.
const LONG: usize = 6;

/// The servers of a conclusion.
pub(super) struct Names<'a> {
    all: Vec<&'a str>,
    styles: usize,
    pub(super) length: Length,
}

impl<'a> Names<'a> {
    pub(super) fn of(results: &'a Results, length: Length) -> Self {
        let lives = &results.measured.zombie;
        let measured = |name: &&str| {
            let watched = lives.iter().any(|life| life.server == *name);
            watched || results.measured.disconnect.iter().any(|one| one.server == *name)
        };
        let all = results.names().into_iter().filter(measured).collect();
        let styles = STYLES.iter().filter(|style| lives.iter().any(|life| life.style == **style)).count();
        Self { all, styles, length }
    }

    /// Returns the servers as part of a sentence, by those that it leaves out where these are few; empty when there is but
    /// one server.
    pub(super) fn said(&self, who: &[&str]) -> String {
        let others: Vec<&str> = self.all.iter().copied().filter(|name| !who.contains(name)).collect();
        let is_fewer = others.len() < who.len();
        match (others.len(), self.all.len()) {
            (0, 1) => String::new(),
            (0, 2) => "both".to_owned(),
            (0, all) => format!("all {all}"),
            (1, all) if all > 2 => format!("all but {}", others[0]),
            (2, all) if all > 2 * SHORT => format!("all but {}", list(&others)),
            (left_out, _)
                if self.length == Length::Shortest && is_fewer && left_out <= LONG && who.len() > SHORT =>
            {
                format!("all but {}", list(&others))
            }
            _ => self.plain(who),
        }
    }

    /// Returns the servers by name; of many the first, where the conclusion is short, and how many more there are.
    pub(super) fn plain(&self, who: &[&str]) -> String {
        if self.length != Length::Shortest || who.len() <= LONG {
            return list(who);
        }
        let (named, more) = who.split_at(LONG - 1);
        format!("{} and {} more", named.join(", "), more.len())
    }

    /// Returns the names of all of them.
    pub(super) fn all(&self) -> &[&'a str] {
        &self.all
    }

    /// Returns all of them: by name, where they are few.
    pub(super) fn whole(&self) -> String {
        match self.all.len() {
            0..=SHORT => self.all.join(", "),
            many => format!("{many} servers, named below"),
        }
    }

    /// Returns the number of styles that were measured.
    pub(super) fn styles(&self) -> String {
        const WORDS: [&str; 7] = ["no", "one", "two", "three", "four", "five", "six"];
        let number =
            WORDS.get(self.styles).map_or_else(|| self.styles.to_string(), |word| (*word).to_owned());
        format!("{number} style{}", if self.styles == 1 { "" } else { "s" })
    }
}
