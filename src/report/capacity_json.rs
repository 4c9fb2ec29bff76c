//! `capacity.json`: the answer of a search, for programs.

use serde_json::{Value, json};

use crate::judge::{Answer, Confirmation};
use crate::plan::{Capacity, Carries, Found, Meets, Needed, Parameter, Scaling};

/// The bytes of the file.
pub(super) fn render(answer: &Answer) -> Vec<u8> {
    let needed = match &answer.needed {
        Some(Needed::Replicas { carries: enough, fewer, fewest }) => json!({
            "replicas": enough.replicas,
            "interval": [fewest, enough.replicas],
            "carries": carries(enough),
            "fewer": fewer.as_ref().map(carries),
        }),
        Some(Needed::NotKnown { beyond, peak }) => json!({
            "replicas": null,
            "not_known_beyond": carries(beyond),
            "peak": peak.as_ref().map(carries),
        }),
        Some(Needed::TooLittle { carries: more, missed }) => json!({
            "replicas": null,
            "carry_more": carries(more),
            "missed": missed,
        }),
        Some(Needed::Nothing) => json!({"replicas": null}),
        None => Value::Null,
    };
    let document = json!({
        "answer": answer.to_string(),
        "model": answer.search.mode,
        "objective": answer.goals,
        "capacities": answer.found.iter().map(found).collect::<Vec<_>>(),
        "wanted": answer.search.wanted,
        "needed": needed,
        "scaling": answer.scaling.as_ref().map(scaling),
        "confirmation": answer.confirmation.as_ref().map(confirmation),
    });
    serde_json::to_vec_pretty(&document).unwrap_or_default()
}

fn scaling(scaling: &Scaling) -> Value {
    let parameter =
        |parameter: &Parameter| json!({"value": parameter.value, "standard_error": parameter.error});
    json!({
        "lambda": parameter(&scaling.each),
        "sigma": parameter(&scaling.contention),
        "kappa": parameter(&scaling.coherency),
        "points": scaling.points,
    })
}

fn carries(carries: &Carries) -> Value {
    let high = carries.high.is_finite().then_some(carries.high);
    json!({"replicas": carries.replicas, "load": carries.load, "band": [carries.low, high]})
}

fn found(found: &Found) -> Value {
    let (outcome, load, band, confirmed) = match &found.capacity {
        Capacity::Known { load, low, high, confirmed, .. } => {
            ("known", Some(*load), Some([*low, *high]), Some(*confirmed))
        }
        Capacity::AtLeast { load, .. } => ("at_least", Some(*load), None, None),
        Capacity::NeverMet { .. } => ("never_met", None, None, None),
        Capacity::Unknown { .. } => ("unknown", None, None, None),
    };
    json!({
        "replicas": found.replicas,
        "outcome": outcome,
        "load": load,
        "band": band,
        "confirmed": confirmed,
        "probes": found.probes,
        "sentence": found.to_string(),
    })
}

fn confirmation(confirmation: &Confirmation) -> Value {
    let Confirmation { scenarios, meets, status, p95 } = confirmation;
    let outcome = match meets {
        Meets::Met => "met",
        Meets::Missed => "missed",
        Meets::Unknown => "unknown",
    };
    let ms = |us: f64| us / 1000.0;
    json!({
        "scenario": scenarios.first(),
        "scenarios": scenarios,
        "outcome": outcome,
        "status": status,
        "p95_ms": p95.value.filter(|value| value.is_finite()).map(ms),
        "p95_ms_interval": p95.bounds.ok().map(|bounds| [ms(bounds.low), ms(bounds.high)]),
    })
}
