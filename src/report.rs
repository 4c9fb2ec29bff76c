//! Reports: from the records alone, one file per format.

mod csv;
mod findings;
mod markdown;
mod row;

use std::io::Write;
use std::path::{Path, PathBuf};

pub use row::{Row, many, summary};

use crate::exit::{Error, Result};
use crate::record::Record;

/// Everything a report is made of.
#[derive(Clone, Debug)]
pub struct Report {
    /// The records, in the order of the plan.
    pub records: Vec<Record>,
}

/// One format.
pub trait Exporter {
    /// The file's name.
    fn file_name(&self) -> &'static str;
    /// The file's bytes.
    fn render(&self, report: &Report) -> Vec<u8>;
}

impl Report {
    /// A report of `records`.
    pub fn of(records: &[Record]) -> Self {
        let mut records = records.to_vec();
        records.sort_by_key(|record| record.scenario.index);
        Self { records }
    }

    /// Writes every format into `folder`, each as a whole or not at all; gives the files written.
    ///
    /// # Errors
    /// Exit code 3: the folder cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let exporters: [&dyn Exporter; 2] = [&csv::Csv, &markdown::Markdown];
        exporters
            .iter()
            .map(|exporter| replace(&folder.join(exporter.file_name()), &exporter.render(self)))
            .collect()
    }
}

/// Writes beside the file, then renames: a reader sees the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> Result<PathBuf> {
    let beside = path.with_extension("tmp");
    let written = std::fs::File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_data()
    });
    written.and_then(|()| std::fs::rename(&beside, path)).map_err(|error| {
        Error::preflight(format!("{} cannot be written: {error}", path.display()))
            .next("give a folder that can be written with --results")
    })?;
    Ok(path.to_owned())
}
