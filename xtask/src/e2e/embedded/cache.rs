//! The folder in which the embedded cluster keeps Locust between runs.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

const NEXT: &str = "set XDG_CACHE_HOME (or HOME) to a folder that can be written";

/// Finds the folder as the cluster does, and checks that it can be written. The cluster would find out only after it
/// is compiled.
pub(crate) fn check() -> Result<String, Failure> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    check_in(folder("XDG_CACHE_HOME"), folder("HOME"))
}

fn check_in(cache_home: Option<PathBuf>, home: Option<PathBuf>) -> Result<String, Failure> {
    let usable = |path: &PathBuf| path.is_absolute();
    let base = cache_home.filter(usable).or_else(|| home.filter(usable).map(|home| home.join(".cache")));
    let base = base.ok_or_else(|| {
        Failure::preflight("neither XDG_CACHE_HOME nor HOME is set, so there is no folder for Locust", NEXT)
    })?;
    let folder = base.join("locust-matrix");
    write_in(&folder).map_err(|error| {
        Failure::preflight(
            format!("{}, where Locust is kept, cannot be written: {error}", folder.display()),
            NEXT,
        )
    })?;
    Ok(folder.display().to_string())
}

fn write_in(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    std::fs::write(&probe, b"")?;
    std::fs::remove_file(&probe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_home_is_named_with_the_variables_to_set() {
        for home in [None, Some("".into()), Some("relative".into())] {
            let failure = check_in(None, home).unwrap_err();
            assert!(failure.what.contains("XDG_CACHE_HOME") && failure.next.contains("HOME"), "{failure:?}");
        }
    }

    #[test]
    fn the_folder_must_be_one_that_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let found = check_in(None, Some(folder.path().to_owned())).unwrap();
        assert!(found.ends_with(".cache/locust-matrix"), "{found}");
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let failure = check_in(Some(file), None).unwrap_err();
        assert!(failure.what.contains("cannot be written"), "{failure:?}");
    }
}
