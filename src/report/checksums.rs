//! What this program has written into a run's folder, so that files that somebody has edited are known.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::files::replace;
use crate::plan::hex;

/// The checksums, as `sha256sum --check` reads them.
const FILE: &str = "reports.sha256";

/// Notes what was written.
pub(super) fn note(folder: &Path, files: &[PathBuf]) -> io::Result<PathBuf> {
    let mut sums = read(folder);
    for path in files {
        if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            sums.insert(name.to_owned(), checksum(&std::fs::read(path)?));
        }
    }
    let lines: Vec<_> = sums.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
    let path = folder.join(FILE);
    replace(&path, lines.concat().as_bytes())?;
    Ok(path)
}

/// Renames the files that somebody has changed since they were written, so that the next report does not replace
/// them. Returns each file with its new name.
pub(super) fn set_aside(folder: &Path) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let mut moved = Vec::new();
    for (name, sum) in read(folder) {
        let path = folder.join(&name);
        match std::fs::read(&path) {
            Ok(bytes) if checksum(&bytes) != sum => {
                let aside = free_name(&path);
                std::fs::rename(&path, &aside)?;
                moved.push((path, aside));
            }
            // It was deleted, which is nothing to keep.
            _ => {}
        }
    }
    Ok(moved)
}

/// A name that no file has: `auto_summary.edited.md`, then `auto_summary.edited-2.md`.
fn free_name(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let ending = path.extension().map(|ending| format!(".{}", ending.to_string_lossy())).unwrap_or_default();
    let mut number = 1;
    loop {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let free = path.with_file_name(format!("{stem}.edited{suffix}{ending}"));
        if !free.exists() {
            return free;
        }
        number += 1;
    }
}

fn read(folder: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once("  "));
    let in_folder = |name: &str| !name.is_empty() && !name.contains(['/', '\\']);
    lines.filter(|(_, name)| in_folder(name)).map(|(sum, name)| (name.to_owned(), sum.to_owned())).collect()
}

fn checksum(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edited_file_is_set_aside_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auto_summary.md");
        let write = |text: &str| {
            std::fs::write(&path, text).unwrap();
            note(folder.path(), std::slice::from_ref(&path)).unwrap();
        };
        write("first");
        assert_eq!(set_aside(folder.path()).unwrap(), [], "nobody has changed it");
        for (notes, kept) in
            [("my notes", "auto_summary.edited.md"), ("more notes", "auto_summary.edited-2.md")]
        {
            std::fs::write(&path, notes).unwrap();
            let aside = folder.path().join(kept);
            assert_eq!(set_aside(folder.path()).unwrap(), [(path.clone(), aside.clone())]);
            assert_eq!(std::fs::read_to_string(aside).unwrap(), notes);
            write("second");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(set_aside(folder.path()).unwrap(), [], "a deleted file is made again");
    }

    #[test]
    fn a_folder_without_checksums_or_with_strange_names_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(set_aside(folder.path()).unwrap(), []);
        std::fs::write(folder.path().join(FILE), "00  ../outside\nnonsense\n").unwrap();
        assert_eq!(set_aside(folder.path()).unwrap(), []);
    }
}
