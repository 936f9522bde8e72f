//! Reads facts from the tokens of a file, inside of macros too.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A function with a body.
pub(crate) struct Function {
    pub(crate) name: String,
    /// The line of its `fn`.
    pub(crate) line: usize,
    /// The number of lines from `fn` to the closing brace.
    pub(crate) lines: usize,
}

/// Returns the lines of documentation comments, in order.
pub(crate) fn documented_lines(tokens: &TokenStream) -> Vec<usize> {
    let mut lines = Vec::new();
    for tree in tokens.clone() {
        let TokenTree::Group(group) = tree else { continue };
        if is_documentation(&group) {
            lines.push(group.span_open().start().line);
        } else {
            lines.extend(documented_lines(&group.stream()));
        }
    }
    lines
}

/// Reports whether the brackets are those of `#[doc = "…"]`, the compiler's form of a documentation comment.
fn is_documentation(group: &Group) -> bool {
    let first = group.stream().into_iter().next();
    group.delimiter() == Delimiter::Bracket && first.is_some_and(|first| first.to_string() == "doc")
}

/// Reports whether the brackets are those of `#[cfg(test)]`.
fn is_for_tests(group: &Group) -> bool {
    group.delimiter() == Delimiter::Bracket && group.stream().to_string().replace(' ', "") == "cfg(test)"
}

/// Returns the functions that have bodies, in order, those within others too.
pub(crate) fn functions(tokens: &TokenStream) -> Vec<Function> {
    let mut found = Vec::new();
    let mut open: Option<(String, usize)> = None;
    let mut after_fn = None;
    for tree in tokens.clone() {
        match &tree {
            TokenTree::Ident(word) => match after_fn.take() {
                Some(line) => open = Some((word.to_string(), line)),
                None if word == "fn" => after_fn = Some(word.span().start().line),
                None => {}
            },
            TokenTree::Punct(mark) if mark.as_char() == ';' => open = None,
            TokenTree::Group(group) => {
                after_fn = None;
                if group.delimiter() == Delimiter::Brace
                    && let Some((name, line)) = open.take()
                {
                    let lines = group.span_close().start().line - line + 1;
                    found.push(Function { name, line, lines });
                }
                found.extend(functions(&group.stream()));
            }
            _ => after_fn = None,
        }
    }
    found
}

/// Returns the number of lines that modules under `#[cfg(test)]` take.
pub(crate) fn test_lines(tokens: &TokenStream) -> usize {
    let mut count = 0;
    let mut begin = None;
    for tree in tokens.clone() {
        match &tree {
            TokenTree::Group(group) if is_for_tests(group) => {
                begin = begin.or(Some(group.span_open().start().line));
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                count += begin.take().map_or(0, |begin| group.span_close().start().line - begin + 1);
            }
            TokenTree::Punct(mark) if mark.as_char() == ';' => begin = None,
            _ => {}
        }
    }
    count
}

/// A path that the code names, from the crate's root: `crate::a::b` is `[a, b]`.
#[derive(Debug, PartialEq)]
pub(crate) struct Reference {
    pub(crate) line: usize,
    /// The module that the code stands in.
    pub(crate) from: Vec<String>,
    pub(crate) to: Vec<String>,
}

/// Returns what the code of the module `at` names by `crate::` and `super::`, tests aside.
pub(crate) fn references(tokens: &TokenStream, at: &[String]) -> Vec<Reference> {
    let mut found = Vec::new();
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut is_test = false;
    let mut i = 0;
    while i < trees.len() {
        match &trees[i] {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                is_test |= is_for_tests(group);
                found.extend(references(&group.stream(), at));
            }
            TokenTree::Ident(word) if word == "mod" => {
                if let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(group))) =
                    (trees.get(i + 1), trees.get(i + 2))
                {
                    let inner = [at, &[name.to_string()]].concat();
                    if !is_test {
                        found.extend(references(&group.stream(), &inner));
                    }
                    i += 2;
                }
                is_test = false;
            }
            TokenTree::Ident(word) if word == "crate" || word == "super" => {
                let (base, next) = base(&trees, i, at);
                follow(&trees[next..], at, base, &mut found);
                i = next - 1;
                is_test = false;
            }
            TokenTree::Group(group) => {
                if !is_test {
                    found.extend(references(&group.stream(), at));
                }
                is_test &= group.delimiter() != Delimiter::Brace;
            }
            _ => {}
        }
        i += 1;
    }
    found
}

/// Reads `crate`, or one `super` or several, at `i`; returns the module meant and the place behind the words.
fn base(trees: &[TokenTree], mut i: usize, at: &[String]) -> (Vec<String>, usize) {
    let is = |i: usize, text: &str| trees.get(i).is_some_and(|tree| tree.to_string() == text);
    if is(i, "crate") {
        return (Vec::new(), i + 1);
    }
    let mut base = at.to_vec();
    loop {
        base.pop();
        if !(is(i + 1, ":") && is(i + 2, ":") && is(i + 3, "super")) {
            return (base, i + 1);
        }
        i += 3;
    }
}

