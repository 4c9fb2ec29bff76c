//! The table that maps an image to a local program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::locust::Environments;

/// The image of Locust, which is made from `PyPI` unless a program is given for it.
const LOCUST: &str = "locustio/locust";

/// What stands for an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Program {
    /// What runs.
    pub(super) path: PathBuf,
    /// What it is given before the container's own arguments.
    pub(super) arguments: Vec<String>,
    /// Variables that the image brings.
    pub(super) environment: Vec<(String, String)>,
    /// Where its commands are found, before the machine's own.
    pub(super) folder: Option<PathBuf>,
}

/// All images that this cluster knows.
#[derive(Debug)]
pub(crate) struct Images {
    programs: BTreeMap<String, PathBuf>,
    locust: Environments,
}

/// An image in parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    pub(super) repository: &'a str,
    pub(super) tag: &'a str,
}

impl<'a> Reference<'a> {
    /// `[registry/]repository[:tag][@digest]`.
    pub(super) fn parse(image: &'a str) -> Self {
        let name = image.split('@').next().unwrap_or(image);
        match name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((repository, tag)) => Self { repository, tag },
            None => Self { repository: name, tag: "latest" },
        }
    }

    /// Whether it is this one, wherever it is kept.
    fn is(&self, name: &str) -> bool {
        self.repository.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('/'))
    }
}

impl Images {
    pub(crate) fn new(programs: BTreeMap<String, PathBuf>, locust: Environments) -> Self {
        Self { programs, locust }
    }

    /// Has the program for an image at hand, which takes a while where Locust has to be installed.
    ///
    /// # Errors
    /// In words, why there is none.
    pub(crate) async fn pull(&self, image: &str) -> Result<Program, String> {
        let reference = Reference::parse(image);
        if let Some((_, path)) = self.programs.iter().find(|(name, _)| reference.is(name)) {
            if path.is_file() {
                return Ok(Program { path: path.clone(), ..Program::default() });
            }
            return Err(format!("{image}: {} is not there", path.display()));
        }
        if reference.is(LOCUST) {
            let environment = self.locust.provide(reference.tag).await?;
            return Ok(Program {
                path: environment.join("bin/python"),
                arguments: vec!["-m".into(), "locust".into()],
                environment: vec![
                    ("PYTHONUNBUFFERED".into(), "1".into()),
                    // Everything was compiled when it was installed.
                    ("PYTHONDONTWRITEBYTECODE".into(), "1".into()),
                ],
                folder: Some(environment.join("bin")),
            });
        }
        let known: Vec<&str> = self.programs.keys().map(String::as_str).chain([LOCUST]).collect();
        Err(format!(
            "{image}: not an image of this cluster, which pulls none and knows only {}",
            known.join(", ")
        ))
    }
}

/// Finds a command as a shell would: a path, or a name in these folders.
pub(super) fn find(command: &str, folders: &str) -> Option<PathBuf> {
    if command.contains('/') {
        return Some(PathBuf::from(command));
    }
    std::env::split_paths(folders).map(|folder| folder.join(command)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_its_repository() {
        for image in
            ["fake-inference", "fake-inference:12ab", "localhost:5000/team/fake-inference:1@sha256:00"]
        {
            assert!(Reference::parse(image).is("fake-inference"), "{image}");
        }
        assert!(!Reference::parse("my-fake-inference").is("fake-inference"));
        assert_eq!(Reference::parse("locustio/locust:2.46.6").tag, "2.46.6");
        assert_eq!(Reference::parse("host:5000/locustio/locust").tag, "latest");
    }

    #[tokio::test]
    async fn an_unknown_image_is_told_which_there_are() {
        let cache = tempfile::tempdir().unwrap();
        let programs = [("driver".to_owned(), PathBuf::from("/bin/sh"))].into();
        let images = Images::new(programs, Environments::new(cache.path().into()));
        let problem = images.pull("nginx:1").await.unwrap_err();
        assert!(problem.contains("knows only driver, locustio/locust"), "{problem}");
        assert_eq!(images.pull("x/driver:2").await.unwrap().path, Path::new("/bin/sh"));
    }
}
