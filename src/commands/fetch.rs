//! `locust-matrix fetch`: brings home the records of a run, and makes its reports.

use std::io::Write;
use std::path::{Path, PathBuf};

use records::{LeftOut, Record};

use super::edited::set_edited_aside;
use crate::cluster::{Cluster, ClusterFlags};
use crate::events::{Events, Progress, many};
use crate::exit::{Error, ExitCode, Result};
use crate::judge::{JudgedRun, exit_code};
use crate::record::{ConfigMapStore, Merged, RecordFile, Recovered, Stored, merge};
use crate::report;

/// Arguments of `fetch`.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Folder for the results; each run gets a folder of its own in it
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// The run (default: the newest that the cluster keeps)
    #[arg(long = "run", value_name = "ID")]
    run_id: Option<String>,
    /// List the runs that the cluster keeps, the newest first, and download nothing
    #[arg(long, conflicts_with = "run_id")]
    list: bool,
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
    if arguments.list {
        return list(&cluster, events, out).await;
    }
    let (folder, records) = fetch(&cluster, arguments, events).await?;
    let judged = JudgedRun::of(&records);
    report::append_to_job(&judged)?;
    let _ = writeln!(out, "{}", folder.display());
    Ok(exit_code(&judged).0)
}

/// Brings the records of a run home and writes its reports. Returns the run's folder and its records.
async fn fetch(cluster: &Cluster, arguments: &Arguments, events: &Events) -> Result<(PathBuf, Vec<Record>)> {
    let stored = ConfigMapStore::read(cluster, arguments.run_id.as_deref()).await?;
    let run_id = arguments.run_id.as_ref().or(stored.state.as_ref().map(|state| &state.run_id));
    let records: Vec<Record> =
        stored.records.iter().filter(|record| run_id == Some(&record.run_id)).cloned().collect();
    let Some(first) = records.first() else {
        return Err(no_records(&cluster.namespace, arguments, &stored));
    };
    let folder = arguments.results.join(&first.run_id);
    let records = bring_home(&folder, records, events)?;
    set_edited_aside(&folder, events)?;
    report::write(&JudgedRun::of(&records), &folder)?;
    Ok((folder, records))
}

