//! Which run this is, and which of its scenarios are recorded already.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use records::Record;

use super::arguments::Arguments;
use crate::cluster::put_back;
use crate::events::{Events, Progress};
use crate::exit::{Error, Result};
use crate::record::{RecordFile, Recovered, RunState, Stored, merge};

/// A run's identity and the records of its folder.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) run_id: String,
    pub(super) folder: PathBuf,
    pub(super) recorded: Vec<Record>,
}

/// The run that an earlier driver may have begun: that of the Job, or that of the folder of `--resume`.
pub(super) fn known_run(of_job: Option<&str>, resume: Option<&Path>) -> Option<String> {
    let of_folder = || {
        let folder = resume?;
        let recovered = RecordFile::recover(&folder.join(records::FILE_NAME)).ok()?;
        recovered.records.into_iter().next().map(|record| record.run_id)
    };
    of_job.map(str::to_owned).or_else(of_folder)
}

/// Reads the folder of `--resume`, or starts a new run.
pub(super) fn origin(arguments: &Arguments, events: &Events) -> Result<Origin> {
    if let Some(folder) = &arguments.resume {
        let Recovered { records: recorded, note } = RecordFile::recover(&folder.join(records::FILE_NAME))?;
        if let Some(note) = note {
            events.tell(Progress::note(note));
        }
        let Some(first) = recorded.first() else {
            return Err(Error::usage(format!("--resume {}: nothing is recorded there", folder.display()))
                .next("leave --resume out: there is nothing to continue"));
        };
        return Ok(Origin { run_id: first.run_id.clone(), folder: folder.clone(), recorded });
    }
    let run_id = arguments.run_id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let folder = arguments.run_folder.clone().unwrap_or_else(|| arguments.results.join(&run_id));
    Ok(Origin { run_id, folder, recorded: Vec::new() })
}

/// The state and the records to continue from: those of the folder, and those of the cluster if it holds the
/// same run.
///
/// # Errors
/// Exit code 2: the run was started with another plan hash.
pub(super) fn resumed(
    stored: &Stored,
    records: Vec<Record>,
    fresh: RunState,
) -> Result<(RunState, Vec<Record>)> {
    let state = stored.state.clone().filter(|state| state.run_id == fresh.run_id);
    let stored = stored.records.iter().filter(|record| record.run_id == fresh.run_id).cloned().collect();
    let records = merge(records, stored).records;
    let mut hashes =
        state.iter().map(|state| &state.plan_hash).chain(records.iter().map(|record| &record.plan_hash));
    if hashes.any(|hash| *hash != fresh.plan_hash) {
        let message = format!(
            "run {} cannot be resumed: settings, images or Locust's version have changed since it began",
            fresh.run_id
        );
        return Err(Error::usage(message).next("start a new run, or restore what it was started with"));
    }
    Ok((state.unwrap_or(fresh), records))
}

/// Refuses to continue with pods that are made from other templates than those of the records: another environment or
/// other resources make another service.
///
/// # Errors
/// Exit code 2, naming the workload.
pub(super) fn refuse_changed_templates(
    records: &[Record],
    templates: &BTreeMap<String, String>,
) -> Result<()> {
    for record in records {
        let before = &record.environment.templates;
        let is_changed =
            |(name, digest): &(&String, &String)| before.get(*name).is_some_and(|old| old != *digest);
        if let Some((name, _)) = templates.iter().find(is_changed) {
            let message = format!(
                "run {} cannot be resumed: the pod template of {name} has changed since it began, such as a variable, \
                 a limit or the test script",
                record.run_id
            );
            let (kind, name) = name.split_once('/').unwrap_or(("deployment", name));
            return Err(Error::usage(message).next(format!("start a new run, or {}", put_back(kind, name))));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::ExitCode;
    use crate::record::OriginalReplicas;
    use crate::record::tests::record;

    fn state(run_id: &str, plan_hash: &str, inference: u32) -> RunState {
        let original = OriginalReplicas { inference, workers: 2 };
        RunState { run_id: run_id.into(), plan_hash: plan_hash.into(), original, restores: None, began: None }
    }

    fn stored(state: Option<RunState>, records: Vec<Record>) -> Stored {
        Stored { state, records, ..Stored::default() }
    }

    #[test]
    fn the_run_of_a_job_or_of_a_resumed_folder_is_known_and_that_of_a_new_run_is_not() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(known_run(None, Some(folder.path())), None, "nothing is recorded");
        RecordFile::create(&folder.path().join(records::FILE_NAME), &[record(0, 1, 20, 80)]).unwrap();
        assert_eq!(known_run(None, Some(folder.path())).as_deref(), Some("run"));
        assert_eq!(known_run(Some("job"), None).as_deref(), Some("job"));
        assert_eq!(known_run(None, None), None);
    }

    #[test]
    fn a_new_run_starts_without_records() {
        let (state, records) = resumed(&Stored::default(), Vec::new(), state("run", "hash", 1)).unwrap();
        assert_eq!((state.run_id.as_str(), records.len()), ("run", 0));
    }

    #[test]
    fn a_resumed_run_has_every_record_once_and_the_replicas_of_its_first_pod() {
        let stored = stored(Some(state("run", "hash", 1)), vec![record(0, 1, 20, 80), record(1, 1, 40, 80)]);
        let (state, records) =
            resumed(&stored, vec![record(0, 1, 20, 80), record(2, 2, 20, 80)], state("run", "hash", 8))
                .unwrap();
        let mut indices: Vec<_> = records.iter().map(|record| record.scenario.index).collect();
        indices.sort_unstable();
        assert_eq!((indices, state.original.inference), (vec![0, 1, 2], 1));
    }

    #[test]
    fn records_of_another_run_are_left_alone() {
        let stored = stored(
            Some(state("other", "else", 5)),
            vec![Record { run_id: "other".into(), ..record(0, 1, 20, 80) }],
        );
        let (state, records) = resumed(&stored, Vec::new(), state("run", "hash", 1)).unwrap();
        assert_eq!((state.original.inference, records.len()), (1, 0));
    }

    #[test]
    fn a_changed_pod_template_is_refused_by_the_workloads_name() {
        let templates = |digest: &str| BTreeMap::from([("inference".to_owned(), digest.to_owned())]);
        let mut recorded = record(0, 1, 20, 80);
        assert_eq!(refuse_changed_templates(&[recorded.clone()], &templates("a")), Ok(()), "an older record");
        recorded.environment.templates = templates("a");
        assert_eq!(refuse_changed_templates(&[recorded.clone()], &templates("a")), Ok(()));
        let error = refuse_changed_templates(&[recorded], &templates("b")).unwrap_err();
        assert_eq!(error.code, ExitCode::Usage);
        assert!(error.message.contains("the pod template of inference has changed"), "{error}");
    }

    #[test]
    fn another_plan_hash_is_refused_wherever_it_is_found() {
        for stored in [
            stored(Some(state("run", "else", 1)), Vec::new()),
            stored(None, vec![Record { plan_hash: "else".into(), ..record(0, 1, 20, 80) }]),
        ] {
            let error = resumed(&stored, Vec::new(), state("run", "hash", 1)).unwrap_err();
            assert_eq!(error.code, ExitCode::Usage);
            assert!(error.message.starts_with("run run cannot be resumed"), "{error}");
        }
    }
}
