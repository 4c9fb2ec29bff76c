//! Records in less memory: a run of thousands of scenarios keeps all of them for its reports.

use crate::{Endpoint, Histogram, Record, Window};

impl Record {
    /// Frees the memory of equal parts: equal histograms of this record share their buckets, and two neighbouring records with
    /// the same environment share it.
    pub fn compact(&mut self, before: Option<&Self>) {
        if let Some(before) = before {
            self.environment.share_with(&before.environment);
        }
        let mut seen: Vec<Histogram> = Vec::new();
        for histogram in self.histograms() {
            match seen.iter().find(|earlier| *earlier == histogram) {
                // Copies share their buckets.
                Some(earlier) => *histogram = earlier.clone(),
                None => seen.push(histogram.clone()),
            }
        }
        self.samples.shrink_to_fit();
        self.intervals.shrink_to_fit();
    }

    fn histograms(&mut self) -> impl Iterator<Item = &mut Histogram> {
        let windows = self.window.iter_mut().chain(&mut self.whole_run);
        let intervals = self.intervals.iter_mut();
        windows.flat_map(of_window).chain(
            intervals
                .flat_map(|interval| std::iter::once(&mut interval.primary).chain(&mut interval.succeeded)),
        )
    }
}

fn of_window(window: &mut Window) -> impl Iterator<Item = &mut Histogram> {
    std::iter::once(&mut window.aggregated).chain(&mut window.endpoints).flat_map(of_endpoint)
}

fn of_endpoint(endpoint: &mut Endpoint) -> impl Iterator<Item = &mut Histogram> {
    [&mut endpoint.histogram, &mut endpoint.succeeded].into_iter().chain(&mut endpoint.from_send)
}
