//! One file of a server, as far as the comparison looks at it.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ImplItem, Item, Lit, Meta, UseTree};

/// A file of one server.
#[derive(Debug)]
pub(crate) struct Source {
    /// The server's name, by which its comments begin.
    pub(crate) server: String,
    /// Its items, in their order.
    pub(crate) items: Vec<Piece>,
    /// The names that it imports, each with its path.
    pub(crate) imports: BTreeSet<(String, String)>,
    lines: Vec<String>,
}

/// An item, or a method.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Its kind and name, such as `fn main` or `fn Conn::over`.
    pub(crate) name: String,
    /// Its documentation, on one line.
    pub(crate) docs: String,
    /// Its lines, with those of its documentation and of the comments above it.
    pub(crate) lines: RangeInclusive<usize>,
    /// The first line of its code.
    pub(crate) head: usize,
    /// Its code.
    pub(crate) tokens: Vec<Token>,
}

impl Piece {
    /// Its lines of code, each with its number, without what does not count: the signature of a function among it, which
    /// the compiler holds to.
    pub(crate) fn code(&self) -> Vec<(usize, String)> {
        let mut lines: Vec<(usize, String)> = Vec::new();
        let end = |token: &Token| self.name.starts_with("fn ") && token.text != "{";
        let signature = self.tokens.iter().take_while(|token| end(token)).count();
        for token in &self.tokens[signature..] {
            match lines.last_mut() {
                Some((line, text)) if *line == token.line => {
                    text.push(' ');
                    text.push_str(&token.text);
                }
                _ => lines.push((token.line, token.text.clone())),
            }
        }
        // The last of several lines has no comma, and is not another line for that.
        lines.into_iter().map(|(line, text)| (line, text.trim_end_matches([' ', ',']).to_owned())).collect()
    }
}

/// One token of code, and its line.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// A comment that begins with the server's name.
#[derive(Debug)]
pub(crate) struct Mark<'a> {
    /// Its line, counted from one.
    pub(crate) line: usize,
    /// The text behind the name.
    pub(crate) text: &'a str,
}

impl Source {
    /// Parses the `text` of a file of `server`.
    ///
    /// # Errors
    /// It is no Rust.
    pub(crate) fn parse(server: &str, text: &str) -> Result<Self, syn::Error> {
        let file = syn::parse_file(text)?;
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let mut source = Self { server: server.into(), items: Vec::new(), imports: BTreeSet::new(), lines };
        for item in &file.items {
            source.add(item);
        }
        Ok(source)
    }

    fn add(&mut self, item: &Item) {
        match item {
            Item::Use(used) => imported(&used.tree, "", &mut self.imports),
            Item::Mod(module) if module.ident == "tests" => {}
            Item::Mod(module) if module.content.is_none() => {}
            Item::Impl(block) => {
                let of = block.self_ty.to_token_stream().into_iter().next();
                let of = of.map(|first| first.to_string()).unwrap_or_default();
                for member in &block.items {
                    if let ImplItem::Fn(method) = member {
                        self.push(format!("fn {of}::{}", method.sig.ident), &method.attrs, method);
                    }
                }
            }
            other => {
                let (name, attributes) = match other {
                    Item::Fn(item) => (format!("fn {}", item.sig.ident), &item.attrs),
                    Item::Struct(item) => (format!("struct {}", item.ident), &item.attrs),
                    Item::Enum(item) => (format!("enum {}", item.ident), &item.attrs),
                    Item::Trait(item) => (format!("trait {}", item.ident), &item.attrs),
                    Item::Const(item) => (format!("const {}", item.ident), &item.attrs),
                    Item::Static(item) => (format!("static {}", item.ident), &item.attrs),
                    Item::Type(item) => (format!("type {}", item.ident), &item.attrs),
                    _ => ("item".into(), &Vec::new()),
                };
                self.push(name, attributes, other);
            }
        }
    }

    fn push(&mut self, name: String, attributes: &[Attribute], item: &(impl ToTokens + Spanned)) {
        let docs = attributes.iter().filter_map(doc).collect::<Vec<_>>().join(" ");
        let (begin, end) = (item.span().start().line, item.span().end().line);
        // The comments above the documentation are the item's, too.
        let above = (1..begin).rev().take_while(|line| self.comment(*line).is_some()).count();
        let mut tokens = Vec::new();
        flatten(item.to_token_stream(), &mut tokens);
        let tokens = plain(&tokens, &self.server);
        let head = tokens.first().map_or(begin, |token| token.line);
        self.items.push(Piece { name, docs, lines: begin - above..=end, head, tokens });
    }

    /// The text of the comment that is all there is on this line.
    fn comment(&self, line: usize) -> Option<&str> {
        let text = self.line(line).trim_start().strip_prefix("//")?;
        (!text.starts_with('/') && !text.starts_with('!')).then(|| text.trim_start())
    }

    /// This line, counted from one.
    pub(crate) fn line(&self, line: usize) -> &str {
        self.lines.get(line - 1).map_or("", String::as_str)
    }

