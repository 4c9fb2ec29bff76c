//! What this program has written into a run's folder, so that files that somebody has edited are known.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::files::replace;
use crate::plan::hex;

/// The checksums, as `sha256sum --check` reads them.
const FILE: &str = "reports.sha256";

/// Notes what will be written beside what was: a program that is killed while it replaces the file leaves one or the other.
/// Returns the checksum of the new file, for [`note`].
pub(super) fn announce(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<String> {
    let sum = checksum(bytes);
    let mut sums = read(folder);
    sums.entry(name.to_owned()).or_default().insert(sum.clone());
    write(folder, &sums)?;
    Ok(sum)
}

/// Notes what was written, in place of what was there before.
pub(super) fn note(folder: &Path, name: &str, sum: String) -> io::Result<()> {
    let mut sums = read(folder);
    sums.insert(name.to_owned(), [sum].into());
    write(folder, &sums)
}

/// Renames the files that somebody has changed since they were written, so that the next report does not replace
/// them. Returns each file with its new name.
pub(super) fn set_aside(folder: &Path) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let mut moved = Vec::new();
    for (name, sums) in read(folder) {
        let path = folder.join(&name);
        match std::fs::read(&path) {
            Ok(bytes) if !sums.contains(&checksum(&bytes)) => {
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

/// The checksums that each file may have.
type Sums = BTreeMap<String, BTreeSet<String>>;

fn read(folder: &Path) -> Sums {
    let text = std::fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once("  "));
    let in_folder = |name: &str| !name.is_empty() && !name.contains(['/', '\\']);
    let mut sums = Sums::new();
    for (sum, name) in lines.filter(|(_, name)| in_folder(name)) {
        sums.entry(name.to_owned()).or_default().insert(sum.to_owned());
    }
    sums
}

fn write(folder: &Path, sums: &Sums) -> io::Result<()> {
    let lines = sums.iter().flat_map(|(name, sums)| sums.iter().map(move |sum| format!("{sum}  {name}\n")));
    replace(&folder.join(FILE), lines.collect::<String>().as_bytes())
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
            let sum = announce(folder.path(), "auto_summary.md", text.as_bytes()).unwrap();
            std::fs::write(&path, text).unwrap();
            note(folder.path(), "auto_summary.md", sum).unwrap();
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

    /// Whether it is killed before or after a file is replaced, the next program takes no report for an edited one.
    #[test]
    fn a_report_whose_writer_was_killed_is_not_taken_for_an_edited_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.md");
        std::fs::write(&path, "first").unwrap();
        let first = announce(folder.path(), "a.md", b"first").unwrap();
        note(folder.path(), "a.md", first).unwrap();
        let second = announce(folder.path(), "a.md", b"second").unwrap();
        assert_eq!(set_aside(folder.path()).unwrap(), [], "it is still the first one");
        std::fs::write(&path, "second").unwrap();
        assert_eq!(set_aside(folder.path()).unwrap(), [], "it is the second one already");
        note(folder.path(), "a.md", second).unwrap();
        std::fs::write(&path, "first").unwrap();
        assert_eq!(set_aside(folder.path()).unwrap().len(), 1, "what was there before is forgotten now");
    }

    #[test]
    fn a_folder_without_checksums_or_with_strange_names_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(set_aside(folder.path()).unwrap(), []);
        std::fs::write(folder.path().join(FILE), "00  ../outside\nnonsense\n").unwrap();
        assert_eq!(set_aside(folder.path()).unwrap(), []);
    }
}
