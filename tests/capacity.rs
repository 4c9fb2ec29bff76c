//! Searches for a capacity on simulated services: a reduced form of `cargo xtask bench capacity`, with the same code.

#[path = "calibration/searches.rs"]
mod searches;

use fake_inference::simulation::Connections;
use searches::{SERVICES, Searched, search_again, sentences_without_a_queue};

/// The random numbers are the same each time. Of 12 searches that are right with a probability of 95 %, 10 are right in
/// all but 2 % of the choices of random numbers.
#[test]
fn a_capacity_is_found_within_five_percent_and_seven_probes() {
    for service in SERVICES {
        let searched = search_again(service, &Connections::Even, 4);
        let right: f64 = searched.iter().map(Searched::right).sum::<f64>() / 3.0;
        assert!(right >= 0.8, "{}: {right}: {searched:?}", service.0);
        for searched in searched {
            let found = searched.mean_found();
            assert!((found / searched.truth - 1.0).abs() <= 0.05, "{}: {found}: {searched:?}", service.0);
            assert!(
                searched.mean_probes() <= 7.0,
                "{}: {} replicas: {searched:?}",
                service.0,
                searched.replicas
            );
        }
    }
}

#[test]
fn a_service_that_is_no_queue_ends_with_a_true_sentence() {
    let sentences = sentences_without_a_queue().map(|(_, sentence)| sentence);
    assert_eq!(
        sentences,
        [
            "1 replica carries 14 users [14, 15]",
            "1 replica carries at least 1,000 users: more was not allowed",
            // With fewer users there are too few answers for P95 in the longest window.
            "what 1 replica carries is not known: the measurements do not tell; the objective is missed with 2 users",
        ]
    );
}
