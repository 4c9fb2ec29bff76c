//! Locustfiles of other people: what they need beside them, what they cannot do, and what they do by themselves.

use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::required;
use e2e::results::{only_run, records};
use e2e::tool::{Ended, run};

use crate::cluster::Cluster;

/// Runs the driver on this cluster. Its settings, scripts and results are in the folder.
struct Driver<'a> {
    cluster: &'a Cluster,
    folder: PathBuf,
}

impl Driver<'_> {
    fn call(&self, words: &[&str]) -> Ended {
        let mut command = Command::new(required("E2E_DRIVER"));
        run(command.arg("--kubeconfig").arg(self.cluster.kubeconfig()).args(words))
    }

    fn deploy(&self, overlay: &str, locustfile: &Path) -> Ended {
        let locustfile = locustfile.to_str().unwrap();
        let stub = ["--image", "fake-inference=fake-inference:1"];
        self.call(&[&["deploy", "--overlay", overlay, "--locustfile", locustfile], &stub[..]].concat())
    }

    fn deploy_script(&self, text: &str) -> Ended {
        let file = self.folder.join("07 script.py");
        std::fs::write(&file, text).unwrap();
        self.deploy("kind", &file)
    }

    /// Runs this matrix; returns how it ended, and its results.
    fn run(&self, settings: &str, name: &str) -> (Ended, PathBuf) {
        let matrix = self.folder.join("matrix.yaml");
        std::fs::write(&matrix, settings).unwrap();
        let results = self.folder.join(name);
        let (matrix, folder) = (matrix.to_str().unwrap(), results.to_str().unwrap());
        let ended = self.call(&["run", "--yes", "--config", matrix, "--results", folder]);
        (ended, results)
    }

    fn kubectl(&self, words: &[&str]) -> Ended {
        run(Command::new("kubectl").arg("--kubeconfig").arg(self.cluster.kubeconfig()).args(words))
    }
}

const USERS: &str = "
import gevent
import locust_matrix
from locust import HttpUser, LoadTestShape, constant, events, task


class Caller(HttpUser):
    wait_time = constant(0.2)

    @task
    def look(self):
        self.client.get('/healthz')

";

const MATRIX: &str =
    "{replicas: [1], workers: [1], users: [2, 5], duration: 2s, max_duration: 4s, cooldown: 0s,
    warmup: 0s, spawn_rate: 20, inference: {primary: GET /healthz}}";

/// `deploy` ships the modules and data in a locustfile's folder. It refuses scripts that are too large, and names a
/// module that is missing.
pub(crate) fn are_shipped_with_their_files_or_told_why_not(cluster: &Cluster, folder: &Path) {
    let driver = Driver { cluster, folder: folder.to_owned() };
    let large = folder.join("large.py");
    std::fs::write(&large, "#".repeat(1_100_000)).unwrap();
    let refused = driver.deploy("base", &large);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("1100000 bytes") && refused.err.contains("1048576"), "{refused:?}");
    let nothing = driver.call(&["cleanup", "--dry-run"]);
    assert!(!nothing.out.contains("locust"), "nothing was applied: {nothing:?}");

    let missing = driver.deploy_script("import locust_matrix\nimport grpc_health.v1\n");
    assert_eq!(missing.code, Some(3), "{missing:?}");
    assert!(missing.err.contains("ModuleNotFoundError: No module named 'grpc_health'"), "{missing:?}");
    assert!(missing.err.contains("--image locustio/locust="), "{missing:?}");

    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/load");
    let alone = driver.deploy("kind", &data.join("locustfile.py"));
    assert_eq!(alone.code, Some(3), "{alone:?}");
    assert!(alone.err.contains("uses bodies, latin.bin, recorded data, which lie beside it"), "{alone:?}");
    let shipped = driver.deploy("kind", &data);
    assert_eq!(shipped.code, Some(0), "{shipped:?}");
    // Its users are paced, and nothing is set for that: they are accounted for by the time that they wait.
    let settings = "{replicas: [1], workers: [2], users: [4], duration: 5s, max_duration: 20s, cooldown: 0s,
        spawn_rate: 20}";
    let (ended, results) = driver.run(settings, "shipped");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.err.contains("Little's law"), "{ended:?}");
    let folder = only_run(&results);
    assert!(ended.err.contains(&format!("results: {}", folder.display())), "{ended:?}");
}

