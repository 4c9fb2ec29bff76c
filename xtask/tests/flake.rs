//! Checks of the flake that need no Nix: its lock, its versions, and the files that it builds from.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toml::Table;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn table(path: &str) -> Table {
    text(path).parse().unwrap()
}

/// The version of Rust that rustup installs.
fn channel() -> String {
    table("rust-toolchain.toml")["toolchain"]["channel"].as_str().unwrap().to_owned()
}

/// The code of a Nix file, without its comments.
fn code(path: &str) -> String {
    let text = text(path);
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The paths that `nix/packages.nix` builds from, relative to the workspace.
fn fileset() -> BTreeSet<String> {
    let code = code("nix/packages.nix");
    let (_, rest) = code.split_once("fileset.unions [").unwrap();
    let (list, _) = rest.split_once(']').unwrap();
    list.split_whitespace().map(|part| part.strip_prefix("../").unwrap().to_owned()).collect()
}

/// The workspace's members, without the root package.
fn members() -> Vec<String> {
    let manifest = table("Cargo.toml");
    let members = manifest["workspace"]["members"].as_array().unwrap();
    members.iter().map(|member| member.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_lock_pins_nixpkgs_and_nothing_else() {
    let lock: serde_json::Value = serde_json::from_str(&text("flake.lock")).unwrap();
    let nodes: Vec<_> = lock["nodes"].as_object().unwrap().keys().collect();
    assert_eq!(nodes, ["nixpkgs", "root"]);
    assert_eq!(lock["nodes"]["root"]["inputs"], serde_json::json!({ "nixpkgs": "nixpkgs" }));

    let locked = &lock["nodes"]["nixpkgs"]["locked"];
    let revision = locked["rev"].as_str().unwrap();
    assert!(revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()), "{revision}");
    let hash = locked["narHash"].as_str().unwrap();
    assert!(hash.starts_with("sha256-") && hash.ends_with('=') && hash.len() == 51, "{hash}");
    assert!(locked["lastModified"].is_u64(), "{locked}");

    let original = &lock["nodes"]["nixpkgs"]["original"];
    let word = |key: &str| original[key].as_str().unwrap();
    let url = format!("{}:{}/{}/{}", word("type"), word("owner"), word("repo"), word("ref"));
    let flake = code("flake.nix");
    let inputs: Vec<_> = flake.lines().filter(|line| line.trim_start().starts_with("inputs")).collect();
    assert_eq!(inputs, [format!("  inputs.nixpkgs.url = \"{url}\";")]);
}

#[test]
fn rustup_and_nix_give_the_same_compiler() {
    let nixpkgs = table("nix/stub/versions.toml");
    for tool in ["rustc", "cargo", "clippy", "rustfmt"] {
        assert_eq!(nixpkgs[tool].as_str(), Some(channel().as_str()), "{tool}");
    }
}

#[test]
fn versions_toml_has_node_images_for_the_kind_of_the_nix_shell() {
    let nixpkgs = table("nix/stub/versions.toml");
    let kind = nixpkgs["kind"].as_str().unwrap();
    let versions = table("versions.toml");
    for group in ["node", "node-cgroup-v1"] {
        let image = versions["kind"][group].get(kind).and_then(toml::Value::as_str);
        assert!(image.is_some_and(|image| image.contains("@sha256:")), "[kind.{group}] {kind}: {image:?}");
    }
}

#[test]
fn every_member_is_in_the_source_of_the_builds() {
    let fileset = fileset();
    for member in members() {
        assert!(fileset.contains(&member), "nix/packages.nix: the fileset lacks ../{member}");
    }
    // The root package, the lock file, and the settings of clippy and rustfmt.
    for path in ["Cargo.lock", "Cargo.toml", "clippy.toml", "rustfmt.toml", "src", "tests"] {
        assert!(fileset.contains(path), "nix/packages.nix: the fileset lacks ../{path}");
    }
    for path in &fileset {
        assert!(root().join(path).exists(), "nix/packages.nix: there is no {path}");
    }
}

/// `include_str!` and similar macros can read files outside of their package. Without them it does not compile.
#[test]
fn every_file_that_the_code_includes_is_in_the_source_of_the_builds() {
    let fileset = fileset();
    let mut included = BTreeSet::new();
    for folder in members().iter().map(String::as_str).chain(["src", "tests"]) {
        for file in rust_files(&root().join(folder)) {
            let code = std::fs::read_to_string(&file).unwrap();
            for call in code.split("include_").skip(1) {
                let Some(path) = call.split('"').nth(1).filter(|path| path.starts_with("../")) else {
                    continue;
                };
                let climbed = path.split('/').take_while(|part| *part == "..").count();
                let base = file.ancestors().nth(climbed + 1).unwrap();
                if base == root() {
                    included.extend(path.split('/').nth(climbed).map(str::to_owned));
                }
            }
        }
    }
    // These two are known to be included: the test fails if the search finds nothing.
    assert!(included.contains("manifests") && included.contains("versions.toml"), "{included:?}");
    for path in included {
        assert!(fileset.contains(&path), "nix/packages.nix: the fileset lacks ../{path}");
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
