//! The crates of the workspace with their modules: which file uses which.

use std::collections::{BTreeMap, BTreeSet};

use super::scope::{Import, Named, Scope};
use super::source::Source;

/// The names from the crate's root to a module; empty for the root itself.
pub(super) type ModulePath = Vec<String>;

/// One crate: a library, a program or a test program of a package.
#[derive(Debug)]
pub(super) struct Crate {
    /// The path of its root file.
    pub(super) root: String,
    pub(super) files: Vec<File>,
    /// Files that a `mod` line asks for and that are not there, and files that cannot be read.
    pub(super) problems: Vec<String>,
    modules: BTreeMap<ModulePath, Module>,
}

/// A file of a crate. Modules inside of it (`mod name { … }`) belong to it.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) module: ModulePath,
}

#[derive(Debug)]
struct Module {
    /// Index of its file.
    file: usize,
    scope: Scope,
}

/// One file uses something that another file of the same crate defines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    /// Index of the file that uses it.
    pub(super) from: usize,
    /// Index of the file that defines it.
    pub(super) to: usize,
    pub(super) item: String,
    /// The line in the first file.
    pub(super) line: usize,
}

/// Finds every crate of the workspace. A package is a folder with a `Cargo.toml`.
pub(super) fn load(sources: &[Source]) -> Vec<Crate> {
    let texts: BTreeMap<&str, &str> =
        sources.iter().map(|source| (source.path.as_str(), source.text.as_str())).collect();
    let packages: BTreeSet<&str> = texts.keys().filter_map(|path| path.strip_suffix("Cargo.toml")).collect();
    let mut crates = Vec::new();
    for path in texts.keys() {
        // The package with the longest matching folder.
        let package = packages.iter().rev().find(|folder| path.starts_with(**folder));
        let Some(package) = package else { continue };
        if is_root(&path[package.len()..]) {
            crates.push(Crate::read(path, &texts));
        }
    }
    crates
}

/// Whether Cargo takes this file of a package for the root of a crate.
fn is_root(path: &str) -> bool {
    let Some(path) = path.strip_suffix(".rs") else {
        return false;
    };
    let parts: Vec<&str> = path.split('/').collect();
    matches!(parts.as_slice(), ["build"] | ["src", "lib" | "main"])
        || matches!(
            parts.strip_suffix(&["main"]).unwrap_or(&parts),
            ["src", "bin", _] | ["tests" | "examples" | "benches", _]
        )
}

impl Crate {
    fn read(root: &str, texts: &BTreeMap<&str, &str>) -> Self {
        let mut loaded =
            Self { root: root.to_owned(), files: Vec::new(), problems: Vec::new(), modules: BTreeMap::new() };
        loaded.file(root, folder_of(root), Vec::new(), texts);
        loaded
    }

    /// Reads a file and its children, whose files are in `folder`.
    fn file(&mut self, path: &str, folder: &str, module: ModulePath, texts: &BTreeMap<&str, &str>) {
        let Some(text) = texts.get(path) else { return };
        match Scope::read(text) {
            Ok(scope) => {
                let file = self.files.len();
                self.files.push(File { path: path.to_owned(), module: module.clone() });
                self.module(file, folder, module, scope, texts);
            }
            Err(problem) => self.problems.push(format!("{path}: {problem}")),
        }
    }

    fn module(
        &mut self,
        file: usize,
        folder: &str,
        module: ModulePath,
        mut scope: Scope,
        texts: &BTreeMap<&str, &str>,
    ) {
        let own = self.files[file].path.clone();
        for child in &mut scope.children {
            let mut path = module.clone();
            path.push(child.name.clone());
            let below = format!("{folder}/{}", child.name);
            if let Some(scope) = child.inline.take() {
                self.module(file, &below, path, scope, texts);
                continue;
            }
            let candidates = match &child.path {
                Some(named) => vec![normal(&format!("{}/{named}", folder_of(&own)))],
                None => vec![format!("{below}.rs"), format!("{below}/mod.rs")],
            };
            match candidates.iter().find(|candidate| texts.contains_key(candidate.as_str())) {
                Some(found) if child.path.is_some() => self.file(found, folder_of(found), path, texts),
                Some(found) => self.file(found, &below, path, texts),
                None => self.problems.push(format!("{own}: the file of `mod {}` is not there", child.name)),
            }
        }
        self.modules.insert(module, Module { file, scope });
    }

