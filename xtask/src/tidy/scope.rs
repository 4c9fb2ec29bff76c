//! What one Rust file declares, imports and names, read from its tokens.
//!
//! `proc-macro2` splits the text into tokens as the compiler does, so comments, strings and lifetimes cannot
//! be mistaken for paths. Tokens are the same inside and outside of macro calls. A syntax tree (`syn`) has no paths
//! of macro calls in it, and it is a much larger dependency.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A module, as its own text describes it.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// Names of the functions, types, constants and macros that are defined here.
    pub(super) defined: BTreeSet<String>,
    pub(super) imports: Vec<Import>,
    /// Paths outside of `use` lines.
    pub(super) paths: Vec<Named>,
    pub(super) children: Vec<Child>,
}

/// One name that a `use` line brings in.
#[derive(Debug)]
pub(super) struct Import {
    /// The name it has here; `None` for `*`.
    pub(super) name: Option<String>,
    pub(super) path: Named,
    /// Whether the line begins with `pub`, so that other modules can use the name.
    pub(super) public: bool,
}

/// A path and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
}

#[derive(Debug)]
pub(super) struct Child {
    pub(super) name: String,
    /// The content of `mod name { … }`; `None` for `mod name;`.
    pub(super) inline: Option<Scope>,
    /// The value of `#[path = "…"]`.
    pub(super) path: Option<String>,
}

impl Scope {
    /// Reads a file. Everything under `#[cfg(test)]` is left out.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let tokens: TokenStream = text.parse().map_err(|error| format!("not Rust: {error}"))?;
        Ok(Self::from_tokens(tokens))
    }

    fn from_tokens(tokens: TokenStream) -> Self {
        let mut scope = Self::default();
        Reader { tokens: tokens.into_iter().collect(), at: 0, scope: &mut scope, items: true }.read();
        scope
    }
}

/// Keywords that stand before the name of what they define.
const DEFINES: [&str; 8] = ["fn", "struct", "enum", "union", "trait", "type", "const", "static"];
/// Keywords with which an item can begin, besides those that define a name.
const BEGINS: [&str; 8] = ["pub", "use", "mod", "impl", "unsafe", "async", "extern", "macro_rules"];

/// Goes through the tokens of a file or of a group in brackets.
struct Reader<'a> {
    tokens: Vec<TokenTree>,
    at: usize,
    scope: &'a mut Scope,
    /// Whether these are the items of a module, rather than the inside of an item.
    items: bool,
}

