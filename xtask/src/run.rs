//! Running other programs: shown, logged, stoppable.

pub(crate) mod command;
pub(crate) mod group;
pub(crate) mod log;
pub(crate) mod progress;
pub(crate) mod shell;
pub(crate) mod stop;

use std::path::Path;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;

use crate::failure::Failure;
use crate::orphan::StartedBy;
use log::Log;
use progress::Progress;
use stop::{StopPolicy, StopRequests};

/// What every step needs: a way to be stopped, a voice, and the log of commands.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) stop: Arc<StopRequests>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) log: Arc<Log>,
    pub(crate) verbose: bool,
    /// What every command carries, so that it is known for ours if this program is killed.
    started_by: Arc<str>,
}

impl Session {
    pub(crate) fn open(stop: Arc<StopRequests>, log: &Path, verbose: bool) -> Result<Self, Failure> {
        let started_by = StartedBy::this_process(log.parent().unwrap_or(log)).text().into();
        Ok(Self { stop, progress: Progress::start(), log: Arc::new(Log::create(log)?), verbose, started_by })
    }

    /// What a program that outlives its command carries, too.
    pub(crate) fn started_by(&self) -> &str {
        &self.started_by
    }

    /// The failure to end with, if the user has asked to stop.
    pub(crate) fn interruption(&self) -> Option<Failure> {
        (self.stop.signal_count() > 0).then(Failure::interrupted)
    }

    /// Do something that runs no command, giving up when asked to stop.
    pub(crate) fn unless_stopped<'a, T: 'a>(&'a self, work: impl Work<T> + 'a) -> Boxed<'a, T> {
        let work = work.boxed_local();
        async move {
            tokio::select! {
                result = work => result,
                () = self.stop.due(StopPolicy::AtOnce) => Err(self.stop.failure()),
            }
        }
        .boxed_local()
    }

    /// A step with a name: announced, timed, and marked when it has failed.
    pub(crate) fn step<'a, T: 'a>(&'a self, name: &'a str, work: impl Work<T> + 'a) -> Boxed<'a, T> {
        let work = work.boxed_local();
        async move {
            let step = self.progress.begin(name);
            let result = work.await;
            self.progress.end(step, result.is_ok());
            result
        }
        .boxed_local()
    }

    /// One of several things done side by side: its failure stops the others.
    pub(crate) fn stopping_others<'a, T: 'a>(&'a self, work: impl Work<T> + 'a) -> Boxed<'a, T> {
        let work = work.boxed_local();
        async move {
            let result = work.await;
            if result.is_err() {
                self.stop.cancel();
            }
            result
        }
        .boxed_local()
    }
}

pub(crate) trait Work<T>: Future<Output = Result<T, Failure>> {}

impl<T, F: Future<Output = Result<T, Failure>>> Work<T> for F {}

/// Boxed, because flows of many steps would otherwise be futures of many kilobytes.
type Boxed<'a, T> = LocalBoxFuture<'a, Result<T, Failure>>;