    /// The comments of this server within these lines.
    pub(crate) fn marks(&self, lines: RangeInclusive<usize>) -> impl Iterator<Item = Mark<'_>> {
        lines.filter_map(|line| {
            let text = self.comment(line)?.strip_prefix(self.server.as_str())?.strip_prefix(": ")?;
            Some(Mark { line, text })
        })
    }

    /// All lines of the file.
    pub(crate) fn all(&self) -> RangeInclusive<usize> {
        1..=self.lines.len()
    }

    /// The comments of this server before the first item.
    pub(crate) fn header(&self) -> impl Iterator<Item = Mark<'_>> {
        self.marks(1..=self.items.first().map_or(1, |item| *item.lines.start()) - 1)
    }

    /// The lines that a comment on line `mark` speaks of: the statement, field or arm that begins behind it.
    pub(crate) fn covered(&self, mark: usize) -> RangeInclusive<usize> {
        let is_code = |line: &usize| {
            let text = self.line(*line).trim_start();
            self.comment(*line).is_none() && !text.starts_with("///") && !text.starts_with("#[")
        };
        let Some(begin) = (mark + 1..=self.lines.len()).find(is_code) else { return mark..=mark };
        mark..=*self.statement(begin).end()
    }

    /// The lines of the statement, field or arm that begins on line `begin`.
    pub(crate) fn statement(&self, begin: usize) -> RangeInclusive<usize> {
        let depth = indent(self.line(begin));
        let goes_on = |line: &usize| {
            let text = self.line(*line);
            text.trim().is_empty() || indent(text) > depth || (indent(text) == depth && closes(text))
        };
        let end = (begin + 1..=self.lines.len()).take_while(goes_on).last().unwrap_or(begin);
        begin..=end
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Reports whether the line goes on with what began on an earlier line of the same indentation.
fn closes(line: &str) -> bool {
    line.trim_start().starts_with(['}', ')', ']', '{', '.'])
}

/// The text of an attribute that is a line of documentation.
fn doc(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let Expr::Lit(value) = &pair.value else { return None };
    match &value.lit {
        Lit::Str(text) if pair.path.is_ident("doc") => Some(text.value().trim().into()),
        _ => None,
    }
}

/// Adds the names that `tree` imports, each with its path.
fn imported(tree: &UseTree, path: &str, imports: &mut BTreeSet<(String, String)>) {
    let join = |name: &dyn ToString| format!("{path}::{}", name.to_string());
    match tree {
        UseTree::Path(part) => imported(&part.tree, &join(&part.ident), imports),
        UseTree::Name(name) if name.ident == "self" => {
            let module = path.rsplit("::").next().unwrap_or_default();
            imports.insert((module.into(), path.into()));
        }
        UseTree::Name(name) => {
            imports.insert((name.ident.to_string(), join(&name.ident)));
        }
        UseTree::Rename(name) => {
            imports.insert((name.rename.to_string(), join(&name.ident)));
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| imported(tree, path, imports)),
        UseTree::Glob(_) => {}
    }
}

/// The tokens of `stream` and of everything within it, without documentation.
fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let mut stream = stream.into_iter().peekable();
    while let Some(tree) = stream.next() {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Punct(mark) if mark.as_char() == '#' && is_doc(stream.peek()) => drop(stream.next()),
            TokenTree::Group(group) => {
                let text = |at: usize| match group.delimiter() {
                    proc_macro2::Delimiter::Parenthesis => ["(", ")"][at],
                    proc_macro2::Delimiter::Brace => ["{", "}"][at],
                    proc_macro2::Delimiter::Bracket => ["[", "]"][at],
                    proc_macro2::Delimiter::None => "",
                };
                tokens.push(Token { text: text(0).into(), line });
                flatten(group.stream(), tokens);
                tokens.push(Token { text: text(1).into(), line: group.span_close().start().line });
            }
            other => tokens.push(Token { text: other.to_string(), line }),
        }
    }
}

fn is_doc(tree: Option<&TokenTree>) -> bool {
    let Some(TokenTree::Group(group)) = tree else { return false };
    group.stream().into_iter().next().is_some_and(|first| first.to_string() == "doc")
}

/// The tokens without what only says that a runtime awaits, and without the server's own name and line breaks' commas.
fn plain(tokens: &[Token], server: &str) -> Vec<Token> {
    let mut plain: Vec<Token> = Vec::new();
    let mut rest = tokens;
    while let [token, behind @ ..] = rest {
        rest = behind;
        let next = behind.first().map(|next| next.text.as_str());
        match token.text.as_str() {
            "async" => continue,
            "." if next == Some("await") => {
                rest = &behind[1..];
                continue;
            }
            "," if matches!(next, Some(")" | "}" | "]")) => continue,
            // A lifetime is the borrow that the runtime's types ask for.
            "'" => {
                rest = &behind[1..];
                continue;
            }
            ">" if plain.last().is_some_and(|last| last.text == "<") => {
                plain.pop();
                continue;
            }
            _ => {}
        }
        let text =
            if token.text.starts_with('"') { token.text.replace(server, "NAME") } else { token.text.clone() };
        plain.push(Token { text, line: token.line });
    }
    plain
}
