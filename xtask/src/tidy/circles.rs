//! Modules that use each other in a circle.
//!
//! The rule holds for every file that has child modules. It compares the file itself and its children, each child
//! together with everything below it. None of these may use one that uses it back, directly or through others.
//!
//! It follows that two siblings may not use each other, even if the paths are deep inside of their folders. A file
//! may declare its children, hand on their items with `pub use`, and use their items. But a child that the file uses
//! may not use an item that the file itself defines: such an item belongs into a file of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::crates::{Crate, Use};

/// Part of a folder: a child's name, or `None` for the file that the folder belongs to.
type Part = Option<String>;

/// Every circle, with an example of each use in it.
pub(super) fn check(crates: &[Crate]) -> Vec<String> {
    crates.iter().flat_map(in_crate).collect()
}

fn in_crate(tree: &Crate) -> Vec<String> {
    let uses = tree.uses();
    tree.files.iter().flat_map(|parent| in_folder(tree, &uses, &parent.module, &parent.path)).collect()
}

/// The circles among a file and its children.
fn in_folder(tree: &Crate, uses: &[Use], parent: &[String], parent_file: &str) -> Vec<String> {
    let part = |file: usize| -> Option<Part> {
        let below = tree.files[file].module.strip_prefix(parent)?;
        Some(below.first().cloned())
    };
    let mut examples: BTreeMap<(Part, Part), &Use> = BTreeMap::new();
    for one in uses {
        if let Some((from, to)) = part(one.from).zip(part(one.to))
            && from != to
        {
            examples.entry((from, to)).or_insert(one);
        }
    }
    let mut problems = Vec::new();
    for circle in circles(&examples.keys().cloned().collect()) {
        let name = |part: &Part| part.clone().unwrap_or_else(|| parent_file.to_owned());
        let names: Vec<String> = circle.iter().map(name).collect();
        let mut text = format!("{parent_file}: its modules use each other in a circle: {}", names.join(", "));
        for ((from, to), one) in &examples {
            if circle.contains(from) && circle.contains(to) {
                let (line, item) = (one.line, &one.item);
                let at = &tree.files[one.from].path;
                let _ = write!(text, "\n    {at}:{line}: {} uses {} ({item})", name(from), name(to));
            }
        }
        problems.push(text);
    }
    problems
}

/// The largest sets of parts in which every part uses every other one, directly or through others.
fn circles(edges: &BTreeSet<(Part, Part)>) -> Vec<BTreeSet<Part>> {
    let reached = |from: &Part| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(part) = open.pop() {
            for (_, to) in edges.iter().filter(|(from, _)| from == part) {
                if seen.insert(to.clone()) {
                    open.push(to);
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&Part, BTreeSet<Part>> =
        edges.iter().map(|(from, _)| (from, reached(from))).collect();
    let mut found: Vec<BTreeSet<Part>> = Vec::new();
    for (part, ahead) in &reach {
        let back = |other: &&Part| reach.get(other).is_some_and(|ahead| ahead.contains(*part));
        let circle: BTreeSet<Part> = ahead.iter().filter(back).cloned().collect();
        if circle.len() > 1 && !found.contains(&circle) {
            found.push(circle);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::crates;
    use super::super::source::Source;
    use super::*;

    /// The circles in an xtask that consists of these files.
    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let mut sources = vec![Source::new("xtask/Cargo.toml", "")];
        sources.extend(files.iter().map(|(path, text)| Source::new(format!("xtask/src/{path}"), *text)));
        check(&crates::load(&sources))
    }

    #[test]
    fn siblings_that_use_each_other_are_named_with_their_lines() {
        let found = problems(&[
            ("main.rs", "mod a; mod b;"),
            ("a.rs", "\nuse crate::b::B;\npub struct A;"),
            ("b.rs", "pub struct B;\nfn f(a: super::a::A) {}"),
        ]);
        assert_eq!(
            found,
            ["xtask/src/main.rs: its modules use each other in a circle: a, b\n    \
              xtask/src/a.rs:2: a uses b (B)\n    xtask/src/b.rs:2: b uses a (A)"]
        );
    }

    #[test]
    fn a_circle_of_three_is_found_and_a_diamond_is_none() {
        let root = ("main.rs", "mod a; mod b; mod c; mod d;");
        let circle =
            [root, ("a.rs", "use super::b::x;"), ("b.rs", "use super::c::x;"), ("c.rs", "use super::a::x;")];
        assert_eq!(problems(&[&circle[..], &[("d.rs", "")]].concat()).len(), 1);
        let diamond = [
            root,
            ("a.rs", "use super::{b::x, c::y};"),
            ("b.rs", "use super::d::z;"),
            ("c.rs", "use super::d::z;"),
            ("d.rs", "pub fn z() {}"),
        ];
        assert_eq!(problems(&diamond), [""; 0]);
    }

    #[test]
    fn folders_that_use_each_other_from_different_files_form_a_circle() {
        let found = problems(&[
            ("main.rs", "mod a; mod b;"),
            ("a.rs", "mod one; mod two;"),
            ("a/one.rs", "use crate::b::three::x;"),
            ("a/two.rs", "pub fn y() {}"),
            ("b.rs", "pub mod three; mod four;"),
            ("b/three.rs", "pub fn x() {}"),
            ("b/four.rs", "use crate::a::two::y;"),
        ]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("xtask/src/main.rs: its modules use each other in a circle: a, b"));
    }

    #[test]
    fn a_child_may_use_its_parent_s_items_only_if_the_parent_does_not_use_the_child() {
        let child = ("a/child.rs", "use super::Shared;\npub fn f() {}");
        let root = ("main.rs", "mod a;");
        let declared = ("a.rs", "mod child;\npub struct Shared;");
        assert_eq!(problems(&[root, declared, child]), [""; 0]);
        for uses in [
            "use child::f;",
            "fn g() { child::f() }",
            "fn g() { self::child::f() }",
            "use crate::a::child::*;",
        ] {
            let text = format!("mod child;\npub struct Shared;\n{uses}");
            let found = problems(&[root, ("a.rs", &text), child]);
            assert!(
                found.len() == 1 && found[0].contains("in a circle: xtask/src/a.rs, child"),
                "{uses}: {found:?}"
            );
        }
    }

    #[test]
    fn items_that_a_parent_hands_on_do_not_form_a_circle() {
        let files = |own: &'static str| {
            [
                ("main.rs", "mod a;"),
                ("a.rs", own),
                ("a/one.rs", "pub fn f() {}\npub struct One;"),
                // `super::f` is defined in `one`.
                ("a/two.rs", "use super::f;\npub struct Two;"),
            ]
        };
        assert_eq!(problems(&files("mod one; mod two;\npub use one::f; pub use two::Two;")), [""; 0]);
        assert_eq!(problems(&files("mod one; mod two;\nuse one::f;\npub(crate) use two::Two;")), [""; 0]);
        // A file that hands on an item and names it as well uses it.
        let named = [
            ("main.rs", "mod a;"),
            ("a.rs", "mod child;\npub use child::Item;\npub struct Shared(Item);"),
            ("a/child.rs", "use super::Shared;\npub struct Item;"),
        ];
        assert_eq!(problems(&named).len(), 1);
    }

    #[test]
    fn modules_of_tests_do_not_count() {
        let found = problems(&[
            ("main.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::x;\npub fn y() {}"),
            ("b.rs", "pub fn x() {}\n#[cfg(test)]\nmod tests { use crate::a::y; }"),
        ]);
        assert_eq!(found, [""; 0]);
    }
}
