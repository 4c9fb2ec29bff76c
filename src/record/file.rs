//! `results.jsonl`: one record per line, on disk before the next scenario starts.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use records::Record;

use crate::exit::{Error, Result};

/// The file of a run's records, open for appending.
#[derive(Debug)]
pub struct RecordFile {
    path: PathBuf,
    file: File,
}

impl RecordFile {
    /// Opens the file before the first scenario, so that a full or read-only disk is found before
    /// anything was measured, and writes what is already recorded.
    ///
    /// # Errors
    /// Exit code 3: it cannot be written.
    pub fn create(path: &Path, recorded: &[Record]) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
        }
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .open(path)
            .map_err(|error| unwritable(path, &error))?;
        let mut records = Self { path: path.to_owned(), file };
        for record in recorded {
            records.append(record)?;
        }
        Ok(records)
    }

    /// Appends a record and waits until it is on disk. A record that cannot be written whole is
    /// taken back, so that the file never ends in half a line.
    ///
    /// # Errors
    /// Exit code 3: it cannot be written.
    pub fn append(&mut self, record: &Record) -> Result<()> {
        let failed = |error: &std::io::Error| unwritable(&self.path, error);
        let mut line = serde_json::to_vec(record).map_err(|error| failed(&error.into()))?;
        line.push(b'\n');
        let before = self.file.stream_position().map_err(|error| failed(&error))?;
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        written.map_err(|error| {
            let _ = self.file.set_len(before);
            let _ = self.file.seek(SeekFrom::Start(before));
            failed(&error)
        })
    }

    /// Reads every record of a file.
    ///
    /// # Errors
    /// Exit code 2: it cannot be read, or a line is not a record.
    pub fn read(path: &Path) -> Result<Vec<Record>> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::usage(format!("records {}: {error}", path.display()))
                .next(format!("give a folder that has a {}", records::FILE_NAME))
        })?;
        parse(&text).map_err(|error| error.during(&format!("records {}", path.display())))
    }
}

/// Reads records from JSON lines.
pub(super) fn parse(text: &str) -> Result<Vec<Record>> {
    records::read(text).map_err(|error| {
        Error::usage(error.to_string()).next("remove that line, or use the version that wrote it")
    })
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::preflight(format!("{} cannot be written: {error}", path.display()))
        .next("give a folder that can be written with --results")
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;

    #[test]
    fn what_is_appended_reads_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/results.jsonl");
        let mut file = RecordFile::create(&path, &[record(0, 1, 20, 10)]).unwrap();
        file.append(&record(1, 1, 40, 20)).unwrap();
        assert_eq!(RecordFile::read(&path).unwrap(), [record(0, 1, 20, 10), record(1, 1, 40, 20)]);
    }

    #[test]
    fn a_newer_format_and_half_a_line_are_refused_by_line() {
        let line = serde_json::to_string(&record(0, 1, 20, 10)).unwrap();
        let newer = line.replace("\"version\":3", "\"version\":99");
        assert!(parse(&newer).unwrap_err().message.contains("format 99"));
        let half = format!("{line}\n{}", &line[..40]);
        assert!(parse(&half).unwrap_err().message.starts_with("line 2 "));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let error = RecordFile::create(Path::new("/proc/nothing/results.jsonl"), &[]).unwrap_err();
        assert!(error.message.contains("/proc/nothing"), "{error}");
    }
}
