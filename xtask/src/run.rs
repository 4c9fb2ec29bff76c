//! Running other programs: each command is shown and logged, and can be stopped.

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

/// What every step needs: the requests to stop, the progress output, and the log of commands.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) stop: Arc<StopRequests>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) log: Arc<Log>,
    pub(crate) verbose: bool,
    /// The value of [`crate::orphan::STARTED_BY`] for every command.
    started_by: Arc<str>,
}

impl Session {
    pub(crate) fn open(stop: Arc<StopRequests>, log: &Path, verbose: bool) -> Result<Self, Failure> {
        let started_by = StartedBy::this_process(log.parent().unwrap_or(log)).text().into();
        Ok(Self { stop, progress: Progress::start(), log: Arc::new(Log::create(log)?), verbose, started_by })
    }

    /// The value of [`crate::orphan::STARTED_BY`] for a program that is not started through [`command::Cmd`].
    pub(crate) fn started_by(&self) -> &str {
        &self.started_by
    }

    /// The failure to end with, if the user has asked to stop.
    pub(crate) fn interruption(&self) -> Option<Failure> {
        (self.stop.signal_count() > 0).then(Failure::interrupted)
    }

    /// Awaits work that runs no command, and gives up when the user asks to stop.
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

    /// Runs a step: announces its name, then reports how long it took and whether it failed.
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

    /// Runs one of several tasks that run at the same time. If it fails, the others are stopped.
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

/// Boxed, because the future of many steps in sequence would otherwise take many kilobytes.
type Boxed<'a, T> = LocalBoxFuture<'a, Result<T, Failure>>;
