//! `cargo xtask dist`: the archives of a release, built twice and compared.

mod archive;
mod build;
mod sbom;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::failure::{BUG, Failure, PREFLIGHT};
use crate::folders::{self, Folders};
use crate::image::sha256_hex;
use crate::run::Session;
use crate::run::command::Cmd;
use crate::run::stop::StopRequests;
use crate::{image, toolchain};
use archive::Entry;
use build::{Place, Program, Programs};

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// Folder for the archives [default: dist in Cargo's target folder]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Build once, without the comparison; not for a release
    #[arg(long)]
    once: bool,
    /// Only compare two builds of the smallest program, with its archive, image and list of crates; write nothing
    #[arg(long, conflicts_with_all = ["output", "once"])]
    check: bool,
}

const HELP: &str = "\
Makes, for this machine's processor:
  locust-matrix-VERSION-TARGET.tar.gz   the static programs, completions, man pages, documents
  locust-driver-VERSION-ARCH.tar        the driver's image, for docker load
  fake-inference-VERSION-ARCH.tar       the stub's image
  locust-matrix-VERSION.cdx.json        the crates in the programs (CycloneDX)
  SHA256SUMS                            sha256sum --check SHA256SUMS

All of this is made twice: here, and from a copy in another folder, with another HOME, time zone,
umask and number of jobs (2 and 1). If a hash differs, nothing is written. --check does this with the
smallest program in some minutes, and prints the hashes. If cargo-auditable is installed, the
programs have the list of their crates in them, too.

Exit codes: 0 all well, 1 a build failed or two builds differ, 3 something is missing,
130 interrupted.";

pub(crate) async fn run(args: Args, stop: Arc<StopRequests>) -> Result<(), Failure> {
    let folders = Folders::find()?;
    let work = folders.target.join("xtask-dist");
    let session = Session::open(stop, &work.join("commands.log"), false)?;
    let output = match args.output {
        Some(folder) => folders::absolute(&folder)?,
        None => folders.target.join("dist"),
    };
    let version = env!("CARGO_PKG_VERSION");
    let time = time_of_commit(&session, &folders.root).await?;
    let auditable = build::is_auditable(&session).await?;
    let programs = if args.check { build::SMALLEST } else { build::ALL };
    let release = Release { programs, version, time, auditable };
    let here = Place::here(&folders, &work)?;
    let made = session.step("build the release", release.make(&session, &here)).await?;
    if args.once {
        session.progress.line("built once: whether a second build gives the same was not checked");
    } else {
        let elsewhere = Place::elsewhere(&session, &folders, &work).await?;
        let again = session.step("build it again elsewhere", release.make(&session, &elsewhere)).await?;
        compare(&made, &again)?;
        session.progress.line(&format!("both builds gave the same {} files", made.files.len()));
    }
    if args.check {
        let _ = writeln!(std::io::stdout(), "{}", sums(&made.files).trim_end());
        return Ok(());
    }
    write(&output, &made.files)?;
    if !auditable {
        session.progress.line(
            "the programs do not have the list of their crates in them: cargo install cargo-auditable adds it",
        );
    }
    let _ = writeln!(std::io::stdout(), "{}", output.display());
    Ok(())
}

/// The seconds since 1970 that every time in the archives gets: `SOURCE_DATE_EPOCH`, else the time of the commit.
async fn time_of_commit(session: &Session, root: &Path) -> Result<u64, Failure> {
    let text = if let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") {
        text
    } else {
        let asked = Cmd::new("git").args(["log", "-1", "--format=%ct"]).folder(root).run(session).await?;
        asked.require_success(session, PREFLIGHT, "run it in a clone of the repository")?.stdout
    };
    text.trim().parse().map_err(|_| {
        Failure::preflight(format!("SOURCE_DATE_EPOCH {text:?}: not a number of seconds"), "unset it")
    })
}

/// A file of the release: its name and its content.
type File = (String, Vec<u8>);

/// What one of the two builds has made.
#[derive(Debug)]
struct Made {
    programs: Programs,
    files: Vec<File>,
}

/// Two builds of the same commit must give the same files.
fn compare(first: &Made, second: &Made) -> Result<(), Failure> {
    // First the programs, because an archive does not say which of its files differs.
    for (name, one) in first.programs.paths() {
        let other = second.programs.folder.join(&name);
        if read(&one)? != read(&other)? {
            return Err(differ(&name, format!("diffoscope {} {}", one.display(), other.display())));
        }
    }
    for (one, other) in first.files.iter().zip(&second.files) {
        if one != other {
            return Err(differ(&one.0, "look for a time, a path or an unsorted list in it".to_owned()));
        }
    }
    Ok(())
}

fn differ(name: &str, next: String) -> Failure {
    Failure::new(BUG, format!("{name}: two builds of the same commit differ"), next)
}

/// What both builds of a release have in common.
#[derive(Debug)]
struct Release {
    programs: &'static [Program],
    version: &'static str,
    time: u64,
    auditable: bool,
}

impl Release {
    /// Builds the programs, and packs everything.
    async fn make(&self, session: &Session, place: &Place) -> Result<Made, Failure> {
        let programs = build::programs(session, place, self.programs, self.auditable, self.time).await?;
        let files = self.pack(session, place, &programs).await?;
        Ok(Made { programs, files })
    }

