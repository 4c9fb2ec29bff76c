//! `locust-matrix report`: makes the reports anew from the records of a run.

use std::io::Write;
use std::path::PathBuf;

use super::edited::set_edited_aside;
use crate::events::{Events, Progress};
use crate::exit::{Error, ExitCode, Result};
use crate::judge::{JudgedRun, exit_code};
use crate::record::{RecordFile, Recovered};
use crate::report;

/// Arguments of `report`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// A run's folder, with its results.jsonl
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Writes the reports; prints their paths to `out`. Ends with the exit code of the run: 5 if a scenario was not measured,
/// 6 if an objective is missed or unknown.
///
/// # Errors
/// Exit code 2: there are no records; 3: the folder cannot be written.
pub fn run(arguments: &Arguments, events: &Events, out: &mut dyn Write) -> Result<ExitCode> {
    let Recovered { records: recorded, note } =
        RecordFile::recover(&arguments.folder.join(records::FILE_NAME))?;
    if let Some(note) = note {
        events.tell(Progress::note(note));
    }
    if recorded.is_empty() {
        return Err(Error::usage(format!("{} holds no records", arguments.folder.display()))
            .next("give the folder of a run that has recorded a scenario"));
    }
    let judged = JudgedRun::of(&recorded);
    set_edited_aside(&arguments.folder, events)?;
    for path in report::write(&judged, &arguments.folder)? {
        let _ = writeln!(out, "{}", path.display());
    }
    Ok(exit_code(&judged).0)
}
