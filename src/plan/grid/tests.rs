use super::*;
use crate::config::{MatrixFlags, Preset, Settings, Until};
use crate::plan::{Meets, Worth};

fn config(preset: Preset) -> Config {
    Settings::from_flags(&MatrixFlags { preset: Some(preset), ..MatrixFlags::default() })
        .unwrap()
        .complete()
        .unwrap()
}

#[test]
fn presets_have_their_documented_size() {
    for (preset, scenarios, minutes) in [
        (Preset::Smoke, 3, 7.0),
        (Preset::Baseline, 4, 10.0),
        (Preset::Full, 24, 58.0),
        (Preset::Quick, 4, 2.5),
    ] {
        let config = config(preset);
        let plan = Grid::of(&config);
        assert_eq!(plan.scenarios.len(), scenarios);
        let expected = plan.expected(&config).as_secs_f64() / 60.0;
        assert!((expected / minutes - 1.0).abs() <= 0.07, "{preset}: {expected} min");
    }
}

#[test]
fn both_models_share_a_matrix_and_no_id() {
    let mut config = config(Preset::Quick);
    (config.replicas, config.users, config.rates) = (vec![1], vec![20], vec![12.5, 30.0]);
    let ids: Vec<_> = Grid::of(&config).scenarios.into_iter().map(|s| (s.id, s.users)).collect();
    let expected = [("closed-r1-w2-u20-1", 20), ("open-r1-w2-q12.5-1", 192), ("open-r1-w2-q30-1", 400)];
    assert_eq!(ids, expected.map(|(id, users)| (id.to_owned(), users)));
}

#[test]
fn a_seed_draws_one_order_of_every_repeat() {
    let mut config = config(Preset::Quick);
    config.repeats = 3;
    let ids = |config: &Config| Grid::of(config).scenarios.into_iter().map(|s| s.id).collect::<Vec<_>>();
    let drawn = ids(&config);
    assert_eq!(drawn, ids(&config));
    assert_ne!(drawn, ids(&Config { seed: 2, ..config.clone() }));
    // What is recorded must mean the same order in every version.
    assert_eq!(drawn[..3], ["closed-r1-w2-u20-2", "closed-r2-w2-u20-2", "closed-r2-w2-u40-2"]);
    let mut sorted = drawn;
    sorted.sort();
    let mut listed = ids(&Config { shuffle: Some(false), ..config });
    assert_eq!(listed[..2], ["closed-r1-w2-u20-1", "closed-r1-w2-u40-1"]);
    listed.sort();
    assert_eq!(sorted, listed, "each of them once");
}

#[test]
fn drift_is_the_first_scenario_once_more() {
    let config = Config { drift: true, ..config(Preset::Quick) };
    let scenarios = Grid::of(&config).scenarios;
    let (first, last) = (&scenarios[0], &scenarios[4]);
    assert_eq!((last.id.as_str(), last.repeat, last.index), ("closed-r1-w2-u20-drift", 2, 4));
    assert!(last.drift && last.point_id() == first.point_id());
}

#[test]
fn the_times_of_a_plan_have_their_bounds() {
    let config = Config { until: Until::Stable, ..config(Preset::Smoke) };
    let plan = Grid::of(&config);
    let [shortest, expected, longest] =
        [plan.shortest(&config), plan.expected(&config), plan.longest(&config)].map(|d| d.as_secs());
    assert_eq!(expected - shortest, 3 * 90, "a quarter of 120 s at least");
    assert_eq!(longest - expected, 3 * 120, "twice 120 s at most");
    assert!(shortest * 2 <= expected, "smoke may end in half its time");
}

#[test]
fn users_change_fastest_and_the_order_is_kept() {
    let mut config = config(Preset::Quick);
    config.replicas = vec![4, 1];
    let points: Vec<_> = Grid::of(&config).scenarios.iter().map(|s| (s.replicas, s.users)).collect();
    assert_eq!(points, [(4, 20), (4, 40), (1, 20), (1, 40)]);
}

fn outcome(scenario: &Scenario) -> Outcome {
    Outcome {
        scenario: scenario.clone(),
        worth: Worth::Nothing,
        objective: Meets::Unknown,
        rps: None,
        under_way: None,
        p95_us: None,
        headroom: None,
        throughput: None,
        took_s: 0.0,
    }
}

#[test]
fn a_grid_measures_each_scenario_once_and_in_order_wherever_it_is_resumed() {
    let grid = Grid::of(&config(Preset::Full));
    for recorded in 0..grid.scenarios.len() {
        let mut outcomes: Vec<_> = grid.scenarios[..recorded].iter().map(outcome).collect();
        while let Some(scenario) = grid.next(&outcomes) {
            assert_eq!(scenario, grid.scenarios[outcomes.len()]);
            outcomes.push(outcome(&scenario));
        }
        assert_eq!(outcomes.len(), grid.scenarios.len());
    }
}

/// Runs that were begun with an earlier version of this program can be resumed.
#[test]
fn the_hash_of_a_preset_never_changes() {
    let images = [("inference".to_owned(), "fake-inference:1".to_owned())];
    for (preset, hash) in [
        (Preset::Quick, "51d391638a01f7ae59060b154028cb4a2d9bcac36934b4c4ef2762fdb2c47909"),
        (Preset::Full, "1865129e47d9aa24b819e418238927c6c25c508e1041f6dbb58cc1c6ac9ebb5d"),
    ] {
        let config = config(preset);
        assert_eq!(Grid::of(&config).hash(&config, &images, "2.46.6"), hash, "{preset}");
    }
}

#[test]
fn the_hash_covers_settings_images_and_generator() {
    let config = config(Preset::Quick);
    let plan = Grid::of(&config);
    let images = [("inference".to_owned(), "fake-inference:1".to_owned())];
    let hash = plan.hash(&config, &images, "2.46.6");
    assert_eq!(hash, plan.hash(&config, &images, "2.46.6"));
    assert_ne!(hash, plan.hash(&config, &images, "2.47.0"));
    assert_ne!(hash, plan.hash(&config, &[], "2.46.6"));
    let other = Config { warmup: crate::config::Span::from_secs(1), ..config.clone() };
    assert_ne!(hash, plan.hash(&other, &images, "2.46.6"));
}