/// Prints a line for each run: its id, when it began, how many records it has, and its target.
async fn list(cluster: &Cluster, events: &Events, out: &mut dyn Write) -> Result<ExitCode> {
    let runs = ConfigMapStore::runs(cluster).await?;
    if runs.is_empty() {
        events.tell(Progress::note(format!("namespace {} keeps the records of no run", cluster.namespace)));
    }
    for run in runs {
        let line = match ConfigMapStore::read(cluster, Some(&run.run_id)).await {
            Ok(stored) => {
                let target = stored.records.first().map(|record| record.environment.target.as_str());
                let began = run.began.or_else(|| stored.records.first().map(|record| record.started_at));
                let began = began.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
                format!(
                    "{}  {:20}  {:>11}  {}",
                    run.run_id,
                    began.unwrap_or_default(),
                    many(stored.records.len(), "record"),
                    target.unwrap_or_default()
                )
            }
            Err(error) => format!("{}  {}", run.run_id, error.message),
        };
        let _ = writeln!(out, "{}", line.trim_end());
    }
    Ok(ExitCode::Success)
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

/// Why there is nothing to fetch: the run is not there, was replaced, or has not recorded anything yet.
fn no_records(namespace: &str, arguments: &Arguments, stored: &Stored) -> Error {
    let wanted = arguments.run_id.as_deref();
    let of = wanted.map(|id| format!(" of run {id}")).unwrap_or_default();
    let error = Error::cluster(format!("namespace {namespace} holds no records{of}"));
    let local =
        wanted.map(|id| arguments.results.join(id).join(records::FILE_NAME)).filter(|path| path.exists());
    let local =
        local.map(|path| format!("; {} is here and was left as it is", path.display())).unwrap_or_default();
    let others: Vec<&str> = stored.others.iter().map(|state| state.run_id.as_str()).collect();
    match (wanted, others.is_empty()) {
        (Some(id), _) if stored.state.as_ref().is_some_and(|state| state.run_id == id) => {
            error.next("a record is there as soon as the first scenario has ended")
        }
        (Some(_), false) => error.next(format!(
            "later runs have replaced it, or it was made elsewhere; the runs here are {}; record.keep of the \
             settings says how many are kept{local}",
            others.join(", ")
        )),
        (Some(_), true) => {
            error.next(format!("no run was made here; is this the namespace of the run?{local}"))
        }
        (None, _) => error.next("a record is there as soon as the first scenario has ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::FakeApi;
    use crate::config::MOST_RUNS;
    use crate::record::tests::record;
    use crate::record::{OriginalReplicas, RunState, SHARDS, Writer};
    use serde_json::json;
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    fn home(folder: &Path, stored: Vec<Record>) -> (Result<Vec<Record>>, Vec<String>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = told.clone();
        let events = Events::to(move |event| sink.lock().unwrap().push(event.to_string()));
        let records = bring_home(folder, stored, &events);
        let told = told.lock().unwrap().clone();
        (records, told)
    }

    fn state(run_id: &str) -> RunState {
        RunState {
            run_id: run_id.into(),
            plan_hash: String::new(),
            original: OriginalReplicas { inference: 1, workers: 1 },
            restores: None,
            began: None,
        }
    }

    /// The content of each file in a folder.
    fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
        files
            .map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap()))
            .collect()
    }

    #[tokio::test]
    async fn a_run_whose_job_and_pod_are_deleted_is_fetched_twice_with_the_same_files() {
        let api = FakeApi::default();
        for number in 0..MOST_RUNS * SHARDS {
            let name = format!("locust-load-test-results-{number}");
            let path = format!("/api/v1/namespaces/default/configmaps/{name}");
            api.put(&path, json!({ "metadata": { "name": name } }));
        }
        let recorded = [record(0, 1, 20, 80), record(1, 2, 20, 160)];
        let cluster = api.cluster();
        let stored = ConfigMapStore::read_to_write(&cluster, "run", 2).await.unwrap();
        let writer = Writer { holder: "pod".into(), is_pod: true, events: Events::to(|_| {}) };
        ConfigMapStore::begin(&cluster, writer, stored, &state("run"), &recorded).await.unwrap();
        // From here on, the cluster has the records, and no Job and no pod.
        let before = api.calls().len();
        let results = tempfile::tempdir().unwrap();
        let arguments = Arguments { results: results.path().to_owned(), run_id: None, list: false };
        let (folder, records) = fetch(&cluster, &arguments, &Events::to(|_| {})).await.unwrap();
        assert_eq!((folder.as_path(), records.as_slice()), (&*results.path().join("run"), &recorded[..]));
        let first = files(&folder);
        for name in [records::FILE_NAME, "auto_summary.csv", "report.html"] {
            assert!(first.get(name).is_some_and(|bytes| !bytes.is_empty()), "{name}: {:?}", first.keys());
        }
        let is_same = |again: &BTreeMap<_, _>| {
            assert!(first.keys().eq(again.keys()), "{:?}", again.keys());
            for (name, bytes) in &first {
                assert!(again[name] == *bytes, "{name} differs");
            }
        };
        fetch(&cluster, &arguments, &Events::to(|_| {})).await.unwrap();
        is_same(&files(&folder));
        let elsewhere = tempfile::tempdir().unwrap();
        let arguments = Arguments { results: elsewhere.path().to_owned(), run_id: None, list: false };
        let (folder, _) = fetch(&cluster, &arguments, &Events::to(|_| {})).await.unwrap();
        is_same(&files(&folder));
        let calls = &api.calls()[before..];
        assert!(
            calls.iter().all(|call| call.starts_with("GET ") && call.contains("/configmaps/")),
            "{calls:?}"
        );
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
    fn the_message_for_missing_records_says_whether_the_run_was_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = |run_id: Option<&str>| Arguments {
            results: folder.path().to_owned(),
            run_id: run_id.map(str::to_owned),
            list: false,
        };
        let others = vec![state("new"), state("newer")];
        let stored = Stored { others, ..Stored::default() };
        let next =
            |arguments: &Arguments, stored: &Stored| no_records("team", arguments, stored).next.unwrap();
        let replaced = next(&arguments(Some("old")), &stored);
        assert!(replaced.contains("replaced it") && replaced.contains("new, newer"), "{replaced}");
        assert!(!replaced.contains("was left as it is"));
        std::fs::create_dir(folder.path().join("old")).unwrap();
        std::fs::write(folder.path().join("old").join(records::FILE_NAME), "").unwrap();
        assert!(next(&arguments(Some("old")), &stored).contains("was left as it is"));
        assert!(next(&arguments(Some("old")), &Stored::default()).contains("no run was made here"));
        let begun = Stored { state: Some(state("old")), ..Stored::default() };
        assert!(next(&arguments(Some("old")), &begun).contains("as soon as the first scenario"));
        assert!(next(&arguments(None), &Stored::default()).contains("as soon as the first scenario"));
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
