//! The checks of this machine, one row of the table each.

use std::path::Path;
use std::time::Duration;

use super::table::Row;
use crate::e2e::args::ImageFlags;
use crate::e2e::choice::{self, DockerAndKind};
use crate::e2e::embedded::cache;
use crate::e2e::image_choice;
use crate::engine::Engine;
use crate::failure::{Failure, PREFLIGHT};
use crate::folders::{self, Folders};
use crate::run::Session;
use crate::run::command::Cmd;
use crate::toolchain;
use crate::versions::{self, Versions};

const DEADLINE: Duration = Duration::from_mins(1);
const GIB: f64 = 1024.0 * 1024.0;
/// What a first run takes for a node image, the images in it and a build.
const DISK_GIB: f64 = 5.0;
/// What eight replicas, Locust and a control plane take.
const MEMORY_GIB: f64 = 3.0;

pub(super) async fn run_all(
    session: &Session,
    folders: &Folders,
    scratch: &Path,
    images: &ImageFlags,
) -> Result<Vec<Row>, Failure> {
    folders::create(scratch)?;
    let mut rows = vec![row("system", "images", toolchain::triple(), "")];
    rows.push(rust(session, folders).await?);
    rows.push(static_libc(session, scratch).await?);
    clusters(session, images, &mut rows).await?;
    rows.push(disk(session, &folders.target).await?);
    rows.push(memory());
    rows.push(port());
    for (tool, flag, needed_by, next) in [
        ("kubectl", "version --client", "inspecting the cluster", "https://kubernetes.io/docs/tasks/tools"),
        (
            "python3",
            "--version",
            "the embedded cluster",
            "apt install python3 python3-venv; Locust needs 3.11 or newer",
        ),
        ("uv", "--version", "a faster installation of Locust", "https://docs.astral.sh/uv"),
        ("nix", "--version", "nix develop", "https://nixos.org/download"),
    ] {
        rows.push(Row {
            optional: true,
            ..row(tool, needed_by, first_line(session, tool, flag).await?, next)
        });
    }
    Ok(rows)
}

fn row(tool: &'static str, needed_by: &'static str, found: Result<String, Failure>, otherwise: &str) -> Row {
    let (found, next) = match found {
        Ok(found) => (Ok(found), String::new()),
        Err(failure) if otherwise.is_empty() => (Err(failure.what), failure.next),
        Err(failure) => (Err(failure.what), otherwise.to_owned()),
    };
    Row { tool, needed_by, optional: false, found, next }
}

/// The first line that a program prints.
async fn first_line(session: &Session, tool: &str, flags: &str) -> Result<Result<String, Failure>, Failure> {
    let done = Cmd::new(tool).args(flags.split(' ')).deadline(DEADLINE).run(session).await;
    let done = done.and_then(|done| done.require_success(session, PREFLIGHT, ""));
    let done = unless_interrupted(done)?;
    Ok(done.map(|done| done.stdout.lines().next().unwrap_or_default().to_owned()))
}

/// An interruption is the outer error and ends all checks. Any other failure is the inner one, for the table.
fn unless_interrupted<T>(result: Result<T, Failure>) -> Result<Result<T, Failure>, Failure> {
    match result {
        Err(failure) if failure.is_interruption() => Err(failure),
        result => Ok(result),
    }
}

async fn rust(session: &Session, folders: &Folders) -> Result<Row, Failure> {
    let wanted = versions::rust_version()?;
    let rustc = Cmd::new("rustc").arg("--version").folder(&folders.root).deadline(DEADLINE);
    let done = rustc.run(session).await.and_then(|done| done.require_success(session, PREFLIGHT, ""));
    let found = match unless_interrupted(done)? {
        Err(failure) => Err(failure),
        Ok(done) => match done.stdout.split(' ').nth(1) {
            Some(version) if version == wanted => Ok(done.stdout.trim().to_owned()),
            _ => Err(Failure::preflight(
                format!("{}, and rust-toolchain.toml asks for {wanted}", done.stdout.trim()),
                "",
            )),
        },
    };
    Ok(row(
        "rustc, cargo",
        "everything",
        found,
        "install rustup (https://rustup.rs): it reads rust-toolchain.toml",
    ))
}

/// Links a static program, because only the linker knows whether it can.
async fn static_libc(session: &Session, scratch: &Path) -> Result<Row, Failure> {
    let source = scratch.join("empty.rs");
    folders::write(&source, b"fn main() {}\n")?;
    let linking = Cmd::new("rustc")
        .args(["-C", "target-feature=+crt-static", "--target", &toolchain::triple().unwrap_or_default()])
        .arg("-o")
        .path(&scratch.join("empty"))
        .path(&source)
        .deadline(DEADLINE);
    let done = linking.run(session).await;
    let found = match unless_interrupted(done)? {
        Err(failure) => Err(failure),
        Ok(done) if done.success() => Ok("a static program can be linked".to_owned()),
        Ok(done) => {
            let (_, next) = toolchain::advice(&done.tail, &toolchain::triple().unwrap_or_default());
            Err(Failure::preflight("a static program cannot be linked", next))
        }
    };
    Ok(row("static libc", "images", found, ""))
}

