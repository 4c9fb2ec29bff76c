//! Every percentile of a scenario, from its histogram.

use std::borrow::Cow;

use records::Histogram;

use crate::judge::Row;
use crate::measure::{percentile_name, samples_needed};
use crate::report::document::chart::{Axis, Chart, Panel, Scale, Series};
use crate::report::document::{Cell, Column, Table};

/// Points of a line for each factor of ten in 1 / (1 − q).
const STEPS_PER_TEN: u32 = 8;
/// The percentiles of the table, as quantiles.
const QUANTILES: [f64; 8] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0];

/// The percentiles of the primary endpoint; `None` without a window.
pub(super) fn chart(at: usize, row: &Row<'_>) -> Option<Chart> {
    let counts = row.counts?;
    let mut histograms = vec![("all requests", Cow::Borrowed(&counts.histogram))];
    if counts.failures > 0 && counts.succeeded.count() > 0 {
        histograms.push(("successful requests", Cow::Borrowed(&counts.succeeded)));
    }
    if let Some((corrected, _)) = row.corrected().filter(|(corrected, _)| *corrected != counts.histogram) {
        histograms.push(("corrected for coordinated omission", Cow::Owned(corrected)));
    }
    if let Some(from_send) = &counts.from_send {
        histograms.push(("counted from the time of sending", Cow::Borrowed(from_send)));
    }
    histograms.retain(|(_, histogram)| histogram.count() > 0);
    let (_, first) = histograms.first()?;
    let samples = first.count();
    let named = [0.999, 0.99, 0.95, 0.9, 0.5].into_iter().find(|q| samples >= samples_needed(*q));
    let enough = named
        .map_or("too few for any percentile".to_owned(), |q| format!("enough up to {}", percentile_name(q)));
    let series = histograms.iter().enumerate().map(|(look, (name, histogram))| Series {
        dash: look,
        ..Series::line(*name, look, points(histogram))
    });
    Some(Chart {
        id: format!("spectrum-{}", at + 1),
        title: "Percentiles of the primary endpoint".into(),
        caption: format!(
            "Response time by percentile, to the slowest of {samples} samples at the right ({enough})."
        ),
        description: "The table has the figures.".into(),
        x: Axis::of("Percentile", Scale::Percentile),
        panels: vec![Panel {
            y: Axis::measured("Response time", "ms", Scale::FromZero),
            series: series.collect(),
            limit: None,
        }],
        spans: Vec::new(),
        table: table(row, &histograms),
    })
}

/// Points at 1 / (1 − q), as far as there are samples. Points that change nothing are left out.
fn points(histogram: &Histogram) -> Vec<(f64, f64)> {
    let count = histogram.count() as f64;
    let to_ms = |us: u64| us as f64 / 1000.0;
    // The place on the axis, with the rank of the sample there.
    let steps = (0..).map(|step| 10_f64.powf(f64::from(step) / f64::from(STEPS_PER_TEN)));
    let places = steps.take_while(|x| *x < count).map(|x| (x, count * (1.0 - 1.0 / x)));
    let mut wanted: Vec<(f64, f64)> = places.collect();
    wanted.push((count.max(1.0), count));
    let mut found: Vec<(f64, f64)> = Vec::new();
    let (mut seen, mut at) = (0_u64, 0);
    for (us, samples) in histogram.iter() {
        seen += samples;
        while let Some((x, rank)) = wanted.get(at).copied().filter(|(_, rank)| seen as f64 >= *rank) {
            debug_assert!(rank <= count);
            found.push((x, to_ms(us)));
            at += 1;
        }
    }
    found
}

fn table(row: &Row<'_>, histograms: &[(&str, Cow<'_, Histogram>)]) -> Table {
    let mut columns = vec![Column::words("Percentile")];
    columns.extend(histograms.iter().map(|(name, _)| Column::measured(capital(name), "ms")));
    let mut table = Table::new(columns);
    let values: Vec<(u64, [Option<u64>; 8])> = histograms
        .iter()
        .map(|(_, histogram)| (histogram.count(), QUANTILES.map(|q| histogram.quantile(q))))
        .collect();
    for (at, q) in QUANTILES.into_iter().enumerate() {
        let name = if q < 1.0 { percentile_name(q) } else { "slowest".into() };
        let mut cells = vec![Cell::text(name)];
        cells.extend(values.iter().map(|(samples, values)| {
            if q < 1.0 && *samples < samples_needed(q) {
                Cell::TooFewSamples { needed: samples_needed(q) }
            } else {
                Cell::response_time(values[at])
            }
        }));
        table.push([row], cells);
    }
    table
}

fn capital(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::alone;
    use crate::record::tests::record;

    #[test]
    fn the_line_ends_with_the_slowest_sample_and_has_the_percentiles_on_the_way() {
        let histogram = Histogram::of_ms((1..=1000).map(|ms| (ms, 1)));
        let points = points(&histogram);
        assert_eq!(points.last(), Some(&(1000.0, 1000.0)));
        let at_p90 = points.iter().find(|(x, _)| (x - 10.0).abs() < 1e-9).unwrap();
        assert!((at_p90.1 - 900.0).abs() <= 1.0, "{at_p90:?}");
        assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        assert!(super::points(&Histogram::of_ms([(5, 1)])).iter().all(|(x, y)| (*x, *y) == (1.0, 5.0)));
    }

    #[test]
    fn a_percentile_of_few_samples_is_no_number() {
        let records = [record(0, 1, 20, 100)];
        let judged = alone(&records);
        let chart = chart(0, &Row::of(&judged[0])).unwrap();
        let cell = |at: usize| chart.table.rows[at].cells[1].to_string();
        assert_eq!((cell(3), cell(4)), ("100".into(), "n/a (n<459)".into()));
        assert!(chart.caption.contains("enough up to P95"), "{}", chart.caption);
    }
}