/// Adds the paths that `trees`, which follow on `path`, name.
fn follow(trees: &[TokenTree], at: &[String], mut path: Vec<String>, found: &mut Vec<Reference>) {
    let [TokenTree::Punct(one), TokenTree::Punct(two), next, rest @ ..] = trees else { return };
    if one.as_char() != ':' || two.as_char() != ':' {
        return;
    }
    let line = next.span().start().line;
    match next {
        TokenTree::Ident(word) => {
            path.push(word.to_string());
            let goes_on = matches!(rest, [TokenTree::Punct(a), TokenTree::Punct(b), ..]
                if a.as_char() == ':' && b.as_char() == ':');
            if goes_on {
                follow(rest, at, path, found);
            } else {
                found.push(Reference { line, from: at.to_vec(), to: path });
            }
        }
        TokenTree::Group(group) => members(group, at, &path, found),
        _ => found.push(Reference { line, from: at.to_vec(), to: path }),
    }
}

/// Adds the members of `path::{…}`.
fn members(group: &Group, at: &[String], path: &[String], found: &mut Vec<Reference>) {
    let trees: Vec<TokenTree> = group.stream().into_iter().collect();
    for member in trees.split(|tree| tree.to_string() == ",") {
        let Some(TokenTree::Ident(word)) = member.first() else { continue };
        let inner = match word.to_string().as_str() {
            "self" => path.to_vec(),
            word => [path, &[word.to_owned()]].concat(),
        };
        let before = found.len();
        follow(&member[1..], at, inner.clone(), found);
        if found.len() == before {
            found.push(Reference { line: word.span().start().line, from: at.to_vec(), to: inner });
        }
    }
}

/// Returns the names that the crate's root exports from its modules, each with its path.
pub(crate) fn exports(tokens: &TokenStream) -> BTreeMap<String, Vec<String>> {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut exports = BTreeMap::new();
    for part in trees.split(|tree| tree.to_string() == ";") {
        if let Some(at) = part.iter().position(|tree| matches!(tree, TokenTree::Ident(word) if word == "use"))
        {
            export(&part[at + 1..], &[], &mut exports);
        }
    }
    exports
}

/// Adds the names of one tree of a `use`, which stands behind `path`.
fn export(trees: &[TokenTree], path: &[String], exports: &mut BTreeMap<String, Vec<String>>) {
    match trees {
        [TokenTree::Ident(word), TokenTree::Punct(_), TokenTree::Punct(_), rest @ ..] => {
            let word = word.to_string();
            let path =
                if matches!(&*word, "crate" | "self") { path.to_vec() } else { [path, &[word]].concat() };
            export(rest, &path, exports);
        }
        [TokenTree::Ident(word), rest @ ..] => {
            let name = rest.last().unwrap_or(&trees[0]).to_string();
            exports.insert(name, [path, &[word.to_string()]].concat());
        }
        [TokenTree::Group(group)] => {
            let members: Vec<TokenTree> = group.stream().into_iter().collect();
            members.split(|tree| tree.to_string() == ",").for_each(|member| export(member, path, exports));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> TokenStream {
        text.parse().expect("the text is Rust")
    }

    fn paths(text: &str, at: &[&str]) -> Vec<String> {
        let at: Vec<String> = at.iter().map(|&part| part.into()).collect();
        references(&tokens(text), &at).iter().map(|found| found.to.join("::")).collect()
    }

    #[test]
    fn counts_a_function_from_its_first_line_to_its_last() {
        let found = functions(&tokens("fn a(\n) {\n    fn b() {}\n}\ntrait T { fn c(); }\ntype F = fn(u8);"));
        let found: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.line, f.lines)).collect();
        assert_eq!(found, [("a", 1, 4), ("b", 3, 1)]);
    }

    #[test]
    fn counts_the_lines_of_tests_from_their_attribute() {
        assert_eq!(test_lines(&tokens("fn a() {}\n#[cfg(test)]\nmod tests {\n}\n#[cfg(test)]\nmod b;\n")), 3);
    }

    #[test]
    fn resolves_paths_by_the_module_that_they_stand_in() {
        assert_eq!(paths("use crate::a::{b, c::{D, self}};", &["x"]), ["a::b", "a::c::D", "a::c"]);
        assert_eq!(paths("fn f() { super::super::a::g() }", &["x", "y", "z"]), ["x::a::g"]);
        assert_eq!(paths("mod y { use super::super::a; }", &["x"]), ["a"]);
    }

    #[test]
    fn leaves_out_what_tests_name() {
        assert_eq!(paths("#[cfg(test)]\nmod tests { use crate::a; }\nuse crate::b;", &["x"]), ["b"]);
    }
}
