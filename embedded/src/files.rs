//! Files that only their owner may read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Writes a file that only its owner may read. It replaces an old file in one step, so that readers never see
/// half of it. Returns the new file.
pub(crate) fn write_secret(path: &Path, text: &str) -> io::Result<File> {
    let part = path.with_extension(format!("part-{}", std::process::id()));
    let _ = fs::remove_file(&part);
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            fs::rename(&part, path)?;
            Ok(file)
        });
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}