    /// Every file of the release.
    async fn pack(
        &self,
        session: &Session,
        place: &Place,
        programs: &Programs,
    ) -> Result<Vec<File>, Failure> {
        let Self { version, time, .. } = *self;
        let triple = toolchain::triple()?;
        let mut entries = Vec::new();
        for (name, path) in programs.paths() {
            entries.push(Entry::program(format!("bin/{name}"), read(&path)?));
        }
        for name in ["README.md", "LICENSE", "CHANGELOG.md"] {
            entries.push(Entry::text(name, read(&place.source.join(name))?));
        }
        if let Some(driver) = programs.path(build::DRIVER.1) {
            let driver = driver.display().to_string();
            entries.extend(completions(session, place, &driver).await?);
            entries.extend(manual(session, place, &driver).await?);
        }
        let folder = format!("locust-matrix-{version}-{triple}");
        let failure = |error: std::io::Error| Failure::bug(format!("packing: {error}"));
        let mut files =
            vec![(format!("{folder}.tar.gz"), archive::pack(&folder, entries, time).map_err(failure)?)];
        let architecture = toolchain::image_architecture();
        for (image, program) in [("locust-driver", "locust-matrix"), ("fake-inference", "fake-inference")] {
            let Some(path) = programs.path(program) else { continue };
            let bytes = read(&path)?;
            let packed = image::pack(image, program, &bytes, architecture).map_err(failure)?;
            files.push((format!("{image}-{version}-{architecture}.tar"), packed.bytes));
        }
        let list = sbom::make(session, place, &triple, version, time).await?;
        files.push((format!("locust-matrix-{version}.cdx.json"), list));
        Ok(files)
    }
}

async fn completions(session: &Session, place: &Place, driver: &str) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for (shell, path) in [
        ("bash", "completions/locust-matrix.bash"),
        ("zsh", "completions/_locust-matrix"),
        ("fish", "completions/locust-matrix.fish"),
    ] {
        let made = place.command(&[driver, "completions", shell])?.run(session).await?;
        let made = made.require_success(session, BUG, "make `locust-matrix completions` work")?;
        entries.push(Entry::text(path, made.stdout.into_bytes()));
    }
    Ok(entries)
}

/// The man pages.
async fn manual(session: &Session, place: &Place, driver: &str) -> Result<Vec<Entry>, Failure> {
    let pages = place.folder("man");
    let _ = std::fs::remove_dir_all(&pages);
    let made = place.command(&[driver, "man", &pages.display().to_string()])?.run(session).await?;
    made.require_success(session, BUG, "make `locust-matrix man` work")?;
    let listed = std::fs::read_dir(&pages).map_err(|error| Failure::file(&pages, "read", &error))?;
    let page = |page: std::fs::DirEntry| {
        let name = page.file_name().to_string_lossy().into_owned();
        Ok(Entry::text(format!("man/man1/{name}"), read(&page.path())?))
    };
    listed.flatten().map(page).collect()
}

fn write(output: &Path, files: &[File]) -> Result<(), Failure> {
    folders::create(output)?;
    for (name, bytes) in files {
        folders::write(&output.join(name), bytes)?;
    }
    folders::write(&output.join("SHA256SUMS"), sums(files).as_bytes())
}

/// The checksums, as `sha256sum` reads them.
fn sums(files: &[File]) -> String {
    let mut lines: Vec<_> =
        files.iter().map(|(name, bytes)| (name, format!("{}  {name}\n", sha256_hex(bytes)))).collect();
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::file(path, "read", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(folder: &Path, archive: &str) -> Made {
        std::fs::create_dir_all(folder).unwrap();
        let programs = Programs { built: build::ALL, folder: folder.to_path_buf() };
        for (_, path) in programs.paths() {
            std::fs::write(path, b"x").unwrap();
        }
        Made { programs, files: vec![("archive".into(), archive.into())] }
    }

    #[test]
    fn builds_that_differ_are_refused_with_the_name_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (made(&folder.path().join("1"), "y"), made(&folder.path().join("2"), "y"));
        assert!(compare(&one, &two).is_ok());
        let failure = compare(&one, &made(&folder.path().join("3"), "z")).unwrap_err();
        assert!(failure.what.starts_with("archive: two builds"), "{}", failure.what);
        std::fs::write(two.programs.folder.join("locust-matrix-cluster"), b"y").unwrap();
        let failure = compare(&one, &two).unwrap_err();
        assert!(failure.what.starts_with("locust-matrix-cluster: two builds"), "{}", failure.what);
    }

    #[test]
    fn the_checksums_are_those_of_the_files_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[("b".into(), b"2".to_vec()), ("a".into(), b"1".to_vec())]).unwrap();
        let sums = std::fs::read_to_string(folder.path().join("SHA256SUMS")).unwrap();
        let lines: Vec<_> = sums.lines().collect();
        assert_eq!(lines, [format!("{}  a", sha256_hex(b"1")), format!("{}  b", sha256_hex(b"2"))]);
    }
}
