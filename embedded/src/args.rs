//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// A small Kubernetes cluster without Docker, for development. Its pods are processes of this machine.
///
/// It answers the Kubernetes API on a loopback address. Clients need its kubeconfig. Each image stands for a
/// local program; Locust is installed from PyPI. The cluster prints one line when it is ready, and runs until
/// it gets a signal to end.
#[derive(Clone, Debug, Parser)]
#[command(name = "locust-matrix-cluster", version, after_help = EXIT_CODES, after_long_help = after())]
pub struct Args {
    /// File for the kubeconfig; only its owner may read it, and it is removed when the cluster ends. A file that
    /// no embedded cluster wrote is refused
    #[arg(long, value_name = "FILE", required_unless_present = "pull")]
    pub kubeconfig: Option<PathBuf>,
    /// Folder for the files of the pods; they are removed when the cluster ends. It must be empty, or missing, or
    /// left by a killed cluster
    #[arg(long, value_name = "DIR", required_unless_present = "pull")]
    pub state: Option<PathBuf>,
    /// The program that an image stands for, such as fake-inference=target/release/fake-inference
    #[arg(long = "image", value_name = "NAME=PROGRAM", value_parser = image)]
    pub images: Vec<(String, PathBuf)>,
    /// Port of the API server; 0 means any free port
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// End when the process with this ID ends
    #[arg(long, value_name = "PID")]
    pub parent_pid: Option<i32>,
    /// Folder in which Locust is kept between runs [default: locust-matrix in $XDG_CACHE_HOME or ~/.cache]
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Only install this image and end; for Locust: locustio/locust:2.46.6
    #[arg(long, value_name = "IMAGE", conflicts_with_all = ["kubeconfig", "state"])]
    pub pull: Option<String>,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  ended by a signal or with its parent process; all pods have ended
  1  a bug in this program; if a part of the cluster stops, the cluster ends all pods and itself
  2  the command line is invalid
  3  something is missing: a port, a folder, Python, or the connection to PyPI; or the kubeconfig or the
     folder belongs to somebody else";

const EXAMPLES: &str = "\
Examples:
  Start a cluster with the stub and the driver, and look at it:
      locust-matrix-cluster --kubeconfig kubeconfig --state state \\
          --image fake-inference=target/debug/fake-inference --image locust-driver=target/debug/locust-matrix
      KUBECONFIG=kubeconfig kubectl get nodes

  Install Locust before it is needed:
      locust-matrix-cluster --pull locustio/locust:2.46.6";

/// The list of differences, which is also part of the crate's documentation.
const DIFFERENCES: &str = include_str!("../differences.md");

/// The text after the options in the long help.
fn after() -> String {
    let heading = |line: &str| match line.strip_prefix('#') {
        Some(text) => format!("{}:\n", text.trim_start_matches('#').trim()),
        None => format!("{line}\n"),
    };
    let differences: String = DIFFERENCES.lines().map(heading).collect();
    format!("{EXAMPLES}\n\n{differences}\n{EXIT_CODES}")
}

fn image(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, program)) if !name.is_empty() && !program.is_empty() => {
            let program = std::path::absolute(program).map_err(|error| format!("{program}: {error}"))?;
            Ok((name.to_owned(), program))
        }
        _ => {
            Err("give the name of an image and a program, such as fake-inference=target/debug/fake-inference"
                .into())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn an_image_needs_a_name_and_a_program() {
        assert_eq!(image("a/b=/bin/sh"), Ok(("a/b".into(), "/bin/sh".into())));
        for wrong in ["a", "=b", "a="] {
            assert!(image(wrong).is_err(), "{wrong}");
        }
    }
}
