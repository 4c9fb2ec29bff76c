//! Reports that a user has edited.

use std::path::Path;

use crate::events::{Events, Progress};
use crate::exit::Result;
use crate::report;

/// Sets reports aside that somebody has edited, and tells where they are.
///
/// # Errors
/// Exit code 3: the folder cannot be written.
pub(super) fn set_edited_aside(folder: &Path, events: &Events) -> Result<()> {
    for (path, aside) in report::set_edited_aside(folder)? {
        events.tell(Progress::note(format!(
            "{} was edited: your copy is kept as {}, and the report is written anew",
            path.display(),
            aside.display()
        )));
    }
    Ok(())
}
