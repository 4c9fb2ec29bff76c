//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// A small Kubernetes cluster without Docker, for development: pods are processes of this machine.
///
/// It answers the Kubernetes API on a loopback address, for whoever has its kubeconfig. An image stands for
/// a local program; Locust is installed from PyPI. It prints one line when it is ready, and runs until it
/// is told to end.
#[derive(Clone, Debug, Parser)]
#[command(name = "locust-matrix-cluster", version, after_help = EXIT_CODES, after_long_help = after())]
pub struct Args {
    /// Where to write the kubeconfig, for its owner's eyes only
    #[arg(long, value_name = "FILE", required_unless_present = "pull")]
    pub kubeconfig: Option<PathBuf>,
    /// Folder for what pods write; what they leave there goes with the cluster
    #[arg(long, value_name = "DIR", required_unless_present = "pull")]
    pub state: Option<PathBuf>,
    /// The program that an image stands for, such as fake-inference=target/release/fake-inference
    #[arg(long = "image", value_name = "NAME=PROGRAM", value_parser = image)]
    pub images: Vec<(String, PathBuf)>,
    /// Port of the API server; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// End when the process with this ID does
    #[arg(long, value_name = "PID")]
    pub parent_pid: Option<i32>,
    /// Where Locust is kept between runs [default: locust-matrix in $XDG_CACHE_HOME or ~/.cache]
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Only have this image at hand, and end: installs Locust for locustio/locust:2.46.6
    #[arg(long, value_name = "IMAGE", conflicts_with_all = ["kubeconfig", "state"])]
    pub pull: Option<String>,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  ended as it was told to, with all its pods
  1  a bug in this program
  2  the command line cannot be used
  3  something is missing: a port, a folder, Python, the way to PyPI";

const DETAILS: &str = "\
Examples:
  A cluster with the stub and the driver, and a look at it:
      locust-matrix-cluster --kubeconfig kubeconfig --state state \\
          --image fake-inference=target/debug/fake-inference --image locust-driver=target/debug/locust-matrix
      KUBECONFIG=kubeconfig kubectl get nodes

  Locust, before it is needed:
      locust-matrix-cluster --pull locustio/locust:2.46.6

What differs from a cluster:
  Every pod and every service has an address of its own in 127.0.0.0/8. What a container would see as
  0.0.0.0, as a mounted folder or as the name of a service is replaced in its arguments and variables;
  names of services also in URLs in mounted ConfigMaps, and for Python programs whenever they look one up.
  A name or a path inside a program's own code is not, nor is an address that a program binds by itself.
  Requests decide whether a pod has a place; no limit of CPU or memory is enforced. Users, security
  contexts and read-only file systems are ignored: a pod may do what you may.

Nothing is left when it ends, however it ends: its pods end with it, and the files in --state, too.";

fn after() -> String {
    format!("{DETAILS}\n\n{EXIT_CODES}")
}

fn image(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, program)) if !name.is_empty() && !program.is_empty() => {
            let program = std::path::absolute(program).map_err(|error| format!("{program}: {error}"))?;
            Ok((name.to_owned(), program))
        }
        _ => {
            Err("give the image's name and a program, such as fake-inference=target/debug/fake-inference"
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
    fn an_image_is_a_name_and_a_program() {
        assert_eq!(image("a/b=/bin/sh"), Ok(("a/b".into(), "/bin/sh".into())));
        for wrong in ["a", "=b", "a="] {
            assert!(image(wrong).is_err(), "{wrong}");
        }
    }
}
