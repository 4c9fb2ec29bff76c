//! Reads `versions.toml`, and chooses the node image without further I/O.
//!
//! A node image belongs to the kind release that lists it. From Kubernetes 1.35 on, the kubelet refuses to start
//! on a host with cgroup v1.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::failure::Failure;

#[derive(Debug, Deserialize)]
pub(crate) struct Versions {
    kind: Kind,
    pub(crate) locust: Locust,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Kind {
    node: BTreeMap<String, String>,
    node_cgroup_v1: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Locust {
    pub(crate) version: String,
    /// By name, tag and digest.
    pub(crate) image: String,
}

/// A node image, and a note for the user about the choice.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NodeImage {
    pub(crate) image: String,
    pub(crate) note: Option<String>,
}

impl Versions {
    pub(crate) fn read() -> Result<Self, Failure> {
        toml::from_str(include_str!("../../versions.toml"))
            .map_err(|error| Failure::bug(format!("versions.toml: {error}")))
    }

    /// The image that is used when nobody names one.
    pub(crate) fn locust_image(&self) -> String {
        format!("locustio/locust:{}", self.locust.version)
    }

    /// Chooses the node image for this version of kind on this host. `named` is the image that the user asks for.
    pub(crate) fn node_image(
        &self,
        kind: &str,
        cgroup_v1: bool,
        named: Option<&str>,
    ) -> Result<NodeImage, Failure> {
        let (row, fallback) = self.row(kind)?;
        let default = &self.kind.node[&row];
        let old = self.kind.node_cgroup_v1.get(&row).unwrap_or(default);
        if let Some(named) = named {
            if cgroup_v1 && needs_cgroup_v2(named) {
                return Err(Failure::preflight(
                    format!("{named}: this host has cgroup v1, and {CGROUP}"),
                    format!(
                        "use --node-image {old}\nor start the host with cgroup v2 (systemd.unified_cgroup_hierarchy=1)"
                    ),
                ));
            }
            return Ok(NodeImage { image: named.to_owned(), note: None });
        }
        let mut notes = Vec::new();
        if fallback {
            notes.push(format!("kind {kind} is not in versions.toml: using the node image of kind {row}"));
        }
        let image = if cgroup_v1 && needs_cgroup_v2(default) {
            notes.push(format!(
                "this host has cgroup v1, and {CGROUP}: using Kubernetes {} instead",
                kubernetes(old).map_or_else(|| "of an older release".into(), |(a, b)| format!("{a}.{b}"))
            ));
            old
        } else {
            default
        };
        Ok(NodeImage { image: image.clone(), note: (!notes.is_empty()).then(|| notes.join("\n")) })
    }

    /// The row for this version of kind, or else the newest older row; and whether it is an older one.
    fn row(&self, kind: &str) -> Result<(String, bool), Failure> {
        if self.kind.node.contains_key(kind) {
            return Ok((kind.to_owned(), false));
        }
        let wanted = numbers(kind);
        let older = self.kind.node.keys().filter(|row| numbers(row) <= wanted);
        match older.max_by_key(|row| numbers(row)) {
            Some(row) => Ok((row.clone(), true)),
            None => Err(Failure::preflight(
                format!("kind {kind}: too old: versions.toml has no node image for it"),
                format!(
                    "install kind {} or newer: go install sigs.k8s.io/kind@latest",
                    self.kind.node.keys().next().map_or("0.29.0", String::as_str)
                ),
            )),
        }
    }
}

const CGROUP: &str = "the kubelet of Kubernetes 1.35 and newer refuses to start there";

fn needs_cgroup_v2(image: &str) -> bool {
    kubernetes(image).is_some_and(|version| version >= (1, 35))
}

/// The Kubernetes version in the tag of a node image, if there is one.
fn kubernetes(image: &str) -> Option<(u32, u32)> {
    let (name, _digest) = image.split_once('@').unwrap_or((image, ""));
    let (_, tag) = name.rsplit_once(':')?;
    let mut parts = tag.strip_prefix('v')?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The numbers of a version, without its suffix.
fn numbers(version: &str) -> Vec<u32> {
    let release = version.split(['-', '+']).next().unwrap_or(version);
    release.split('.').map_while(|part| part.parse().ok()).collect()
}

/// The version of Rust in `rust-toolchain.toml`.
pub(crate) fn rust_version() -> Result<String, Failure> {
    let file: toml::Table = toml::from_str(include_str!("../../rust-toolchain.toml"))
        .map_err(|error| Failure::bug(format!("rust-toolchain.toml: {error}")))?;
    let channel = file.get("toolchain").and_then(|table| table.get("channel")?.as_str());
    channel.map(str::to_owned).ok_or_else(|| Failure::bug("rust-toolchain.toml: names no channel"))
}

/// The version in what `kind version` prints.
pub(crate) fn kind_version(output: &str) -> Option<String> {
    let word = output.split_whitespace().nth(1)?;
    Some(word.strip_prefix('v')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions() -> Versions {
        Versions::read().unwrap()
    }

    #[test]
    fn versions_toml_is_consistent() {
        let versions = versions();
        assert!(versions.locust.image.starts_with(&format!("{}@sha256:", versions.locust_image())));
        for (kind, image) in &versions.kind.node_cgroup_v1 {
            assert!(!needs_cgroup_v2(image), "{kind}: {image}");
            assert!(versions.kind.node.contains_key(kind), "{kind}");
        }
    }

    #[test]
    fn a_host_with_cgroup_v2_uses_the_node_image_of_its_kind_release() {
        let choice = versions().node_image("0.33.0", false, None).unwrap();
        assert!(choice.image.starts_with("kindest/node:v1.35."));
        assert_eq!(choice.note, None);
    }

    #[test]
    fn a_host_with_cgroup_v1_uses_an_older_node_image_and_the_note_says_why() {
        let choice = versions().node_image("0.33.0", true, None).unwrap();
        assert!(choice.image.starts_with("kindest/node:v1.34."));
        assert!(choice.note.unwrap().contains("cgroup v1"));
        let choice = versions().node_image("0.30.0", true, None).unwrap();
        assert_eq!(choice.note, None);
    }

    #[test]
    fn a_node_image_that_the_user_names_is_used_unless_it_cannot_start() {
        let choice = versions().node_image("0.33.0", true, Some("my/node:v1.34.4")).unwrap();
        assert_eq!(choice.image, "my/node:v1.34.4");
        assert!(versions().node_image("0.33.0", true, Some("my/node:latest")).is_ok());
        assert!(versions().node_image("0.33.0", false, Some("my/node:v1.36.0")).is_ok());
        let failure = versions().node_image("0.33.0", true, Some("my/node:v1.36.0")).unwrap_err();
        assert_eq!(failure.code, crate::failure::PREFLIGHT);
        assert!(failure.next.contains("kindest/node:v1.34."));
    }

    #[test]
    fn an_unknown_version_of_kind_uses_the_newest_older_row() {
        let choice = versions().node_image("0.99.1", false, None).unwrap();
        assert!(choice.note.unwrap().contains("kind 0.33.0"));
        assert_eq!(versions().node_image("0.20.0", false, None).unwrap_err().code, 3);
    }

    #[test]
    fn the_version_of_kind_is_parsed() {
        let version = kind_version("kind v0.33.0 go1.26.8 linux/amd64\n");
        assert_eq!(version.as_deref(), Some("0.33.0"));
        assert_eq!(kind_version("what?"), None);
    }
}
