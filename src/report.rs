//! Reports: from the records alone, one file per format.

mod csv;
mod findings;
mod markdown;
mod pairs;
mod repeats;
mod row;

use std::io::Write;
use std::path::{Path, PathBuf};

pub use row::{Row, summary};

use crate::exit::{Error, Result};
use crate::plan::Mode;
use crate::record::{Record, judge};

/// Everything a report is made of.
#[derive(Clone, Debug)]
pub struct Report {
    /// The records, in the order of the plan, with the verdicts that all of them together lead to.
    pub records: Vec<Record>,
    /// The paired test of the worker axis.
    pairs: Vec<pairs::Pair>,
}

/// One format.
pub trait Exporter {
    /// The file's name.
    fn file_name(&self) -> &'static str;
    /// The file's bytes.
    fn render(&self, report: &Report) -> Vec<u8>;
}

impl Report {
    /// A report of `records`, each of them judged anew.
    pub fn of(records: &[Record]) -> Self {
        let mut records = records.to_vec();
        records.sort_by_key(|record| record.scenario.index);
        for record in &mut records {
            record.verdict = judge(record);
        }
        let pairs = pairs::pairs(&records);
        pairs::apply(&pairs, &mut records);
        Self { records, pairs }
    }

    /// The record of a scenario, as it is judged beside the others.
    pub fn record(&self, id: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.scenario.id == id)
    }

    /// Writes every format into `folder`, each as a whole or not at all; gives the files written.
    ///
    /// # Errors
    /// Exit code 3: the folder cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let open = self.records.iter().any(|record| record.scenario.mode == Mode::Open);
        let exporters: [&dyn Exporter; 3] =
            [&csv::Csv(Mode::Closed), &markdown::Markdown, &csv::Csv(Mode::Open)];
        exporters
            .iter()
            .take(if open { 3 } else { 2 })
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