impl Reader<'_> {
    fn read(&mut self) {
        let mut path_attribute = None;
        while let Some(token) = self.tokens.get(self.at).cloned() {
            match token {
                TokenTree::Punct(punct) => match punct.as_char() {
                    '#' => {
                        let inner = self.is_punct(self.at + 1, '!');
                        self.at += if inner { 2 } else { 1 };
                        let Some(attribute) = self.group(self.at, Delimiter::Bracket) else { continue };
                        self.at += 1;
                        if is_for_tests(&attribute) {
                            self.skip(inner);
                        } else if let Some(path) = path_value(&attribute) {
                            path_attribute = Some(path);
                        } else {
                            self.inside(attribute);
                        }
                    }
                    // A lifetime.
                    '\'' => self.at += 2,
                    '.' if self.is_punct(self.at + 1, '.') => self.at += 2,
                    // A field or a method; or what follows the end of `<T as Trait>`.
                    '.' => self.at += if self.ident(self.at + 1).is_some() { 2 } else { 1 },
                    ':' if self.is_path_separator(self.at) => {
                        self.at += if self.ident(self.at + 2).is_some() { 3 } else { 2 };
                    }
                    _ => self.at += 1,
                },
                TokenTree::Ident(ident) => match ident.to_string().as_str() {
                    "use" if !self.is_punct(self.at + 1, '<') => self.import(),
                    "mod" => self.child(path_attribute.take()),
                    word => self.path(word.to_owned(), ident.span().start().line),
                },
                TokenTree::Group(group) => {
                    self.at += 1;
                    self.inside(group.stream());
                }
                TokenTree::Literal(_) => self.at += 1,
            }
        }
    }

    fn inside(&mut self, tokens: TokenStream) {
        let tokens = tokens.into_iter().collect();
        Reader { tokens, at: 0, scope: self.scope, items: false }.read();
    }

    /// Skips what a `#[cfg(test)]` belongs to: an item, a field, or everything that follows.
    fn skip(&mut self, everything: bool) {
        if everything {
            self.at = self.tokens.len();
            return;
        }
        while self.is_punct(self.at, '#') {
            self.at += 2;
        }
        let item = self.ident(self.at).is_some_and(|word| {
            self.items || DEFINES.contains(&word.as_str()) || BEGINS.contains(&word.as_str())
        });
        while let Some(token) = self.tokens.get(self.at) {
            self.at += 1;
            let ends = match token {
                TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                TokenTree::Punct(punct) => punct.as_char() == ';' || (!item && punct.as_char() == ','),
                _ => false,
            };
            if ends {
                return;
            }
        }
    }

    fn import(&mut self) {
        let public = self.at.checked_sub(1).is_some_and(|before| {
            self.ident(before).as_deref() == Some("pub")
                || self.group(before, Delimiter::Parenthesis).is_some()
        });
        let begin = self.at + 1;
        while self.at < self.tokens.len() && !self.is_punct(self.at, ';') {
            self.at += 1;
        }
        let tree = self.tokens[begin..self.at].to_vec();
        self.scope.imports.extend(imports(&[], tree, public));
    }

    fn child(&mut self, path: Option<String>) {
        let Some(name) = self.ident(self.at + 1) else {
            self.at += 1;
            return;
        };
        let inline = self.group(self.at + 2, Delimiter::Brace).map(Scope::from_tokens);
        if inline.is_some() || self.is_punct(self.at + 2, ';') {
            self.scope.children.push(Child { name, inline, path });
        }
        self.at += 3;
    }

    /// Reads a path that begins here, or a name that is defined here.
    fn path(&mut self, first: String, line: usize) {
        if self.items {
            let after = |count: usize| self.ident(self.at + count);
            let name = if DEFINES.contains(&first.as_str()) {
                after(1).and_then(|name| if name == "mut" { after(2) } else { Some(name) })
            } else if first == "macro_rules" {
                after(2)
            } else {
                None
            };
            // `const fn name` is found at its `fn`.
            self.scope.defined.extend(name.filter(|name| !DEFINES.contains(&name.as_str())));
        }
        let mut segments = vec![first];
        self.at += 1;
        while self.is_path_separator(self.at)
            && let Some(next) = self.ident(self.at + 2)
        {
            segments.push(next);
            self.at += 3;
        }
        self.scope.paths.push(Named { segments, line });
    }

    fn is_punct(&self, at: usize, wanted: char) -> bool {
        matches!(self.tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
    }

    fn is_path_separator(&self, at: usize) -> bool {
        let joint = |punct: &proc_macro2::Punct| punct.as_char() == ':' && punct.spacing() == Spacing::Joint;
        matches!(self.tokens.get(at), Some(TokenTree::Punct(punct)) if joint(punct))
            && self.is_punct(at + 1, ':')
    }

    fn ident(&self, at: usize) -> Option<String> {
        match self.tokens.get(at) {
            Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
            _ => None,
        }
    }

    fn group(&self, at: usize, delimiter: Delimiter) -> Option<TokenStream> {
        match self.tokens.get(at) {
            Some(TokenTree::Group(group)) if group.delimiter() == delimiter => Some(group.stream()),
            _ => None,
        }
    }
}

/// The names that the tree of a `use` line brings in; `before` is the path in front of it.
fn imports(before: &[String], tree: Vec<TokenTree>, public: bool) -> Vec<Import> {
    let mut found = Vec::new();
    let mut segments = before.to_vec();
    let mut rename = None;
    let mut line = 0;
    let mut tokens = tree.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == "as" => {
                rename = tokens.next().map(|name| name.to_string());
            }
            TokenTree::Ident(ident) => {
                line = ident.span().start().line;
                // `a::{self}` is `a`.
                if ident != "self" || segments.is_empty() {
                    segments.push(ident.to_string());
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == '*' => {
                let path = Named { segments, line: punct.span().start().line };
                found.push(Import { name: None, path, public });
                return found;
            }
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ',');
                for part in inner.split(is_comma).filter(|part| !part.is_empty()) {
                    found.extend(imports(&segments, part.to_vec(), public));
                }
                return found;
            }
            _ => {}
        }
    }
    if let Some(last) = segments.last() {
        let name = rename.unwrap_or_else(|| last.clone());
        found.push(Import { name: Some(name), path: Named { segments, line }, public });
    }
    found
}

