//! What the test script does by itself.

use super::super::script::ByScript;
use super::State;
use crate::load::{Failure, Left, Snapshot, State as LoadState};

impl State {
    pub(super) fn act_by_script(&mut self, now: f64) {
        let Some((_, what)) = self.script.own_doing.filter(|(at, _)| now >= *at) else { return };
        self.by_script = Some(what);
        if matches!(what, ByScript::Stop | ByScript::Quit) {
            self.load = None;
        }
    }

    /// The script starts anew with each load, unless it has sent the workers home.
    pub(super) fn begin_by_script(&mut self) {
        if self.by_script != Some(ByScript::Quit) {
            self.by_script = None;
        }
    }

    pub(super) fn as_the_script_left_it(&self, mut snapshot: Snapshot) -> Snapshot {
        match self.by_script {
            None => {}
            Some(ByScript::UsersLeave) => {
                let count = u64::from(snapshot.user_count);
                snapshot.left = vec![Left { user: "Customer".into(), why: "StopUser".into(), count }];
                snapshot.user_count = 0;
                snapshot.workers.iter_mut().for_each(|worker| worker.user_count = 0);
            }
            Some(ByScript::QuitOnWorker) => {
                snapshot.ended_by_script = Some("runner.quit() on a worker".into());
                snapshot.state = LoadState::Stopping;
            }
            Some(ByScript::Stop) => snapshot.ended_by_script = Some("runner.stop()".into()),
            Some(ByScript::Quit) => {
                snapshot.ended_by_script = Some("runner.quit()".into());
                (snapshot.has_quit, snapshot.state) = (true, LoadState::Stopped);
                snapshot.workers.clear();
                let (method, name, error) = ("POST".into(), "/predict".into(), "500".into());
                snapshot.errors = vec![Failure { method, name, error, occurrences: 7 }];
                if let Some(cut) = &mut snapshot.cut {
                    cut.complete = false;
                }
            }
        }
        snapshot
    }
}
