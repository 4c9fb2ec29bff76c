//! The three images of the cluster, each as an archive that the node can import.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::image_choice::LocustImage;
use crate::engine::Engine;
use crate::failure::{CLUSTER, Failure, PREFLIGHT};
use crate::folders::{self, Folders};
use crate::image::{self, Archive};
use crate::run::Session;
use crate::run::command::{Cmd, ShowOutput};
use crate::toolchain::{self, Binaries};

/// An image archive in a file.
#[derive(Debug)]
pub(crate) struct ImageFile {
    pub(crate) reference: String,
    pub(crate) id: String,
    pub(crate) archive: PathBuf,
}

/// The images that are built here.
#[derive(Debug)]
pub(super) struct OwnImages {
    pub(super) driver: ImageFile,
    pub(super) stub: ImageFile,
}

/// The names of the images in the manifests.
#[derive(Debug)]
pub(super) struct ImageNames {
    pub(super) driver: String,
    /// `None`: the name that the manifests have.
    pub(super) stub: Option<String>,
    pub(super) locust: Option<String>,
}

impl ImageNames {
    pub(super) fn new(own_images: OwnImages, locust: ImageFile) -> Self {
        Self {
            driver: own_images.driver.reference,
            stub: Some(own_images.stub.reference),
            locust: Some(locust.reference),
        }
    }
}

/// Packs the driver and the stub as images, and loads them into Docker.
pub(super) async fn pack_own(
    session: &Session,
    folders: &Folders,
    engine: &Engine,
    binaries: &Binaries,
) -> Result<OwnImages, Failure> {
    let (driver, stub) = tokio::join!(
        pack(folders, engine, "locust-driver", &binaries.driver),
        pack(folders, engine, "fake-inference", &binaries.stub),
    );
    let (driver, stub) = Failure::both(driver, stub)?;
    for image in [&driver, &stub] {
        session.progress.timed_line(&format!("image: {}", image.reference));
    }
    Ok(OwnImages { driver, stub })
}

async fn pack(
    folders: &Folders,
    engine: &Engine,
    name: &'static str,
    binary: &Path,
) -> Result<ImageFile, Failure> {
    let path = folders.images().join(format!("{name}.tar"));
    let (binary, file) = (binary.to_path_buf(), path.clone());
    // On a thread of its own, because hashing and writing megabytes would block the other tasks.
    let packed = tokio::task::spawn_blocking(move || store(name, &binary, &file)).await;
    let archive = packed.map_err(|error| Failure::bug(format!("{name}: packing: {error}")))??;
    if engine.image_id(&archive.reference).await?.as_ref() != Some(&archive.id) {
        engine.load(archive.bytes).await?;
    }
    Ok(ImageFile { reference: archive.reference, id: archive.id, archive: path })
}

fn store(name: &str, binary: &Path, path: &Path) -> Result<Archive, Failure> {
    let bytes = std::fs::read(binary).map_err(|error| Failure::file(binary, "read", &error))?;
    let program = binary.file_name().unwrap_or_default().to_string_lossy();
    let archive = image::pack(name, &program, &bytes, toolchain::image_architecture())
        .map_err(|error| Failure::bug(format!("{name}: packing: {error}")))?;
    // Written only if the content has changed, because the file may be in use and disks are slow.
    if std::fs::read(path).ok().as_ref() != Some(&archive.bytes) {
        folders::create(path.parent().unwrap_or(path))?;
        folders::write(path, &archive.bytes)?;
    }
    Ok(archive)
}

/// The archive of the Locust image, which is pulled if Docker does not have it. There is one archive per image ID.
pub(crate) async fn locust_archive(
    session: &Session,
    folders: &Folders,
    engine: &Engine,
    image: &LocustImage,
) -> Result<ImageFile, Failure> {
    let reference = &image.reference;
    pull_if_missing(session, image).await?;
    let id = session.unless_stopped(engine.image_id(reference)).await?;
    let id = id.ok_or_else(|| {
        Failure::preflight(
            format!("Locust image {reference}: Docker does not have it"),
            format!("docker pull {reference}"),
        )
    })?;
    let archive = folders.images().join(file_name(reference, &id));
    if !archive.is_file() {
        save(session, engine, reference, &archive).await?;
    }
    Ok(ImageFile { reference: reference.clone(), id, archive })
}

/// Pulls the image if Docker does not have it.
pub(crate) async fn pull_if_missing(session: &Session, image: &LocustImage) -> Result<(), Failure> {
    match &image.pull {
        Some(source) => pull(session, source, &image.reference).await,
        None => Ok(()),
    }
}

pub(crate) async fn pull(session: &Session, source: &str, reference: &str) -> Result<(), Failure> {
    let next = format!("check the network and repeat it: docker pull {source}");
    let pulled = Cmd::new("docker")
        .args(["pull", source])
        .show(ShowOutput::Indented)
        .deadline(Duration::from_mins(15))
        .run(session)
        .await?;
    pulled.require_success(session, PREFLIGHT, next.clone())?;
    if source != reference {
        // An image that is pulled by digest has no tag, but pods name it by its tag.
        let tagged = Cmd::new("docker")
            .args(["tag", source, reference])
            .deadline(Duration::from_secs(30))
            .run(session)
            .await?;
        tagged.require_success(session, PREFLIGHT, next)?;
    }
    Ok(())
}

async fn save(session: &Session, engine: &Engine, reference: &str, archive: &Path) -> Result<(), Failure> {
    folders::create(archive.parent().unwrap_or(archive))?;
    let part = archive.with_extension(format!("part-{}", std::process::id()));
    let mut save = Cmd::new("docker").arg("save");
    if engine.saves_by_platform() {
        // With containerd's image store, Docker would otherwise list platforms in the archive that it does not
        // have, and the node would refuse it.
        save = save.arg(format!("--platform=linux/{}", toolchain::image_architecture()));
    }
    let done =
        save.arg("--output").path(&part).arg(reference).deadline(Duration::from_mins(5)).run(session).await;
    let saved =
        done.and_then(|done| done.require_success(session, CLUSTER, "check that the disk has space left"));
    let saved = saved.and_then(|_| {
        std::fs::rename(&part, archive).map_err(|error| Failure::file(archive, "write", &error))
    });
    if saved.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    saved
}

/// The file that keeps an image as an archive. The archive says the image's name, so the same image under another
/// name needs another file.
fn file_name(reference: &str, id: &str) -> String {
    let name: String =
        reference.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let id = id.strip_prefix("sha256:").unwrap_or(id);
    format!("{name}-{}.tar", id.chars().take(12).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_name_of_an_archive_has_the_image_s_name_and_id() {
        assert_eq!(
            file_name("locustio/locust:2.46.6", "sha256:c8b9205e1de4aaaa"),
            "locustio-locust-2.46.6-c8b9205e1de4.tar"
        );
    }

    #[test]
    fn an_archive_is_rewritten_only_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (binary, tar) = (folder.path().join("program"), folder.path().join("i.tar"));
        std::fs::write(&binary, b"one").unwrap();
        let first = store("image", &binary, &tar).unwrap();
        let written = std::fs::metadata(&tar).unwrap().modified().unwrap();
        let again = store("image", &binary, &tar).unwrap();
        assert_eq!(first.id, again.id);
        assert_eq!(std::fs::metadata(&tar).unwrap().modified().unwrap(), written);
        std::fs::write(&binary, b"two").unwrap();
        let changed = store("image", &binary, &tar).unwrap();
        assert_ne!(first.id, changed.id);
        assert_eq!(std::fs::read(&tar).unwrap(), changed.bytes);
    }
}
