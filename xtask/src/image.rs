//! Writes a program as an image (docker-archive), without a builder.
//!
//! `docker build` gives a new image ID to the same input. Here times, owners and the configuration are fixed, so
//! that the same program gives the same image on every machine.

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

/// An image as one file, which every engine can load.
#[derive(Debug)]
pub(crate) struct Archive {
    /// Name and tag. The tag is the beginning of the ID.
    pub(crate) reference: String,
    /// `sha256:…` of the configuration: what Docker and containerd call the image ID.
    pub(crate) id: String,
    pub(crate) bytes: Vec<u8>,
}

/// Packs a static program as an image that runs it as an unprivileged user, with an empty `/tmp`.
pub(crate) fn pack(name: &str, program: &str, binary: &[u8], architecture: &str) -> std::io::Result<Archive> {
    let layer = layer(program, binary)?;
    let diff_id = format!("sha256:{}", sha256_hex(&layer));
    let config = config(name, program, architecture, &diff_id)?;
    let id = sha256_hex(&config);
    let reference = format!("{name}:{}", &id[..12]);
    let config_file = format!("{id}.json");
    let layer_file = format!("{}.tar", sha256_hex(&layer));
    let manifest = serde_json::to_vec(&[Manifest {
        config: &config_file,
        repo_tags: [&reference],
        layers: [&layer_file],
    }])?;
    let mut archive = Builder::new(Vec::new());
    append(&mut archive, &config_file, 0o644, &config)?;
    append(&mut archive, &layer_file, 0o644, &layer)?;
    append(&mut archive, "manifest.json", 0o644, &manifest)?;
    Ok(Archive { reference, id: format!("sha256:{id}"), bytes: archive.into_inner()? })
}

fn layer(program: &str, binary: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut layer = Builder::new(Vec::new());
    let mut tmp = header(EntryType::Directory, 0o1777, 0);
    layer.append_data(&mut tmp, "tmp/", std::io::empty())?;
    append(&mut layer, program, 0o755, binary)?;
    layer.into_inner()
}

fn append(tar: &mut Builder<Vec<u8>>, path: &str, mode: u32, bytes: &[u8]) -> std::io::Result<()> {
    let mut header = header(EntryType::Regular, mode, bytes.len() as u64);
    tar.append_data(&mut header, path, bytes)
}

/// Owner root and time zero, so that nothing depends on the machine or the time.
fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn config(name: &str, program: &str, architecture: &str, diff_id: &str) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Config {
        architecture,
        runtime: Runtime {
            entrypoint: [&format!("/{program}")],
            labels: Labels { part_of: PART_OF, title: name },
            // A number, because the image has no user names and `runAsNonRoot` checks the number.
            user: "65532:65532",
            working_dir: "/tmp",
        },
        created: EPOCH,
        history: [History { created: EPOCH, created_by: "cargo xtask" }],
        os: "linux",
        rootfs: RootFs { diff_ids: [diff_id], kind: "layers" },
    })
}

/// The label that every image of ours has, and its value.
pub(crate) const LABEL: &str = "app.kubernetes.io/part-of";
pub(crate) const PART_OF: &str = "locust-matrix";

const EPOCH: &str = "1970-01-01T00:00:00Z";

// Structures instead of maps, because the ID depends on the order of the fields.

#[derive(Serialize)]
struct Config<'a> {
    architecture: &'a str,
    #[serde(rename = "config")]
    runtime: Runtime<'a>,
    created: &'a str,
    history: [History<'a>; 1],
    os: &'a str,
    rootfs: RootFs<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Runtime<'a> {
    entrypoint: [&'a str; 1],
    labels: Labels<'a>,
    user: &'a str,
    working_dir: &'a str,
}

#[derive(Serialize)]
struct Labels<'a> {
    #[serde(rename = "app.kubernetes.io/part-of")]
    part_of: &'a str,
    #[serde(rename = "org.opencontainers.image.title")]
    title: &'a str,
}

#[derive(Serialize)]
struct History<'a> {
    created: &'a str,
    created_by: &'a str,
}

#[derive(Serialize)]
struct RootFs<'a> {
    diff_ids: [&'a str; 1],
    #[serde(rename = "type")]
    kind: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest<'a> {
    config: &'a str,
    repo_tags: [&'a str; 1],
    layers: [&'a str; 1],
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn entries(bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut archive = tar::Archive::new(bytes);
        let entries = archive.entries().unwrap();
        entries
            .map(|entry| {
                let mut entry = entry.unwrap();
                let header = entry.header();
                assert_eq!(header.uid().unwrap(), 0);
                assert_eq!(header.gid().unwrap(), 0);
                assert_eq!(header.mtime().unwrap(), 0);
                let mode = header.mode().unwrap();
                let path = entry.path().unwrap().display().to_string();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                (path, mode, content)
            })
            .collect()
    }

    #[test]
    fn the_same_program_gives_the_same_image() {
        let one = pack("locust-driver", "locust-matrix", b"program", "amd64").unwrap();
        let two = pack("locust-driver", "locust-matrix", b"program", "amd64").unwrap();
        let other = pack("locust-driver", "locust-matrix", b"changed", "amd64").unwrap();
        assert_eq!(one.bytes, two.bytes);
        assert_eq!(one.id, two.id);
        assert_ne!(one.id, other.id);
        // If this value changes, the IDs of all images change.
        assert_eq!(one.reference, "locust-driver:17077f56cfec");
    }

    #[test]
    fn the_layer_has_the_program_and_a_tmp_that_everyone_may_write_to() {
        let layer = layer("locust-matrix", b"program").unwrap();
        let entries = entries(&layer);
        assert_eq!(entries[0], ("tmp/".into(), 0o1777, vec![]));
        assert_eq!(entries[1], ("locust-matrix".into(), 0o755, b"program".to_vec()));
        assert_eq!(entries.len(), 2);
    }

    #[test]
    fn the_files_of_the_archive_are_named_by_their_hashes() {
        let archive = pack("locust-driver", "locust-matrix", b"program", "amd64").unwrap();
        let entries = entries(&archive.bytes);
        let id = archive.id.strip_prefix("sha256:").unwrap();
        assert_eq!(entries[0].0, format!("{id}.json"));
        assert_eq!(sha256_hex(&entries[0].2), id);
        let config: serde_json::Value = serde_json::from_slice(&entries[0].2).unwrap();
        assert_eq!(config["config"]["Entrypoint"][0], "/locust-matrix");
        assert_eq!(config["config"]["User"], "65532:65532");
        assert_eq!(config["config"]["WorkingDir"], "/tmp");
        assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", sha256_hex(&entries[1].2)));
        let manifest: serde_json::Value = serde_json::from_slice(&entries[2].2).unwrap();
        assert_eq!(manifest[0]["Config"], entries[0].0);
        assert_eq!(manifest[0]["Layers"][0], entries[1].0);
        assert_eq!(manifest[0]["RepoTags"][0], archive.reference);
    }
}
