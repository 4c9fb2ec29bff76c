//! `locust-matrix fetch`: brings home the records of a run, and makes its reports.

use std::io::Write;
use std::path::{Path, PathBuf};

use records::{LeftOut, Record};

use crate::cluster::{Cluster, ClusterFlags};
use crate::events::{Events, Progress};
use crate::exit::{Error, ExitCode, Result};
use crate::judge::{JudgedRun, exit_code};
use crate::record::{ConfigMapStore, Merged, RecordFile, Recovered, RunState, Stored, merge};
use crate::report;

/// Arguments of `fetch`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Folder for the results; each run gets a folder of its own in it
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// The run that is expected (default: whichever the cluster holds)
    #[arg(long = "run", value_name = "ID")]
    run_id: Option<String>,
}

/// Fetches; prints the run's folder to `out`. Records that the folder has already are kept if the cluster has
/// less of them. Ends with the exit code of the run: 5 if a scenario was not measured, 6 if an objective is missed or
/// unknown.
///
/// # Errors
/// Exit code 2: the records in the folder are damaged; 3: no cluster; 4: it holds no records of that run.
pub async fn run(
    flags: &ClusterFlags,
    arguments: &Arguments,
    events: &Events,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let cluster = Cluster::connect(flags, events).await?;
    let Stored { state, records: mut stored, .. } =
        ConfigMapStore::read(&cluster, arguments.run_id.as_deref()).await?;
    if let Some(wanted) = &arguments.run_id {
        stored.retain(|record| record.run_id == *wanted);
    } else if let Some(state) = &state {
        stored.retain(|record| record.run_id == state.run_id);
    }
    let Some(first) = stored.first() else {
        return Err(no_records(&cluster, arguments.run_id.as_deref(), state.as_ref()));
    };
    let folder = arguments.results.join(&first.run_id);
    let records = bring_home(&folder, stored, events)?;
    let judged = JudgedRun::of(&records);
    report::write(&judged, &folder)?;
    let _ = writeln!(out, "{}", folder.display());
    Ok(exit_code(&judged).0)
}

/// Merges the cluster's records with those of the folder, and tells what the cluster does not have. A folder
/// that has everything already is left alone.
fn bring_home(folder: &Path, stored: Vec<Record>, events: &Events) -> Result<Vec<Record>> {
    let path = folder.join(records::FILE_NAME);
    let local = if path.exists() {
        RecordFile::recover(&path)?
    } else {
        Recovered { records: Vec::new(), note: None }
    };
    let is_torn = local.note.is_some();
    if let Some(note) = local.note {
        events.tell(Progress::note(note));
    }
    let Merged { records, only_kept, fuller } = merge(local.records.clone(), stored);
    for (ids, what) in [
        (only_kept, "the cluster does not have these records; they are kept"),
        (fuller, "the cluster has less of these records; they are kept as they are"),
    ] {
        if !ids.is_empty() {
            events.tell(Progress::note(format!("{}: {what}: {}", folder.display(), ids.join(", "))));
        }
    }
    for record in records.iter().filter(|record| record.left_out.contains(&LeftOut::Figures)) {
        let reasons = record.unmeasured.iter().flat_map(|unmeasured| &unmeasured.reasons);
        let reasons: Vec<_> = reasons.map(String::as_str).collect();
        events.tell(Progress::note(format!("{}: {}", record.scenario.id, reasons.join("; "))));
    }
    if is_torn || records != local.records {
        RecordFile::create(&path, &records)?;
    }
    Ok(records)
}

fn no_records(cluster: &Cluster, wanted: Option<&str>, state: Option<&RunState>) -> Error {
    let of = wanted.map(|id| format!(" of run {id}")).unwrap_or_default();
    let error = Error::cluster(format!("namespace {} holds no records{of}", cluster.namespace));
    match state.filter(|state| wanted.is_some_and(|wanted| wanted != state.run_id)) {
        Some(state) => error.next(format!(
            "it keeps only the latest run, which is {}; fetch that one, or look for an earlier copy",
            state.run_id
        )),
        None => error.next("a record is there as soon as the first scenario has ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;
    use std::sync::{Arc, Mutex};

    fn home(folder: &Path, stored: Vec<Record>) -> (Result<Vec<Record>>, Vec<String>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = told.clone();
        let events = Events::to(move |event| sink.lock().unwrap().push(event.to_string()));
        let records = bring_home(folder, stored, &events);
        let told = told.lock().unwrap().clone();
        (records, told)
    }

    #[test]
    fn a_fuller_copy_and_records_that_the_cluster_lacks_are_kept_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(records::FILE_NAME);
        let (first, second, third) = (record(0, 1, 20, 10), record(1, 1, 40, 10), record(2, 1, 60, 10));
        RecordFile::create(&path, &[first.clone(), second.clone()]).unwrap();
        let slim = Record { samples: Vec::new(), ..first.clone() };
        let (_, told) = home(folder.path(), vec![slim, third.clone()]);
        let mut kept = RecordFile::read(&path).unwrap();
        kept.sort_by_key(|record| record.scenario.index);
        assert_eq!(kept, [first, second.clone(), third]);
        assert!(told[0].contains("does not have") && told[0].ends_with(&second.scenario.id), "{told:?}");
        assert!(told[1].contains("has less of"), "{told:?}");
    }

    #[test]
    fn a_record_that_is_only_in_a_log_is_named_with_that_log() {
        let folder = tempfile::tempdir().unwrap();
        let reason = "it is a line of the log of pod x";
        let mut bare = record(0, 1, 20, 10);
        bare.left_out = vec![LeftOut::Figures];
        bare.unmeasured = Some(records::Unmeasured::new(records::UnmeasuredKind::Broken, reason));
        let (_, told) = home(folder.path(), vec![bare, record(1, 1, 40, 10)]);
        assert_eq!(told, [format!("{}: {reason}", record(0, 1, 20, 10).scenario.id)]);
    }

    #[test]
    fn a_torn_local_line_is_told_and_replaced_by_the_clusters_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(records::FILE_NAME);
        let line = serde_json::to_string(&record(0, 1, 20, 10)).unwrap();
        std::fs::write(&path, &line[..50]).unwrap();
        let (records, told) = home(folder.path(), vec![record(0, 1, 20, 10)]);
        assert_eq!(records.unwrap(), RecordFile::read(&path).unwrap());
        assert!(told[0].contains("cut off"), "{told:?}");
    }

    #[test]
    fn a_damaged_local_file_is_refused_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(records::FILE_NAME);
        std::fs::write(&path, "not a record\n").unwrap();
        let (records, _) = home(folder.path(), vec![record(0, 1, 20, 10)]);
        assert!(records.unwrap_err().message.contains("line 1 "));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "not a record\n");
    }
}
