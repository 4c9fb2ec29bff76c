//! Reports: from the judged records alone, one file per format.

mod csv;
mod findings;
mod markdown;
mod summary;

use std::io::Write;
use std::path::{Path, PathBuf};

use records::Mode;

pub use summary::summary;

use crate::exit::{Error, Result};
use crate::judge::JudgedRun;

/// One format.
pub trait Exporter {
    /// The file's name.
    fn file_name(&self) -> &'static str;
    /// The file's bytes.
    fn render(&self, run: &JudgedRun<'_>) -> Vec<u8>;
}

/// Writes every format into `folder`, each as a whole or not at all; returns the files written.
///
/// # Errors
/// Exit code 3: the folder cannot be written.
pub fn write(run: &JudgedRun<'_>, folder: &Path) -> Result<Vec<PathBuf>> {
    let open = run.rows.iter().any(|row| row.record.scenario.mode == Mode::Open);
    let exporters: [&dyn Exporter; 3] = [&csv::Csv(Mode::Closed), &markdown::Markdown, &csv::Csv(Mode::Open)];
    exporters
        .iter()
        .take(if open { 3 } else { 2 })
        .map(|exporter| replace(&folder.join(exporter.file_name()), &exporter.render(run)))
        .collect()
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
