//! The world as a load generator.

use std::time::Duration;

use tokio::time::Instant;

use super::super::open_queue::OpenQueue;
use super::super::script::ByScript;
use super::{CALLER, MASTER, WORKERS, World};
use crate::exit::{Error, Result};
use crate::load::{Capabilities, Load, LoadGenerator, Snapshot, Unreached};
use crate::wait::TimedOut;

impl LoadGenerator for World {
    fn name(&self) -> &'static str {
        "The script"
    }

    fn caller(&self) -> &'static str {
        CALLER
    }

    async fn capabilities(&self) -> Result<Capabilities> {
        Ok(self.state().script.capabilities.clone())
    }

    async fn snapshot(&self, _deadman: Duration) -> Result<Snapshot> {
        self.read(false).await
    }

    async fn cut(&self, _deadman: Duration) -> Result<Snapshot> {
        self.read(true).await
    }

    async fn start(&self, load: Load, _host: &str) -> Result<()> {
        let mut state = self.state();
        state.answers()?;
        state.load = Some((load, Instant::now()));
        state.first_started.get_or_insert_with(Instant::now);
        state.asked = Instant::now();
        (state.counted, state.partial) = (0.0, 0.0);
        state.clear();
        (state.killed, state.was_reset) = (false, false);
        state.begin_by_script();
        state.open = None;
        if let Load::Open { rate, users, seed } = load {
            state.open = Some(OpenQueue::new(rate, users, state.script.slots, state.script.queue_limit));
            state.seeds.push(seed);
        }
        Ok(())
    }

    async fn stop(&self) -> Result<()> {
        let mut state = self.state();
        state.advance();
        state.answers()?;
        if !state.master_is_new && state.by_script != Some(ByScript::QuitOnWorker) {
            state.load = None;
        }
        Ok(())
    }

    fn deployments(&self) -> &'static [&'static str] {
        &[MASTER, WORKERS]
    }

    fn explain(&self, unreached: &Unreached, timed_out: &TimedOut) -> Error {
        Error::cluster(format!("{unreached:?} {timed_out}"))
    }
}
