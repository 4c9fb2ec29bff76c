//! The credential plugin of a kubeconfig (`exec`): a program that prints a token or a certificate.
//!
//! It may ask a person, open a browser or hang, so that it has a deadline, and the user hears of the wait. Its
//! command line and its variables may be secret. Messages name only the program.

use std::io::IsTerminal;
use std::process::{Output, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use kube::config::{ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout_at;

use crate::wait::{Tell, Telling};

/// How long a plugin may take. It is as long as a person takes to see that a question was asked.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// The last lines of what the plugin says of a failure.
const LINES: usize = 4;

/// What a plugin printed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Printed {
    pub(super) token: Option<String>,
    pub(super) client_certificate_data: Option<String>,
    pub(super) client_key_data: Option<String>,
    pub(super) expiration_timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
struct ExecCredential {
    status: Option<Printed>,
}

/// A plugin, as the kubeconfig describes it.
#[derive(Clone, Debug)]
pub(super) struct Plugin {
    exec: ExecConfig,
    within: Duration,
}

impl Plugin {
    pub(super) const fn new(exec: ExecConfig) -> Self {
        Self { exec, within: ANSWERS_WITHIN }
    }

    /// The program's name, for messages.
    pub(super) fn name(&self) -> String {
        let command = self.exec.command.as_deref().unwrap_or_default();
        let name = std::path::Path::new(command).file_name().map(|name| name.to_string_lossy().into_owned());
        format!("the credential plugin {} of the kubeconfig (exec)", name.unwrap_or_default())
    }

    /// Runs the plugin. It is ended with its children if it does not answer in time, or if nobody waits any more.
    ///
    /// # Errors
    /// A sentence with what the plugin said on stderr, without values of its variables.
    pub(super) async fn run(&self, tell: &Tell<'_>) -> Result<Printed, String> {
        let name = self.name();
        let is_interactive = self.is_interactive()?;
        let mut command = self.command(is_interactive)?;
        let child = command.spawn().map_err(|error| {
            let hint = self.exec.install_hint.as_deref().map(str::trim).filter(|hint| !hint.is_empty());
            let hint =
                hint.map(|hint| format!("; {}", hint.split_whitespace().collect::<Vec<_>>().join(" ")));
            format!("{name} cannot be started: {error}{}", hint.unwrap_or_default())
        })?;
        // In a terminal it must stay in the group of this program, or it could not read from the terminal.
        let mut group = KillGroup(child.id().filter(|_| !is_interactive));
        let output = self.wait(child.wait_with_output(), tell).await?;
        group.0 = None;
        let output = output.map_err(|error| format!("{name}: {error}"))?;
        if !output.status.success() {
            return Err(format!("{name} failed: {}{}", output.status, self.said(&output.stderr)));
        }
        // Some plugins print YAML.
        let printed = str::from_utf8(&output.stdout).ok();
        let printed = printed.and_then(|text| serde_saphyr::from_str::<ExecCredential>(text).ok());
        let said = || self.said(&output.stderr);
        let printed = printed.ok_or_else(|| format!("{name} printed no ExecCredential{}", said()))?;
        let status = printed
            .status
            .ok_or_else(|| format!("{name} printed no ExecCredential with a status{}", said()))?;
        let has_certificate = status.client_certificate_data.is_some() && status.client_key_data.is_some();
        if status.token.as_deref().is_none_or(str::is_empty) && !has_certificate {
            return Err(format!("{name} printed neither a token nor a certificate with its key{}", said()));
        }
        Ok(status)
    }

    async fn wait(
        &self,
        output: impl Future<Output = std::io::Result<Output>>,
        tell: &Tell<'_>,
    ) -> Result<std::io::Result<Output>, String> {
        let deadline = tokio::time::Instant::now() + self.within;
        let mut telling = Telling::new(tell);
        tokio::pin!(output);
        loop {
            if let Ok(output) = timeout_at(deadline.min(telling.due()), &mut output).await {
                return Ok(output);
            }
            if tokio::time::Instant::now() >= deadline {
                let seconds = self.within.as_secs_f64();
                return Err(format!(
                    "{} did not answer within {seconds} s and was ended; perhaps it waits for somebody to log in",
                    self.name()
                ));
            }
            telling.tell_if_due("it has not answered yet; perhaps it waits for somebody to log in");
        }
    }

    fn is_interactive(&self) -> Result<bool, String> {
        let is_terminal = std::io::stdin().is_terminal();
        match self.exec.interactive_mode {
            Some(ExecInteractiveMode::Never) => Ok(false),
            Some(ExecInteractiveMode::Always) if !is_terminal => {
                Err(format!("{} needs a terminal (interactiveMode: Always), and there is none", self.name()))
            }
            _ => Ok(is_terminal),
        }
    }

    fn command(&self, is_interactive: bool) -> Result<Command, String> {
        let exec = &self.exec;
        let program = exec.command.as_deref().filter(|program| !program.is_empty());
        let program = program.ok_or("the kubeconfig names no command for its credential plugin (exec)")?;
        let mut command = Command::new(program);
        command.args(exec.args.iter().flatten());
        command.envs(self.variables());
        let info = json!({
            "apiVersion": exec.api_version,
            "kind": "ExecCredential",
            "spec": { "interactive": is_interactive, "cluster": exec.cluster },
        });
        command.env("KUBERNETES_EXEC_INFO", without_nulls(info).to_string());
        command.stdout(Stdio::piped()).kill_on_drop(true);
        if is_interactive {
            command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
        } else {
            command.stdin(Stdio::null()).stderr(Stdio::piped());
            #[cfg(unix)]
            command.process_group(0);
        }
        Ok(command)
    }

    fn variables(&self) -> impl Iterator<Item = (&String, &String)> {
        let all = self.exec.env.iter().flatten();
        all.filter_map(|variable| Some((variable.get("name")?, variable.get("value")?)))
    }

    /// The end of what the plugin said, on one line; values of its variables are left out.
    fn said(&self, stderr: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(stderr).into_owned();
        let mut secrets: Vec<&String> =
            self.variables().map(|(_, value)| value).filter(|value| value.len() > 3).collect();
        // A value may be a part of another one.
        secrets.sort_by_key(|value| std::cmp::Reverse(value.len()));
        for secret in secrets {
            text = text.replace(secret.as_str(), "…");
        }
        let lines: Vec<String> = text
            .lines()
            .map(|line| line.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        let last = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default().join("; ");
        let last: String = last.chars().take(500).collect();
        if last.is_empty() { String::new() } else { format!("; it said: {last}") }
    }
}

/// The absent fields of an object are left out, as client-go does.
fn without_nulls(mut info: serde_json::Value) -> serde_json::Value {
    for object in [&mut info["spec"]] {
        if let Some(fields) = object.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
    }
    info
}

/// Ends the process group when dropped, unless it was emptied.
struct KillGroup(Option<u32>);

impl Drop for KillGroup {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.0.and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
            // It may have ended by itself.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::silent;
    use std::collections::HashMap;
    use std::path::Path;

    fn plugin(script: &str) -> Plugin {
        let variable = |name: &str, value: &str| {
            HashMap::from([("name".to_owned(), name.to_owned()), ("value".to_owned(), value.to_owned())])
        };
        Plugin::new(ExecConfig {
            command: Some("/bin/sh".into()),
            args: Some(vec!["-c".into(), script.into()]),
            env: Some(vec![variable("ACME_SECRET", "hunter2-secret")]),
            interactive_mode: Some(ExecInteractiveMode::Never),
            ..ExecConfig::default()
        })
    }

    #[tokio::test]
    async fn a_token_is_read_from_json_and_from_yaml() {
        let printed =
            plugin(r#"echo '{"status": {"token": "t", "expirationTimestamp": "2030-01-01T00:00:00Z"}}'"#);
        let printed = printed.run(&silent).await.unwrap();
        assert_eq!((printed.token.as_deref(), printed.expiration_timestamp.is_some()), (Some("t"), true));
        let yaml = plugin("printf 'kind: ExecCredential\\nstatus:\\n  token: y\\n'").run(&silent).await;
        assert_eq!(yaml.unwrap().token.as_deref(), Some("y"));
    }

    #[tokio::test]
    async fn a_failure_quotes_what_the_plugin_said_without_its_variables() {
        let failing = plugin("echo \"token expired, run: acme login ($ACME_SECRET)\" >&2; exit 1");
        let error = failing.run(&silent).await.unwrap_err();
        assert!(
            error.contains("plugin sh of") && error.ends_with("token expired, run: acme login (…)"),
            "{error}"
        );
        for (script, words) in [
            ("echo '{}'", "no ExecCredential with a status"),
            ("echo 'Log in at https://…'; echo '{'", "printed no ExecCredential"),
            ("echo '{\"status\": {}}'", "neither a token nor a certificate"),
            ("echo '{\"status\": {\"clientCertificateData\": \"c\"}}'", "neither a token nor a certificate"),
        ] {
            let error = plugin(script).run(&silent).await.unwrap_err();
            assert!(error.contains(words) && !error.contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_plugin_that_waits_is_ended_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        // The shell has a child of its own, which holds the plugin's output open.
        let script = format!("read x; sleep 600 & echo $! > {}; wait; exit 1", pid.display());
        let mut waiting = plugin(&script);
        waiting.within = Duration::from_millis(500);
        let error = waiting.run(&silent).await.unwrap_err();
        assert!(error.contains("did not answer within 0.5 s"), "{error}");
        assert_ended(&pid).await;
        // Nobody waits any more, for example because the user interrupted the program.
        let cancelled = plugin(&script);
        let waiting = tokio::time::timeout(Duration::from_millis(500), cancelled.run(&silent));
        assert!(waiting.await.is_err());
        assert_ended(&pid).await;
    }

    /// The process whose number is in the file ends within a moment.
    async fn assert_ended(pid: &Path) {
        let number = std::fs::read_to_string(pid).unwrap();
        let process = Path::new("/proc").join(number.trim()).join("stat");
        let ended = crate::wait::poll(Duration::from_secs(5), Duration::from_millis(20), &silent, || async {
            // A process that has ended may still wait for its parent to notice.
            match std::fs::read_to_string(&process) {
                Ok(stat) if !stat.contains(") Z") => crate::wait::Condition::NotMet(stat),
                _ => crate::wait::Condition::Met(()),
            }
        });
        ended.await.unwrap();
    }

    #[tokio::test]
    async fn a_plugin_that_is_missing_is_named_with_its_hint() {
        let mut missing = plugin("");
        missing.exec.command = Some("/nonexistent/acme-login".into());
        missing.exec.install_hint = Some("install it:\n  brew install acme".into());
        let error = missing.run(&silent).await.unwrap_err();
        assert!(
            error.contains("acme-login") && error.ends_with("; install it: brew install acme"),
            "{error}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_told() {
        let told = std::sync::Mutex::new(Vec::new());
        let tell =
            |waited: Duration, state: &str| told.lock().unwrap().push((waited.as_secs(), state.to_owned()));
        let error = plugin("").wait(std::future::pending(), &tell).await.unwrap_err();
        assert!(error.contains("within 30 s"), "{error}");
        let told = told.lock().unwrap();
        assert_eq!(told.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [10, 20]);
        assert!(told[0].1.contains("log in"), "{told:?}");
    }
}