/// A run refuses a load that the locustfile cannot make. If the locustfile ends the load by itself, the scenario fails
/// with this reason.
pub(crate) fn that_cannot_make_the_load_are_refused_with_the_reason(cluster: &Cluster, folder: &Path) {
    let driver = Driver { cluster, folder: folder.to_owned() };
    let deployed = driver
        .deploy_script(&format!("{USERS}class Waves(LoadTestShape):\n    def tick(self): return (3, 1)\n"));
    assert_eq!(deployed.code, Some(0), "{deployed:?}");
    let (shape, _) = driver.run(MATRIX, "shape");
    assert_eq!(shape.code, Some(2), "{shape:?}");
    assert!(shape.err.contains("the class Waves"), "{shape:?}");

    let fixed = USERS.replace("wait_time", "fixed_count = 2\n    wait_time");
    assert_eq!(driver.deploy_script(&fixed).code, Some(0));
    let (fixed, results) = driver.run(MATRIX, "fixed");
    assert_eq!(fixed.code, Some(5), "{fixed:?}");
    let all = records(&only_run(&results));
    assert!(all[0]["unmeasured"].is_null() && all[0]["window"].is_object(), "{}", all[0]);
    assert_eq!(all[1]["unmeasured"]["kind"], "script_cannot");
    assert!(fixed.err.contains("add up to 2 users (2 Caller: fixed_count)"), "{fixed:?}");

    let quits = "
@events.init.add_listener
def catch(environment, **_kwargs):
    def watch(runner):
        while True:
            gevent.sleep(0.5)
            if runner.state == 'running' and runner.stats.total.num_requests > 5:
                runner.quit()
    if type(environment.runner).__name__ == 'MasterRunner':
        gevent.spawn(watch, environment.runner)
";
    assert_eq!(driver.deploy_script(&format!("{USERS}{quits}")).code, Some(0));
    let (quits, results) = driver.run(&MATRIX.replace("duration: 2s", "duration: 4s"), "quits");
    assert_eq!(quits.code, Some(5), "{quits:?}");
    let all = records(&only_run(&results));
    let kinds: Vec<_> = all.iter().map(|record| &record["unmeasured"]["kind"]).collect();
    assert_eq!(kinds, ["script_ends", "script_ends"], "each once: {quits:?}");
    assert!(quits.err.contains("it called runner.quit()"), "{quits:?}");
    // The next run needs nothing by hand.
    assert_eq!(driver.deploy_script(USERS).code, Some(0));
    let (ended, _) = driver.run(MATRIX, "after");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// The README's recipe for a service of one's own, on a machine of two cores.
pub(crate) fn of_the_readmes_recipe_run_beside_a_service_on_two_cores(cluster: &Cluster, folder: &Path) {
    let driver = Driver { cluster, folder: folder.to_owned() };
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let applied = driver.kubectl(&["apply", "-f", data.join("shop.yaml").to_str().unwrap()]);
    assert_eq!(applied.code, Some(0), "{applied:?}");
    let matrix = std::fs::read_to_string(data.join("shop.matrix.yaml")).unwrap();
    let config = folder.join("shop.yaml");
    std::fs::write(&config, &matrix).unwrap();
    let locustfile = data.join("shop_locustfile.py");
    let words = ["deploy", "--overlay", "base", "--locustfile", locustfile.to_str().unwrap(), "--config"];
    let deployed = driver.call(&[&words[..], &[config.to_str().unwrap()]].concat());
    assert_eq!(deployed.code, Some(0), "{deployed:?}");
    let (ended, _) = driver.run(&matrix.replace("workers: [1]", "workers: [2]"), "shop");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(driver.call(&["cleanup"]).code, Some(0));
}
