//! M/M/c: Poisson arrivals, exponential service, c slots, no limit of the queue.
//!
//! With a = rate × service and ρ = a / c below 1, a request must wait with Erlang's probability C
//! (Erlang, 1917; Kleinrock, *Queueing Systems* 1, 1975, section 3.5), and its wait is then exponential
//! with mean service / (c (1 − ρ)).

/// An open queue in numbers.
#[derive(Debug, Clone, Copy)]
pub struct Mmc {
    /// Arrivals per second.
    pub rate: f64,
    /// Requests served at the same time.
    pub slots: u32,
    /// Mean service time, s.
    pub service: f64,
}

impl Mmc {
    /// Share of the slots that are busy, on average. The formulas hold below 1.
    pub fn utilization(&self) -> f64 {
        self.rate * self.service / f64::from(self.slots)
    }

    /// The probability that a request must wait.
    pub fn must_wait(&self) -> f64 {
        let offered = self.rate * self.service;
        // Erlang's B by its recursion in c, then C = B / (1 − ρ (1 − B)).
        let blocked = (1..=self.slots).fold(1.0, |blocked, slots| {
            let load = offered * blocked;
            load / (f64::from(slots) + load)
        });
        blocked / (1.0 - self.utilization() * (1.0 - blocked))
    }

    /// The mean response time, s.
    pub fn response(&self) -> f64 {
        self.service + self.must_wait() * self.mean_of_those_that_wait()
    }

    /// The share of requests whose response takes longer than `time` (s).
    ///
    /// The response is a service plus, with probability C, an independent exponential wait.
    pub fn exceeds(&self, time: f64) -> f64 {
        let (serve, wait) = (1.0 / self.service, 1.0 / self.mean_of_those_that_wait());
        let alone = libm::exp(-serve * time);
        let both = if (serve - wait).abs() < 1e-9 * serve {
            (1.0 + serve * time) * alone
        } else {
            (serve * libm::exp(-wait * time) - wait * alone) / (serve - wait)
        };
        (1.0 - self.must_wait()) * alone + self.must_wait() * both
    }

    /// The quantile of the response time (`share` from 0 to below 1), s.
    pub fn quantile(&self, share: f64) -> f64 {
        let (mut low, mut high) = (0.0, self.service);
        while self.exceeds(high) > 1.0 - share {
            high *= 2.0;
        }
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            if self.exceeds(middle) > 1.0 - share { low = middle } else { high = middle }
        }
        high
    }

    fn mean_of_those_that_wait(&self) -> f64 {
        self.service / (f64::from(self.slots) * (1.0 - self.utilization()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, share: f64) {
        assert!((found / expected - 1.0).abs() <= share, "{found}, expected {expected}");
    }

    #[test]
    fn one_slot_has_an_exponential_response() {
        let one = Mmc { rate: 5.0, slots: 1, service: 0.1 };
        near(one.must_wait(), 0.5, 1e-12);
        near(one.response(), 0.2, 1e-12);
        near(one.quantile(0.95), 0.2 * 20_f64.ln(), 1e-9);
    }

    #[test]
    fn erlangs_probability_is_that_of_the_tables() {
        // c = 2, a = 1: B = 1/5, C = 1/3. c = 4, a = 3.2: C = 0.5964.
        near(Mmc { rate: 10.0, slots: 2, service: 0.1 }.must_wait(), 1.0 / 3.0, 1e-12);
        near(Mmc { rate: 32.0, slots: 4, service: 0.1 }.must_wait(), 0.5964, 1e-4);
    }

    #[test]
    fn equal_rates_of_service_and_wait_have_their_own_formula() {
        // c (1 − ρ) = 1: the general formula would divide by 0.
        let equal = Mmc { rate: 30.0, slots: 4, service: 0.1 };
        let near_it = Mmc { rate: 30.0001, ..equal };
        near(equal.exceeds(0.2), near_it.exceeds(0.2), 1e-4);
    }
}
