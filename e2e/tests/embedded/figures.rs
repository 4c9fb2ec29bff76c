//! Figures of services whose truth is known.

use std::path::Path;

use e2e::results::{Span, Verdict, only_record, only_run, succeeded_histogram, verdict_of};
use e2e::samples::{self, DUMP, percentile, sorted_ms};
use e2e::tool::say;
use records::Histogram;

use crate::cluster::Cluster;
use crate::deployed::Deployed;

/// A fast service has the median of the raw samples, within 1 % and 0.05 ms.
pub(crate) async fn medians_are_those_of_the_raw_samples(cluster: &Cluster, folder: &Path) {
    let deployed = Deployed::to(cluster).await;
    for service_ms in ["1.4", "4.2", "37"] {
        let dump = folder.join(format!("samples-{service_ms}"));
        let results = folder.join(format!("results-{}", service_ms.replace('.', "-")));
        deployed.set_env("inference", "inference", "FAKE_INFERENCE_SERVICE_MS", service_ms).await;
        deployed.set_env("locust-worker", "locust", DUMP, dump.to_str().unwrap()).await;
        let settings = "{replicas: [1], workers: [1], users: [1], duration: 5s, max_duration: 5s, warmup: 0s, cooldown: 0s}";
        let ended = deployed.run(settings, &results);
        assert_eq!(ended.code, Some(0), "{}", ended.err);

        let raw = sorted_ms(&samples::read(&dump)["/predict"]);
        let exact = percentile(&raw, 50);
        let record = only_record(&only_run(&results));
        let histogram = succeeded_histogram(&record, Span::WholeRun, "/predict");
        let histogram: Histogram = serde_json::from_value(histogram).unwrap();
        let ours = histogram.quantile(0.5).unwrap() as f64 / 1000.0;
        say(&format!("{service_ms} ms: P50 {ours} ms, {exact:.3} ms in {} raw samples", raw.len()));
        assert_eq!(histogram.count(), raw.len() as u64, "{service_ms} ms");
        assert!(raw.len() > 50, "{service_ms} ms: {} samples", raw.len());
        assert!(exact >= service_ms.parse().unwrap(), "{service_ms} ms: {exact} ms is less than the service");
        assert!((ours - exact).abs() <= 0.01 * exact + 0.05, "{ours} ms, {exact} ms in raw samples");
    }
}

/// A service that answers 503 to most requests, in a millisecond, is fast and cheap, and no evidence of anything.
pub(crate) async fn a_service_that_sheds_load_is_not_the_best(cluster: &Cluster, folder: &Path) {
    let deployed = Deployed::to(cluster).await;
    deployed.set_env("inference", "inference", "FAKE_INFERENCE_MAX_WAITING", "2").await;
    let settings = "{replicas: [1], workers: [2], users: [8], duration: 6s, max_duration: 6s, cooldown: 0s, spawn_rate: 20, \
                    objective: {p95_ms: 5000}}";
    let ended = deployed.run(settings, &folder.join("shedding"));
    assert_eq!(ended.code, Some(6), "{}", ended.err);
    let run = only_run(&folder.join("shedding"));
    let Verdict { status, reasons } = verdict_of(&run, &only_record(&run));
    // Thousands of errors each second may also be more than the workers can make.
    assert!(["ERRORS", "LOADGEN_LIMITED"].contains(&status.as_str()), "{status}: {reasons}");
    assert!(reasons.contains("requests to POST /predict failed, more than 1 %"), "{reasons}");
    let report = std::fs::read_to_string(run.join("auto_summary.md")).unwrap();
    assert!(report.contains("## Failed requests") && report.contains("503"), "{report}");
    assert!(!report.contains("Best throughput") && !report.contains("meets the objective."), "{report}");
}
