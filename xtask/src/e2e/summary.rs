//! The end of the output: whether all scenarios are recorded, and where the results and logs are.

use std::io::Write as _;
use std::path::PathBuf;

use tokio::task::JoinHandle;

use super::cluster::Cluster;
use crate::failure::Failure;
use crate::run::Session;
use crate::run::shell;

#[derive(Debug, Default)]
pub(super) struct Summary {
    /// The folder of the fetched results.
    pub(super) results: Option<PathBuf>,
    /// The folder with what was saved about a failure.
    pub(super) evidence: Option<PathBuf>,
    /// Number of scenarios, all of which have a record.
    pub(super) scenarios: usize,
}

/// Tells the user that a signal has arrived, and what the next one would do.
pub(super) fn announce_signals(session: &Session) -> JoinHandle<()> {
    let session = session.clone();
    tokio::spawn(async move {
        session.stop.nth_signal(1).await;
        session.progress.timed_line(
            "interrupted: stopping, fetching the results so far, then cleaning up \
             (interrupt again to skip the results)",
        );
        session.stop.nth_signal(2).await;
        session.progress.timed_line("interrupted again: cleaning up at once; this cannot be skipped");
    })
}

impl Summary {
    /// Prints the summary to stderr and the folder of the results to stdout; returns the failure to report.
    pub(super) fn print(
        &self,
        session: &Session,
        cluster: Option<&Cluster>,
        performed: Result<(), Failure>,
        cleaned: Result<(), Failure>,
    ) -> Result<(), Failure> {
        let say = |text: &str| session.progress.line(text);
        let path = |path: &PathBuf| shell::quote(&path.display().to_string());
        if performed.is_ok() {
            let (count, took) = (self.scenarios, session.progress.elapsed().as_secs());
            say(&format!("verdict: every scenario is recorded ({count}), after {took} s"));
        }
        if let Some(evidence) = &self.evidence {
            say(&format!("pods, events and logs of the failure: {}", path(evidence)));
        }
        if let Some(results) = &self.results {
            say(&format!("results:  {}", path(results)));
            say(&format!("see them: {} in a browser", path(&results.join("report.html"))));
            say(&format!("          less {}", path(&results.join("auto_summary.md"))));
            // There is a table for each model that has rows.
            let tables = ["auto_summary.csv", "auto_summary_open.csv"].map(|name| results.join(name));
            for csv in tables.iter().filter(|csv| csv.is_file()) {
                say(&format!("          column -s, -t {}", path(csv)));
            }
        }
        self.copy_log(session);
        if let Some(cluster) = cluster.filter(|cluster| cluster.is_up()) {
            let name = shell::quote(cluster.name());
            let kubeconfig = path(&cluster.kubeconfig());
            say(&format!("cluster:  KUBECONFIG={kubeconfig} kubectl get pods"));
            say(&format!("delete:   kind delete cluster --name {name} --kubeconfig {kubeconfig}"));
        }
        if let Some(results) = &self.results {
            let _ = writeln!(std::io::stdout(), "{}", results.display());
        }
        match (performed, cleaned) {
            (Ok(()), cleaned) => cleaned,
            (Err(failure), Ok(())) => Err(failure),
            (Err(failure), Err(cleaning)) => {
                cleaning.report();
                Err(failure)
            }
        }
    }

    /// Copies the log of commands to the results, if there are any, and prints where it is.
    fn copy_log(&self, session: &Session) {
        let evidence = self.evidence.as_ref().and_then(|evidence| evidence.parent());
        let copied = self.results.as_deref().or(evidence).and_then(|folder| {
            let copy = folder.join("commands.log");
            std::fs::copy(session.log.path(), &copy).ok()?;
            Some(copy)
        });
        let log = copied.unwrap_or_else(|| session.log.path().to_path_buf());
        let log = shell::quote(&log.display().to_string());
        session.progress.line(&format!("commands: {log}"));
    }
}
