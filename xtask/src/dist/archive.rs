//! A compressed archive that depends on its entries only.

use std::io::Write as _;

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

/// A file of the archive.
#[derive(Debug)]
pub(super) struct Entry {
    path: String,
    mode: u32,
    bytes: Vec<u8>,
}

impl Entry {
    pub(super) fn program(path: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { path: path.into(), mode: 0o755, bytes }
    }

    pub(super) fn text(path: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { path: path.into(), mode: 0o644, bytes }
    }
}

/// Packs the entries below one folder, in the order of their paths. Owner and time are fixed.
pub(super) fn pack(folder: &str, mut entries: Vec<Entry>, time: u64) -> std::io::Result<Vec<u8>> {
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    let mut tar = Builder::new(Vec::new());
    for entry in entries {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(entry.mode);
        header.set_size(entry.bytes.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(time);
        tar.append_data(&mut header, format!("{folder}/{}", entry.path), entry.bytes.as_slice())?;
    }
    let bytes = tar.into_inner()?;
    // The header of gzip would otherwise have the current time.
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    gzip.write_all(&bytes)?;
    gzip.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(reversed: bool) -> Vec<Entry> {
        let mut entries = vec![Entry::program("bin/b", b"program".into()), Entry::text("a", b"text".into())];
        if reversed {
            entries.reverse();
        }
        entries
    }

    #[test]
    fn the_order_of_the_entries_does_not_matter_and_everything_else_does() {
        let packed = pack("x", entries(false), 5).unwrap();
        assert_eq!(packed, pack("x", entries(true), 5).unwrap());
        assert_ne!(packed, pack("x", entries(false), 6).unwrap());
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(packed.as_slice()));
        let paths: Vec<_> = tar
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                assert_eq!(
                    (header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()),
                    (0, 0, 5)
                );
                (entry.path().unwrap().display().to_string(), header.mode().unwrap())
            })
            .collect();
        assert_eq!(paths, [("x/a".to_owned(), 0o644), ("x/bin/b".to_owned(), 0o755)]);
    }
}
