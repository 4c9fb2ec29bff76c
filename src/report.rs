//! Reports. A [`Document`] is made from the judged records, and each format renders it.

mod capacity_json;
mod chart;
mod checksums;
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

use std::io::Write as _;
use std::path::{Path, PathBuf};

pub use console_line::console_line;
pub use document::Document;

use crate::exit::{Error, Result};
use crate::files::replace;
use crate::judge::{Answer, JudgedRun, Row};

/// Writes the report in every format into `folder`; returns the files written. Each file is replaced as a
/// whole, or not at all.
///
/// # Errors
/// Exit code 3: the folder cannot be written.
pub fn write(run: &JudgedRun<'_>, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    render(run, &mut |name, bytes| {
        let problem = |error: std::io::Error| unwritable(folder, &error);
        let sum = checksums::announce(folder, &name, &bytes).map_err(problem)?;
        let path = folder.join(&name);
        replace(&path, &bytes).map_err(|error| unwritable(&path, &error))?;
        checksums::note(folder, &name, sum).map_err(problem)?;
        written.push(path);
        Ok(())
    })?;
    Ok(written)
}

/// Hands out the files of the report with their names, one after the other: all of them together would take the memory of
/// a large run twice.
pub(crate) fn render(
    run: &JudgedRun<'_>,
    write: &mut dyn FnMut(String, Vec<u8>) -> Result<()>,
) -> Result<()> {
    let rows: Vec<Row<'_>> = run.rows.iter().map(Row::of).collect();
    let document = Document::of(run);
    for dataset in &document.datasets {
        write(format!("{}.csv", dataset.name), csv::render(&dataset.table))?;
    }
    write("auto_summary.md".to_owned(), markdown::render(&document))?;
    for (name, chart) in markdown::charts(&document) {
        write(name, chart::file(chart))?;
    }
    write("report.html".to_owned(), html::render(&document, document::cards(&rows)))?;
    drop(document);
    write("summary.md".to_owned(), summary::render(run))?;
    write("junit.xml".to_owned(), junit::render(run))?;
    write("load-performance.json".to_owned(), gitlab::render(run))?;
    write("metrics.txt".to_owned(), openmetrics::render(run))?;
    if let Some(answer) = Answer::of(run) {
        write("capacity.json".to_owned(), capacity_json::render(&answer))?;
    }
    Ok(())
}

/// Renames the reports in `folder` that somebody has edited since they were written; returns each with its new name.
///
/// # Errors
/// Exit code 3: the folder cannot be written.
pub fn set_edited_aside(folder: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    checksums::set_aside(folder).map_err(|error| unwritable(folder, &error))
}

/// The variable that names the file with the summary of a job, on GitHub's runners.
const JOB_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Appends the summary to that of the job, if this runs in a job of GitHub's.
///
/// # Errors
/// Exit code 3: the file cannot be written.
pub fn append_to_job(run: &JudgedRun<'_>) -> Result<()> {
    match std::env::var_os(JOB_SUMMARY).filter(|path| !path.is_empty()) {
        Some(path) => append(Path::new(&path), &summary::render(run)),
        None => Ok(()),
    }
}

fn append(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(|error| {
        Error::preflight(format!("{JOB_SUMMARY} {}: cannot be written: {error}", path.display()))
            .next(format!("unset {JOB_SUMMARY}, or let it name a file that can be written"))
    })
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::preflight(format!("{} cannot be written: {error}", path.display()))
        .next("give a folder that can be written with --results")
}

#[cfg(test)]
mod tests;