    /// Everything that files use of each other, once per pair of files and item.
    ///
    /// A file uses another one if a path in it leads to an item that the other one defines. Imports are
    /// followed: a file that names `parent::Item`, which `parent` only imports from `parent::child`, uses the child.
    /// Not counted are `mod child;`, the import of a whole module, `pub use child::Item` unless the file names `Item`
    /// elsewhere, and calls of a value's methods.
    pub(super) fn uses(&self) -> Vec<Use> {
        let mut uses = Vec::new();
        for (path, module) in &self.modules {
            for import in &module.scope.imports {
                let target = self.resolve(path, &import.path.segments, import.name.as_deref(), 0);
                let handed_on = |to: &ModulePath| import.public && to.starts_with(path);
                match target {
                    Some((to, _)) if handed_on(&to) => {}
                    Some((to, Some(item))) => uses.push(self.used(module, &to, item, import.path.line)),
                    Some((to, None)) if import.name.is_none() => {
                        uses.push(self.used(module, &to, "*".to_owned(), import.path.line));
                    }
                    _ => {}
                }
            }
            for Named { segments, line } in &module.scope.paths {
                if segments.len() == 1 && module.scope.public_import(&segments[0]).is_none() {
                    continue;
                }
                if let Some((to, Some(item))) = self.resolve(path, segments, None, 0) {
                    uses.push(self.used(module, &to, item, *line));
                }
            }
        }
        uses.retain(|one| one.from != one.to);
        uses.sort();
        uses.dedup_by(|b, a| (a.from, a.to, &a.item) == (b.from, b.to, &b.item));
        uses
    }

    fn used(&self, module: &Module, to: &ModulePath, item: String, line: usize) -> Use {
        Use { from: module.file, to: self.modules[to].file, item, line }
    }

    /// The module and the item that a path leads to; no item for a path that ends at a module, and nothing for
    /// a path out of this crate. `own` is the name of the import that is resolved: it cannot go through itself.
    fn resolve(
        &self,
        from: &ModulePath,
        segments: &[String],
        own: Option<&str>,
        depth: usize,
    ) -> Option<(ModulePath, Option<String>)> {
        // Imports that lead to each other do not compile, but the search must end for them as well.
        if depth > 16 {
            return None;
        }
        let mut module = from.clone();
        let mut rest = segments;
        let first = rest.first()?;
        match first.as_str() {
            "crate" => module.clear(),
            "self" | "super" => {}
            name if self.is_module(from, name) => {}
            name => {
                let scope = &self.modules[from].scope;
                let import = scope.import(name).filter(|_| own != Some(name))?;
                let path = [import.path.segments.as_slice(), &rest[1..]].concat();
                return self.resolve(from, &path, Some(name), depth + 1);
            }
        }
        if matches!(first.as_str(), "crate" | "self") {
            rest = &rest[1..];
        }
        while let Some((name, after)) = rest.split_first() {
            if name == "super" {
                module.pop()?;
            } else if self.is_module(&module, name) {
                module.push(name.clone());
            } else {
                return Some(self.item(&module, rest, depth));
            }
            rest = after;
        }
        Some((module, None))
    }

    /// The item that is called `rest[0]` in a module: defined there, or imported there from elsewhere.
    fn item(&self, module: &ModulePath, rest: &[String], depth: usize) -> (ModulePath, Option<String>) {
        let scope = &self.modules[module].scope;
        let name = &rest[0];
        let here = (module.clone(), Some(name.clone()));
        if scope.defined.contains(name) {
            return here;
        }
        if let Some(import) = scope.import(name) {
            let path = [import.path.segments.as_slice(), &rest[1..]].concat();
            return self.resolve(module, &path, Some(name), depth + 1).unwrap_or(here);
        }
        for glob in scope.imports.iter().filter(|import| import.name.is_none()) {
            let path = [glob.path.segments.as_slice(), rest].concat();
            if let Some((to, Some(item))) = self.resolve(module, &path, None, depth + 1)
                && self.modules[&to].scope.defined.contains(&item)
            {
                return (to, Some(item));
            }
        }
        here
    }

    fn is_module(&self, parent: &ModulePath, name: &str) -> bool {
        let mut path = parent.clone();
        path.push(name.to_owned());
        self.modules.contains_key(&path)
    }
}

impl Scope {
    fn import(&self, name: &str) -> Option<&Import> {
        self.imports.iter().find(|import| import.name.as_deref() == Some(name))
    }

    fn public_import(&self, name: &str) -> Option<&Import> {
        self.import(name).filter(|import| import.public)
    }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path without `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}
