use std::time::Duration;

use proptest::prelude::*;

use crate::events::live::LiveView;
use crate::events::{PlannedScenario, Progress};

fn planned(replicas: u32, users: u32) -> PlannedScenario {
    let scenario = format!("closed-r{replicas}-w2-u{users}-1");
    PlannedScenario { scenario, replicas, workers: 2, users, rate: None, status: None }
}

fn started(plan: Vec<PlannedScenario>) -> Progress {
    Progress::RunStarted {
        run_id: "r".into(),
        scenarios: Some(plan.len()),
        recorded: 0,
        expected_s: 40.0 * plan.len() as f64,
        generator: "Locust 2.46.6".into(),
        target: "http://inference:8000".into(),
        plan,
    }
}

fn begun(number: usize, scenario: PlannedScenario) -> Progress {
    Progress::ScenarioStarted { number, of: Some(4), point: "point".into(), attempt: 1, scenario }
}

fn ended(number: usize, status: &str) -> Progress {
    Progress::ScenarioEnded { number, of: Some(4), status: status.into(), summary: "summary".into() }
}

fn live(at_s: f64, rps: f64, p95_us: Option<u64>) -> Progress {
    let (median_us, p90_us) = (p95_us.map(|us| us / 2), p95_us);
    Progress::Live { at_s, of_s: 20.0, rps, median_us, p90_us, p95_us, failures_pct: Some(0.0), open: None }
}

/// The view after these events, one per second.
fn view(events: &[Progress]) -> LiveView {
    let mut view = LiveView::default();
    for (at, event) in events.iter().enumerate() {
        view.observe(event, Duration::from_secs(at as u64));
    }
    view
}

fn half_done() -> Vec<Progress> {
    let plan: Vec<_> = [(1, 20), (1, 40), (2, 20), (2, 40)].map(|(r, u)| planned(r, u)).into();
    vec![
        started(plan.clone()),
        begun(1, plan[0].clone()),
        ended(1, "SUCCESS"),
        begun(2, plan[1].clone()),
        ended(2, "UNSTABLE"),
        begun(3, plan[2].clone()),
        live(2.0, 40.0, Some(400_000)),
        live(4.0, 80.0, Some(200_000)),
        Progress::Signals {
            unsteady: None,
            accounted_pct: Some(99.6),
            cpu_pct: Some(31.4),
            lag_us: Some(1200),
        },
    ]
}

#[test]
fn the_matrix_fills_with_verdicts_and_the_current_scenario_has_its_figures() {
    let lines = view(&half_done()).lines(Duration::from_secs(8), 80, 22);
    let text = lines.join("\n");
    for part in [
        "2/4 scenarios · about 2 s left · Locust 2.46.6 → http://inference:8000",
        "1 × 2             ✓    !",
        "2 × 2             ▶    ·",
        "✓ 1 SUCCESS   ! 1 UNSTABLE",
        "▶ replicas 2 · workers 2 · users 20: measuring 4/20 s",
        "80.0 requests/s ▅█",
        "200 ms █▅",
        "Little's law 100 % · workers' CPU 31 % · late 1.20 ms · steady",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn nothing_is_shown_before_the_run_and_after_it() {
    let mut view = view(&[Progress::note("a note")]);
    assert!(!view.is_running());
    view.observe(&started(vec![planned(1, 20)]), Duration::ZERO);
    assert!(view.is_running());
    view.observe(&Progress::RunEnded { recorded: 1, valid: 1, took_s: 40.0 }, Duration::ZERO);
    assert!(!view.is_running());
}

#[test]
fn the_time_left_follows_the_scenarios_that_are_done() {
    let plan: Vec<_> = [(1, 20), (2, 20), (4, 20)].map(|(r, u)| planned(r, u)).into();
    let mut view = view(&[started(plan.clone())]);
    let left = |view: &LiveView, now: u64| view.lines(Duration::from_secs(now), 80, 22)[0].clone();
    assert!(left(&view, 10).contains("about 1 min 50 s left"), "{}", left(&view, 10));
    view.observe(&begun(1, plan[0].clone()), Duration::from_secs(1));
    view.observe(&ended(1, "SUCCESS"), Duration::from_secs(30));
    assert!(left(&view, 30).contains("about 1 min 0 s left"), "{}", left(&view, 30));
    assert!(left(&view, 500).contains("about 30 s left"), "{}", left(&view, 500));
}

#[test]
fn a_search_shows_its_probes_as_they_come() {
    let mut view = LiveView::default();
    let Progress::RunStarted { run_id, recorded, expected_s, generator, target, .. } = started(vec![]) else {
        panic!("the start of a run")
    };
    let begin = Progress::RunStarted {
        run_id,
        scenarios: None,
        recorded,
        expected_s: expected_s + 100.0,
        generator,
        target,
        plan: vec![],
    };
    view.observe(&begin, Duration::ZERO);
    view.observe(&begun(1, planned(1, 8)), Duration::ZERO);
    view.observe(&ended(1, "SUCCESS"), Duration::ZERO);
    view.observe(&begun(2, planned(1, 36)), Duration::ZERO);
    let text = view.lines(Duration::ZERO, 80, 22).join("\n");
    assert!(text.contains("1 scenarios · ") && text.contains("users    8   36"), "{text}");
}

proptest! {
    #[test]
    fn every_screen_is_as_small_as_the_terminal(
        scenarios in 0_u32..1200, width in 1_usize..200, height in 1_usize..60, name in any::<String>(), at in 0_usize..40,
    ) {
        let plan: Vec<_> = (0..scenarios).map(|at| planned(1 + at / 40, 20 + at % 40)).collect();
        let mut events = vec![started(plan.clone())];
        events.extend(plan.get(at).map(|one| begun(at + 1, one.clone())));
        events.extend([live(2.0, 40.0, None), Progress::Waiting { subject: name.clone(), state: name, waited_s: 3 }]);
        let lines = view(&events).lines(Duration::from_secs(9), width, height);
        prop_assert!(lines.len() <= height, "{} lines of {height}", lines.len());
        for line in lines {
            prop_assert!(line.chars().count() <= width && !line.contains(char::is_control), "{line:?}");
        }
    }
}