/// Whether an attribute is `cfg(test)`, or `cfg(all(test, …))`.
fn is_for_tests(attribute: &TokenStream) -> bool {
    let text: String = attribute.to_string().split_whitespace().collect();
    text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

fn path_value(attribute: &TokenStream) -> Option<String> {
    let text = attribute.to_string();
    let value = text.strip_prefix("path")?.trim_start().strip_prefix('=')?;
    Some(value.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::read(text).unwrap()
    }

    fn paths(text: &str) -> Vec<String> {
        scope(text)
            .paths
            .iter()
            .map(|path| path.segments.join("::"))
            .filter(|path| path.contains("::"))
            .collect()
    }

    fn imported(text: &str) -> Vec<(String, String)> {
        let imports = scope(text).imports.into_iter();
        imports
            .map(|import| (import.path.segments.join("::"), import.name.unwrap_or_else(|| "*".to_owned())))
            .collect()
    }

    #[test]
    fn nested_groups_renames_and_globs_are_read() {
        let found = imported("use crate::{a::{self, B as C}, d::*};\npub use super::e::F;");
        let expected = [("crate::a", "a"), ("crate::a::B", "C"), ("crate::d", "*"), ("super::e::F", "F")];
        assert_eq!(found, expected.map(|(path, name)| (path.to_owned(), name.to_owned())));
        let public: Vec<bool> =
            scope("use a::b; pub use c::d; pub(crate) use e::f;").imports.iter().map(|i| i.public).collect();
        assert_eq!(public, [false, true, true]);
    }

    #[test]
    fn paths_are_found_in_code_macros_and_attributes() {
        let text = "#[arg(value_parser = super::a::b)]\nfn f() { vec![crate::c::d(x.y::<self::e::F>())] }";
        assert_eq!(paths(text), ["super::a::b", "crate::c::d", "self::e::F"]);
        assert_eq!(paths("struct S { a: crate::b::C, ..crate::d::e() }"), ["crate::b::C", "crate::d::e"]);
    }

    #[test]
    fn comments_strings_lifetimes_and_methods_are_no_paths() {
        let text =
            "/// crate::a::b\n// crate::c\nfn f<'crate_>(x: &'crate_ str) { x.len(); \"crate::d::e\"; }";
        assert_eq!(paths(text), [""; 0]);
        assert_eq!(paths("fn f() { <T as U>::g::h(); ::std::mem::drop(1) }"), [""; 0]);
    }

    #[test]
    fn code_for_tests_is_left_out() {
        let text = "#[cfg(test)]\nmod tests { use crate::a::b; }\n#[cfg(test)]\nuse crate::c::d;\n\
                    struct S { #[cfg(test)] x: crate::e::F, y: crate::g::H }";
        let scope = scope(text);
        assert!(scope.children.is_empty() && scope.imports.is_empty(), "{scope:?}");
        assert_eq!(paths(text), ["crate::g::H"]);
        assert_eq!(paths("#![cfg(test)]\nfn f() { crate::a::b() }"), [""; 0]);
    }

    #[test]
    fn children_and_definitions_are_told_apart_from_what_is_inside_of_them() {
        let scope = scope(
            "mod a;\n#[path = \"../x.rs\"]\nmod b;\nmod c { fn inner() {} }\n\
             const fn d() { fn inner() {} }\nstatic mut E: u8 = 0;\nimpl F { fn inner() {} }\nmacro_rules! g { () => {} }",
        );
        assert_eq!(Vec::from_iter(&scope.defined), ["E", "d", "g"]);
        let children: Vec<_> = scope.children.iter().map(|c| (c.name.as_str(), c.inline.is_some())).collect();
        assert_eq!(children, [("a", false), ("b", false), ("c", true)]);
        assert_eq!(scope.children[1].path.as_deref(), Some("../x.rs"));
    }
}
