//! `results.jsonl`: one record per line, on disk before the next scenario starts.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use records::Record;
use serde_json::Value;

use crate::exit::{Error, Result};
use crate::files::replace;

/// The file of a run's records, open for appending.
#[derive(Debug)]
pub struct RecordFile {
    path: PathBuf,
    file: File,
}

impl RecordFile {
    /// Opens the file before the first scenario, so that a full or read-only disk is found before
    /// anything was measured, and writes what is already recorded. The file may be the only copy of these
    /// records: it is replaced as a whole, or not at all.
    ///
    /// # Errors
    /// Exit code 3: it cannot be written.
    pub fn create(path: &Path, recorded: &[Record]) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
        }
        let failed = |error: &std::io::Error| unwritable(path, error);
        let mut text = Vec::new();
        for record in recorded {
            text.extend(line(record).map_err(|error| failed(&error))?);
        }
        replace(path, &text).map_err(|error| failed(&error))?;
        let mut file = OpenOptions::new().write(true).open(path).map_err(|error| failed(&error))?;
        file.seek(SeekFrom::End(0)).map_err(|error| failed(&error))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends a record and waits until it is on disk. A record that cannot be written whole is
    /// taken back, so that the file never ends in half a line.
    ///
    /// # Errors
    /// Exit code 3: it cannot be written.
    pub fn append(&mut self, record: &Record) -> Result<()> {
        let failed = |error: &std::io::Error| unwritable(&self.path, error);
        let line = line(record).map_err(|error| failed(&error))?;
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
        let damaged = |error: Error| error.during(&format!("records {}", path.display()));
        parse_bytes(&contents(path)?).map_err(damaged)
    }

    /// Reads every record of a file that its writer may not have finished. A last line of which only a part was
    /// written is left out.
    ///
    /// # Errors
    /// Exit code 2: it cannot be read, or another line is not a record.
    pub fn recover(path: &Path) -> Result<Recovered> {
        let mut bytes = contents(path)?;
        let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let rest = bytes.get(complete..).unwrap_or_default();
        let is_torn = !rest.trim_ascii().is_empty() && serde_json::from_slice::<Value>(rest).is_err();
        let note = is_torn.then(|| {
            let bytes = rest.len();
            format!("{}: its last line was cut off after {bytes} bytes and is left out", path.display())
        });
        if is_torn {
            bytes.truncate(complete);
        }
        let damaged = |error: Error| error.during(&format!("records {}", path.display()));
        Ok(Recovered { records: parse_bytes(&bytes).map_err(damaged)?, note })
    }
}

/// The records of a file that its writer may not have finished.
#[derive(Debug, PartialEq)]
pub struct Recovered {
    /// The complete records.
    pub records: Vec<Record>,
    /// What was left out, in words for the user.
    pub note: Option<String>,
}

fn contents(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        Error::usage(format!("records {}: {error}", path.display()))
            .next(format!("give a folder that has a {}", records::FILE_NAME))
    })
}

fn line(record: &Record) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    Ok(line)
}

fn parse_bytes(bytes: &[u8]) -> Result<Vec<Record>> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let number = 1 + bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count();
        Error::usage(format!("line {number} is not text")).next("remove that line")
    })?;
    parse(text)
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
    fn a_torn_last_line_is_left_out_with_a_note_and_a_torn_line_elsewhere_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.jsonl");
        let line = serde_json::to_string(&record(0, 1, 20, 10)).unwrap();
        let recover = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            RecordFile::recover(&path)
        };
        let torn = recover(format!("{line}\n{}", &line[..40]).as_bytes()).unwrap();
        assert_eq!(torn.records, [record(0, 1, 20, 10)]);
        assert!(torn.note.unwrap().contains("cut off after 40 bytes"));
        // A disk may also leave zeros, or half a character.
        for rest in [&b"\0\0\0\0"[..], b"{\"version\":3,\"run_id\":\"\xc3"] {
            let text = [line.as_bytes(), b"\n", rest].concat();
            assert_eq!(recover(&text).unwrap().records.len(), 1);
        }
        let complete = recover(line.as_bytes()).unwrap();
        assert_eq!((complete.records.len(), complete.note), (1, None), "only the line's end is missing");
        assert_eq!(recover(format!("{line}\n").as_bytes()).unwrap().note, None);
        let middle = recover(format!("{line}\n{}\n{line}\n", &line[..40]).as_bytes()).unwrap_err();
        assert!(middle.message.contains("line 2 "), "{middle}");
        let newer = line.replace("\"version\":3", "\"version\":99");
        assert!(recover(newer.as_bytes()).unwrap_err().message.contains("format 99"), "whole, but not ours");
        assert!(recover(&[line.as_bytes(), b"\n\xff\n"].concat()).unwrap_err().message.contains("line 2 "));
    }

    #[test]
    fn records_that_cannot_be_written_again_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.jsonl");
        RecordFile::create(&path, &[record(0, 1, 20, 10)]).unwrap();
        // The new copy cannot be written: something else has its temporary name.
        std::fs::create_dir(folder.path().join("results.jsonl.tmp")).unwrap();
        let error = RecordFile::create(&path, &[record(1, 1, 20, 10)]).unwrap_err();
        assert_eq!(error.code, crate::exit::ExitCode::Preflight);
        assert_eq!(RecordFile::read(&path).unwrap(), [record(0, 1, 20, 10)]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let error = RecordFile::create(Path::new("/proc/nothing/results.jsonl"), &[]).unwrap_err();
        assert_eq!(error.code, crate::exit::ExitCode::Preflight);
        assert!(error.message.contains("/proc/nothing") && error.next.is_some(), "{error}");
    }
}
