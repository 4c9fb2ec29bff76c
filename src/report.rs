//! Reports. A [`Document`] is made from the judged records, and each format renders it.

mod capacity_json;
mod chart;
mod console_line;
mod csv;
pub mod document;
mod gitlab;
mod html;
mod junit;
mod markdown;
mod openmetrics;
mod summary;
mod visible;

use std::path::{Path, PathBuf};

pub use console_line::console_line;
pub use document::Document;

use crate::exit::{Error, Result};
use crate::files::replace;
use crate::judge::{Answer, JudgedRun};

/// Writes the report in every format into `folder`; returns the files written. Each file is replaced as a
/// whole, or not at all.
///
/// # Errors
/// Exit code 3: the folder cannot be written.
pub fn write(run: &JudgedRun<'_>, folder: &Path) -> Result<Vec<PathBuf>> {
    render(run).into_iter().map(|(name, bytes)| write_file(folder.join(name), &bytes)).collect()
}

/// The files of the report, with their names.
fn render(run: &JudgedRun<'_>) -> Vec<(String, Vec<u8>)> {
    let document = Document::of(run);
    let mut files: Vec<_> = document
        .datasets
        .iter()
        .map(|dataset| (format!("{}.csv", dataset.name), csv::render(&dataset.table)))
        .collect();
    files.push(("auto_summary.md".to_owned(), markdown::render(&document)));
    files.extend(markdown::charts(&document).into_iter().map(|(name, chart)| (name, chart::file(chart))));
    files.push(("report.html".to_owned(), html::render(&document)));
    files.push(("summary.md".to_owned(), summary::render(run)));
    files.push(("junit.xml".to_owned(), junit::render(run)));
    files.push(("load-performance.json".to_owned(), gitlab::render(run)));
    files.push(("metrics.txt".to_owned(), openmetrics::render(run)));
    if let Some(answer) = Answer::of(run) {
        files.push(("capacity.json".to_owned(), capacity_json::render(&answer)));
    }
    files
}

fn write_file(path: PathBuf, bytes: &[u8]) -> Result<PathBuf> {
    replace(&path, bytes).map_err(|error| {
        Error::preflight(format!("{} cannot be written: {error}", path.display()))
            .next("give a folder that can be written with --results")
    })?;
    Ok(path)
}

#[cfg(test)]
mod tests;
