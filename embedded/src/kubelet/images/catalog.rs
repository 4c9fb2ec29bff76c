//! The images that this cluster knows, and the local program for each.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::locust::Environments;

/// The image of Locust. It is installed from `PyPI` unless the command line names a program for it.
const LOCUST: &str = "locustio/locust";

/// The program that stands for an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Program {
    /// The executable.
    pub(crate) path: PathBuf,
    /// Its first arguments. The container's own arguments follow.
    pub(crate) arguments: Vec<String>,
    /// Environment variables that the image defines.
    pub(crate) environment: Vec<(String, String)>,
    /// Folder with commands that take precedence over those of the machine.
    pub(crate) folder: Option<PathBuf>,
}

/// The known images.
#[derive(Debug)]
pub(crate) struct Images {
    programs: BTreeMap<String, PathBuf>,
    locust: Environments,
}

/// The parts of an image reference.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    pub(crate) repository: &'a str,
    pub(crate) tag: &'a str,
}

impl<'a> Reference<'a> {
    /// `[registry/]repository[:tag][@digest]`.
    pub(crate) fn parse(image: &'a str) -> Self {
        let name = image.split('@').next().unwrap_or(image);
        match name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            Some((repository, tag)) => Self { repository, tag },
            None => Self { repository: name, tag: "latest" },
        }
    }

    /// Whether the image has this name, in any registry.
    fn is_named(&self, name: &str) -> bool {
        self.repository.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('/'))
    }
}

impl Images {
    pub(crate) fn new(programs: BTreeMap<String, PathBuf>, locust: Environments) -> Self {
        Self { programs, locust }
    }

    /// The program for an image. Installs Locust if the image is Locust's and it is not installed yet.
    ///
    /// # Errors
    /// Why there is no program for this image.
    pub(crate) async fn pull(&self, image: &str) -> Result<Program, String> {
        let reference = Reference::parse(image);
        if let Some((_, path)) = self.programs.iter().find(|(name, _)| reference.is_named(name)) {
            if path.is_file() {
                return Ok(Program { path: path.clone(), ..Program::default() });
            }
            return Err(format!("{image}: {} does not exist", path.display()));
        }
        if reference.is_named(LOCUST) {
            let environment = self.locust.provide(reference.tag).await?;
            return Ok(Program {
                path: environment.join("bin/python"),
                arguments: vec!["-m".into(), "locust".into()],
                environment: vec![
                    ("PYTHONUNBUFFERED".into(), "1".into()),
                    // The installation has already compiled everything.
                    ("PYTHONDONTWRITEBYTECODE".into(), "1".into()),
                ],
                folder: Some(environment.join("bin")),
            });
        }
        let known: Vec<&str> = self.programs.keys().map(String::as_str).chain([LOCUST]).collect();
        Err(format!("{image}: this cluster does not pull images and knows only {}", known.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn an_image_is_recognized_by_its_repository() {
        for image in
            ["fake-inference", "fake-inference:12ab", "localhost:5000/team/fake-inference:1@sha256:00"]
        {
            assert!(Reference::parse(image).is_named("fake-inference"), "{image}");
        }
        assert!(!Reference::parse("my-fake-inference").is_named("fake-inference"));
        assert_eq!(Reference::parse("locustio/locust:2.46.6").tag, "2.46.6");
        assert_eq!(Reference::parse("host:5000/locustio/locust").tag, "latest");
    }

    #[tokio::test]
    async fn an_unknown_image_is_refused_with_the_known_images() {
        let cache = tempfile::tempdir().unwrap();
        let programs = [("driver".to_owned(), PathBuf::from("/bin/sh"))].into();
        let images = Images::new(programs, Environments::new(cache.path().into()));
        let problem = images.pull("nginx:1").await.unwrap_err();
        assert!(problem.contains("knows only driver, locustio/locust"), "{problem}");
        assert_eq!(images.pull("x/driver:2").await.unwrap().path, Path::new("/bin/sh"));
    }
}
