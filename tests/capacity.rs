//! Searches for a capacity on simulated services: a reduced form of `cargo xtask bench capacity`, with the same code.

#[path = "calibration/searches.rs"]
mod searches;

use fake_inference::simulation::Connections;
use searches::{SERVICES, Searched, search_again};

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
