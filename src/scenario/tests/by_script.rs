//! What becomes of a scenario whose test script cannot make the load, or ends it by itself.

use super::script::{ByScript, Script, capabilities};
use super::{ONE, Verdict, run};
use crate::judge::Cause;
use crate::load::{Capabilities, Script as LoadScript, UserClass};

/// Two scenarios of one replica.
const TWO: &str =
    "{replicas: [1], workers: [2], users: [10, 20], duration: 20s, cooldown: 1s, spawn_rate: 20}";

#[tokio::test(start_paused = true)]
async fn users_that_leave_are_the_reason_and_the_scenario_is_not_tried_again() {
    // In the window, and while the users start.
    for (at, ramp_s) in [(8.0, 0.0), (2.0, 5.0)] {
        let own_doing = Some((at, ByScript::UsersLeave));
        let ran = run(ONE, Script { ramp_s, own_doing, ..Script::default() }).await;
        ran.assert_judged(Verdict::Failed, "20 users ended by themselves (20 × Customer: StopUser)");
        assert_eq!((ran.attempts().len(), ran.judgement().reasons.len()), (1, 1), "{:?}", ran.judgement());
        assert_eq!(ran.judgement().causes, [Cause::ScriptEnds]);
        assert!(ran.took_s < 30.0, "it ends at once: {} s", ran.took_s);
    }
}

#[tokio::test(start_paused = true)]
async fn a_script_that_stops_the_test_fails_each_scenario_once() {
    let ran = run(TWO, Script { own_doing: Some((8.0, ByScript::Stop)), ..Script::default() }).await;
    assert_eq!(ran.attempts(), [(1, Verdict::Failed), (1, Verdict::Failed)], "{:?}", ran.told);
    assert!(ran.told.iter().any(|line| line.contains("it called runner.stop()")), "{:?}", ran.told);
    assert!(!ran.told.iter().any(|line| line.contains("replacing its pods")), "{:?}", ran.told);
}

#[tokio::test(start_paused = true)]
async fn after_a_script_has_quit_the_next_scenario_finds_a_new_load_generator() {
    let ran = run(TWO, Script { own_doing: Some((8.0, ByScript::Quit)), ..Script::default() }).await;
    assert_eq!(ran.attempts(), [(1, Verdict::Failed), (1, Verdict::Failed)], "{:?}", ran.told);
    let replaced = ran.told.iter().filter(|line| line.contains("replacing its pods")).count();
    assert_eq!(replaced, 2, "{:?}", ran.told);
    for record in &ran.records {
        assert_eq!(record.errors, [("POST /predict: 500".to_owned(), 7)], "what failed is kept");
    }
    assert!(ran.took_s < 120.0, "no timeout is waited for: {} s", ran.took_s);
}

#[tokio::test(start_paused = true)]
async fn users_that_a_script_leaves_half_stopped_are_not_waited_for() {
    let ran = run(TWO, Script { own_doing: Some((8.0, ByScript::QuitOnWorker)), ..Script::default() }).await;
    assert_eq!(ran.attempts(), [(1, Verdict::Failed), (1, Verdict::Failed)], "{:?}", ran.told);
    let replaced = ran.told.iter().filter(|line| line.contains("replacing its pods")).count();
    assert_eq!(replaced, 2, "{:?}", ran.told);
    assert!(ran.took_s < 120.0, "timeouts.stop is 150 s: {} s", ran.took_s);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_the_script_cannot_make_fails_before_anything_is_scaled() {
    let fixed = UserClass { name: "Caller".into(), fixed_count: 10 };
    let script = LoadScript { user_classes: vec![fixed], ..LoadScript::default() };
    let capabilities = Capabilities { script, ..capabilities() };
    let ran = run(TWO, Script { capabilities, ..Script::default() }).await;
    assert_eq!(ran.attempts(), [(1, Verdict::Valid), (1, Verdict::Failed)], "{:?}", ran.told);
    let refused = ran.records.last().unwrap();
    assert!(
        refused.unmeasured.as_ref().unwrap().reasons[0]
            .contains("add up to 10 users (10 Caller: fixed_count)")
    );
    assert!(refused.timings_ms.is_empty(), "nothing was done: {:?}", refused.timings_ms);
}
