//! `metrics.txt`: OpenMetrics text, which GitLab's metrics reports compare, and which Prometheus reads.

use std::fmt::Write;

use records::{Mode, Scenario};

use crate::judge::{Answer, JudgedRun, Row};

/// A family: its name after the prefix, its unit, its help, and its value of a row.
type Family = (&'static str, &'static str, &'static str, fn(&Row<'_>) -> Option<f64>);

const FAMILIES: [Family; 5] = [
    ("median_seconds", "seconds", "Median response time of the primary endpoint.", |row| {
        percentile(row, 0.5)
    }),
    ("p95_seconds", "seconds", "95th percentile of the primary endpoint's response times.", |row| {
        percentile(row, 0.95)
    }),
    ("p99_seconds", "seconds", "99th percentile of the primary endpoint's response times.", |row| {
        percentile(row, 0.99)
    }),
    ("goodput", "", "Successful requests per second of the primary endpoint.", |row| {
        Some(row.primary?.goodput)
    }),
    ("failures_ratio", "ratio", "Share of failed requests of the primary endpoint.", |row| {
        Some(row.primary?.failures_pct? / 100.0)
    }),
];

/// The bytes of the file. Only valid rows have figures; each row has its status.
pub(super) fn render(run: &JudgedRun<'_>) -> Vec<u8> {
    let mut text = String::new();
    // A String takes everything that is written to it.
    let _ = write_all(&mut text, run);
    text.into_bytes()
}

fn write_all(text: &mut String, run: &JudgedRun<'_>) -> std::fmt::Result {
    let rows: Vec<Row<'_>> = run.rows.iter().map(Row::of).collect();
    for (name, unit, help, value) in FAMILIES {
        writeln!(text, "# TYPE locust_matrix_{name} gauge")?;
        if !unit.is_empty() {
            writeln!(text, "# UNIT locust_matrix_{name} {unit}")?;
        }
        writeln!(text, "# HELP locust_matrix_{name} {help}")?;
        for row in rows.iter().filter(|row| row.is_valid()) {
            if let Some(value) = value(row) {
                writeln!(text, "locust_matrix_{name}{{{}}} {value}", labels(&row.record.scenario))?;
            }
        }
    }
    writeln!(text, "# TYPE locust_matrix_valid gauge")?;
    writeln!(text, "# HELP locust_matrix_valid 1 if the figures of the scenario can be cited.")?;
    for row in &rows {
        let (labels, valid) = (labels(&row.record.scenario), u8::from(row.is_valid()));
        writeln!(text, "locust_matrix_valid{{{labels}}} {valid}")?;
    }
    // A family of its own, so that a changed verdict is no new series of the one above.
    writeln!(text, "# TYPE locust_matrix_verdict info")?;
    writeln!(text, "# HELP locust_matrix_verdict What the figures of the scenario are worth.")?;
    for row in &rows {
        let (labels, status) = (labels(&row.record.scenario), row.judgement.verdict.status());
        writeln!(text, "locust_matrix_verdict_info{{{labels},status=\"{status}\"}} 1")?;
    }
    if let Some(answer) = Answer::of(run) {
        let model = model(answer.search.mode);
        writeln!(text, "# TYPE locust_matrix_capacity gauge")?;
        writeln!(
            text,
            "# HELP locust_matrix_capacity The most users, or requests/s, that meet the objective."
        )?;
        for found in &answer.found {
            if let Some((_, load, _)) = found.capacity.carried() {
                let replicas = found.replicas;
                writeln!(text, "locust_matrix_capacity{{model=\"{model}\",replicas=\"{replicas}\"}} {load}")?;
            }
        }
    }
    writeln!(text, "# EOF")
}

fn percentile(row: &Row<'_>, q: f64) -> Option<f64> {
    row.percentile_us(q).filter(|us| us.is_finite()).map(|us| us / 1e6)
}

fn labels(scenario: &Scenario) -> String {
    let Scenario { replicas, workers, users, rate, repeat, drift, .. } = scenario;
    let load = rate.map_or_else(|| format!("users=\"{users}\""), |rate| format!("rate=\"{rate}\""));
    let repeat = if *drift { "drift".to_owned() } else { repeat.to_string() };
    let model = model(scenario.mode);
    format!("model=\"{model}\",replicas=\"{replicas}\",workers=\"{workers}\",{load},repeat=\"{repeat}\"")
}

const fn model(mode: Mode) -> &'static str {
    match mode {
        Mode::Closed => "closed",
        Mode::Open => "open",
    }
}
