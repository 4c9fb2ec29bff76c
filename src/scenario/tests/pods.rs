//! Services whose pods do not become what the scenarios need: each cause with its outcome and its time.

use super::script::Script;
use super::{ONE, Verdict, attempt, run};
use crate::exit::ExitCode;
use crate::judge::judge_alone;

const TWO: &str = "{replicas: [1, 2], workers: [2], users: [20], duration: 20s, cooldown: 1s}";
const THREE: &str = "{replicas: [2, 4, 1], workers: [2], users: [20], duration: 20s, cooldown: 1s, \
                     timeouts: {ready: 40s}}";

#[tokio::test(start_paused = true)]
async fn a_cause_that_lasts_is_waited_for_once_and_not_in_every_scenario() {
    let gate = "target-health.lb.example/bert-80";
    let ran = run(THREE, Script { gate: Some(gate), ..Script::default() }).await;
    let reasons: Vec<String> =
        ran.records.iter().map(|record| judge_alone(record).reasons.join("; ")).collect();
    assert_eq!(reasons.len(), 3);
    assert!(reasons.iter().all(|reason| reason.contains(gate)), "{reasons:#?}");
    assert!(reasons[0].contains("timeouts.ready: 40s"), "the setting is named: {reasons:#?}");
    assert!(reasons[1].contains("not waited for again"), "more replicas need the same pods: {reasons:#?}");
    assert!(!reasons[2].contains("not waited for again"), "fewer may do without them: {reasons:#?}");
    // Twice the limit, not three times.
    assert!((80.0..110.0).contains(&ran.took_s), "{} s", ran.took_s);
}

#[tokio::test(start_paused = true)]
async fn pods_that_leave_slowly_are_waited_for_beyond_timeouts_ready() {
    let settings = "{replicas: [3, 1], workers: [2], users: [20], duration: 20s, cooldown: 1s, \
                    timeouts: {ready: 40s}}";
    let ran = run(settings, Script { leaves_after: 75, ..Script::default() }).await;
    let judged: Vec<_> = ran.records.iter().map(judge_alone).collect();
    assert_eq!(judged.len(), 2);
    assert!(judged.iter().all(|judgement| judgement.verdict == Verdict::Valid), "{judged:#?}");
    let waited = ran.records[1].timings_ms["replicas"];
    assert!((75_000..80_000).contains(&waited), "the pods left after 75 s, and were waited for {waited} ms");
    // At once, and not only when the wait has lasted for a while.
    let names = "(their grace period): inference-1, inference-2";
    let told = ran.told.iter().find(|line| line.contains("2 terminating for up to") && line.contains(names));
    assert!(told.is_some_and(|line| line.contains("for 0 s: ")), "{:#?}", ran.told);
}

#[tokio::test(start_paused = true)]
async fn replicas_that_somebody_else_changes_are_set_again_and_then_given_up_with_the_name() {
    let twice = Script { other_scaler: Some((2, 2)), ..Script::default() };
    assert_eq!(run(ONE, twice).await.judgement().verdict, Verdict::Valid);
    let ran = run(ONE, Script { other_scaler: Some((2, u32::MAX)), ..Script::default() }).await;
    ran.assert_judged(
        Verdict::Failed,
        "something else, field manager kubectl, sets the replicas of inference to 2",
    );
    assert!(ran.took_s < 15.0, "not the whole time for becoming ready: {} s", ran.took_s);
}

#[tokio::test(start_paused = true)]
async fn replicas_that_change_in_the_window_make_it_void_and_say_who_has_changed_them() {
    let ran = run(ONE, Script { rescaled: Some((8.0, 3)), ..Script::default() }).await;
    assert_eq!(ran.attempts(), [(1, Verdict::Void), (2, Verdict::Void)]);
    ran.assert_judged(
        Verdict::Void,
        "something else, field manager kubectl, sets the replicas of inference to 3",
    );
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_moves_between_two_scenarios_ends_the_run_and_keeps_what_is_recorded() {
    let (ran, ended) = attempt(TWO, Script { image_moves_after: 1, ..Script::default() }).await;
    let error = ended.unwrap_err();
    assert_eq!(error.code, ExitCode::Usage);
    assert!(error.message.contains("image@sha256:1 is now image@sha256:2"), "{error}");
    assert_eq!(ran.records.len(), 1);
    let environment = &ran.records[0].environment;
    let ids: Vec<_> = environment.image_ids["inference"].iter().map(String::as_str).collect();
    assert_eq!(ids, ["image@sha256:1"]);
    assert_eq!(environment.limits["inference"], "cpu 200m (set by the cluster)");
    assert_eq!(environment.limits["load-worker"], "cpu 200m (set by the cluster)");
}

#[tokio::test(start_paused = true)]
async fn a_template_that_changes_between_two_scenarios_ends_the_run_and_keeps_what_is_recorded() {
    let (ran, ended) = attempt(TWO, Script { template_changes_after: 1, ..Script::default() }).await;
    let error = ended.unwrap_err();
    assert_eq!(error.code, ExitCode::Usage);
    assert!(
        error.message.contains("the pod template of inference has changed since the run began"),
        "{error}"
    );
    assert!(error.next.unwrap().contains("kubectl rollout undo deployment/inference"));
    assert_eq!(ran.records.len(), 1);
}
