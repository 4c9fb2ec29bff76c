//! Signals while the program prepares.

use std::path::Path;
use std::time::Duration;

/// A credential plugin may ask a person, who would rather stop.
#[test]
fn a_signal_while_the_credential_plugin_waits_ends_both() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("plugin.pid");
    let script = format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 60", pid_file.display());
    let exec = format!(
        "{{apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, '{script}'], interactiveMode: Never}}"
    );
    let kubeconfig = folder.path().join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:1'}}}}]\n\
         users: [{{name: u, user: {{exec: {exec}}}}}]\n"
    );
    std::fs::write(&kubeconfig, text).unwrap();
    for command in [&["job"][..], &["run"], &["cleanup"], &["fetch"], &["deploy"]] {
        let _ = std::fs::remove_file(&pid_file);
        let mut driver = std::process::Command::new(env!("CARGO_BIN_EXE_locust-matrix"));
        driver.arg("--kubeconfig").arg(&kubeconfig).args(command).current_dir(folder.path());
        let mut driver =
            driver.env("HOME", folder.path()).stderr(std::process::Stdio::null()).spawn().unwrap();
        let within = |what: &str, is_done: &mut dyn FnMut() -> bool| {
            let begun = std::time::Instant::now();
            while !is_done() {
                assert!(begun.elapsed() < Duration::from_secs(20), "{command:?}: {what}");
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        within("the plugin starts", &mut || pid_file.exists());
        let plugin = std::fs::read_to_string(&pid_file).unwrap().trim().to_owned();
        let signal = rustix::process::Signal::INT;
        rustix::process::kill_process(rustix::process::Pid::from_child(&driver), signal).unwrap();
        let mut code = None;
        within("the driver ends", &mut || {
            code = driver.try_wait().unwrap().map(|status| status.code());
            code.is_some()
        });
        assert_eq!(code, Some(Some(130)), "{command:?}");
        let stat = Path::new("/proc").join(plugin).join("stat");
        within("the plugin ends", &mut || {
            std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))
        });
    }
}