async fn clusters(session: &Session, images: &ImageFlags, rows: &mut Vec<Row>) -> Result<(), Failure> {
    let (engine, kind) =
        tokio::join!(session.unless_stopped(Engine::connect(session)), choice::installed_kind(session));
    if let Some(failure) = session.interruption() {
        return Err(failure);
    }
    let versions = Versions::read()?;
    let description = engine.as_ref().map(Engine::describe).map_err(Clone::clone);
    rows.push(row("Docker engine", "e2e, container tests", description, ""));
    let shown = kind.clone().map(|version| match choice::about_provider() {
        Some(note) => format!("{version}; {note}"),
        None => version,
    });
    rows.push(row("kind", "e2e, kind tests", shown, ""));
    rows.push(Row { optional: true, ..row("cache folder", "the embedded cluster", cache::check(), "") });
    let unknown = |what| {
        Failure::preflight(
            format!("{what} is not known without Docker and kind"),
            "install Docker and kind first",
        )
    };
    let node = match (engine.clone(), kind) {
        (Ok(engine), Ok(version)) => {
            let kind = DockerAndKind { engine, version };
            let named = images.node_image.as_deref();
            let node = image_choice::node_image(session, &kind, &versions, named);
            session.unless_stopped(node).await.map(|node| (node.reference, node.local))
        }
        _ => Err(unknown("which one is used")),
    };
    rows.push(row("node image", "e2e, kind tests", node.map(describe_image), ""));
    let locust = match &engine {
        Ok(engine) => {
            let image = image_choice::locust_image(engine, &versions, images.locust_image.as_deref());
            session.unless_stopped(image).await.map(|image| (image.reference, image.pull.is_none()))
        }
        Err(_) => Err(unknown("whether Docker has it")),
    };
    rows.push(row("Locust image", "e2e, container tests", locust.map(describe_image), ""));
    Ok(())
}

fn describe_image((reference, local): (String, bool)) -> String {
    format!("{reference} ({})", if local { "local" } else { "not local: will be pulled" })
}

async fn disk(session: &Session, folder: &Path) -> Result<Row, Failure> {
    let df = Cmd::new("df").arg("-Pk").path(folder).deadline(DEADLINE).run(session).await;
    let free = match unless_interrupted(df)? {
        Err(failure) => Err(failure),
        // `filesystem blocks used available capacity mounted`, below a heading.
        Ok(done) => at_least(
            done.stdout.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)),
            DISK_GIB,
            "free some: cargo xtask cleanup --images, docker system prune",
        ),
    };
    Ok(row("free disk", "e2e", free, ""))
}

fn memory() -> Row {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let free = at_least(
        line.and_then(|line| line.split_whitespace().next()),
        MEMORY_GIB,
        "end other programs, or use fewer replicas and workers",
    );
    // A small matrix needs less, so this is only advice.
    Row { optional: true, ..row("free memory", "e2e", free, "") }
}

/// Compares free space, in KiB as a tool prints it, with what a run needs.
fn at_least(kib: Option<&str>, gib: f64, next: &str) -> Result<String, Failure> {
    let Some(kib) = kib.and_then(|kib| kib.parse::<f64>().ok()) else {
        return Err(Failure::preflight("cannot be measured", next));
    };
    let free = format!("{:.1} GiB", kib / GIB);
    if kib / GIB < gib {
        Err(Failure::preflight(format!("{free}, and {gib} GiB are needed"), next))
    } else {
        Ok(free)
    }
}

/// kind opens its API server on a port of 127.0.0.1.
fn port() -> Row {
    let bound = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let found = bound
        .map(|address| format!("127.0.0.1 has free ports, for example {}", address.port()))
        .map_err(|error| Failure::preflight(format!("none can be opened on 127.0.0.1: {error}"), ""));
    row("local port", "e2e", found, "bring up the loopback interface: ip link set lo up")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_compared_in_gibibytes() {
        assert_eq!(at_least(Some("10485760"), 5.0, "").unwrap(), "10.0 GiB");
        let failure = at_least(Some("1048576"), 5.0, "prune").unwrap_err();
        assert_eq!(failure.what, "1.0 GiB, and 5 GiB are needed");
        assert_eq!(failure.next, "prune");
        assert!(at_least(Some("much"), 5.0, "").is_err());
    }
}
