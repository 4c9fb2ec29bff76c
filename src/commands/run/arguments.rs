//! The arguments of `run`.

use std::path::PathBuf;

use crate::commands::web_ui::WebUiFlags;
use crate::config::MatrixFlags;

/// Arguments of `run`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Web address of Locust's master, where it can be reached from here (default: a port of its pod,
    /// forwarded through the API server)
    #[arg(long, value_name = "URL", env = "LOCUST_MATRIX_LOCUST_URL", conflicts_with = "ui_port")]
    pub(super) locust_url: Option<String>,
    #[command(flatten)]
    pub(super) web_ui: WebUiFlags,
    /// Folder for the results; each run gets a folder of its own in it
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub(super) results: PathBuf,
    /// Go on with the run in this folder: what is recorded there is not measured again
    #[arg(long, value_name = "DIR", conflicts_with = "results")]
    pub(super) resume: Option<PathBuf>,
    /// Scale and load a service that locust-matrix did not deploy
    #[arg(long, env = "LOCUST_MATRIX_YES")]
    pub(super) yes: bool,
    /// What kind of cluster this is, for the records
    #[arg(long, value_name = "KIND", env = "LOCUST_MATRIX_CLUSTER_KIND", default_value = "existing")]
    pub(super) cluster_kind: String,
    /// The run this pod works on: the Job's UID
    #[arg(long, value_name = "ID", env = "LOCUST_MATRIX_RUN_ID", hide = true)]
    pub(super) run_id: Option<String>,
    /// Folder of that run, in the pod
    #[arg(long, value_name = "DIR", env = "LOCUST_MATRIX_RESULTS", hide = true, requires = "run_id")]
    pub(super) run_folder: Option<PathBuf>,
    /// This driver's name on the Lease
    #[arg(long, value_name = "NAME", env = "POD_NAME", hide = true)]
    pub(super) holder: Option<String>,
    // The last, because what follows would stand under its heading.
    #[command(flatten)]
    pub(super) matrix: MatrixFlags,
}
