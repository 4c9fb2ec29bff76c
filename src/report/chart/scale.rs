//! From values to places.

use crate::report::document::chart::{Axis, Scale};

/// About this far apart are two ticks, in units of the drawing.
const TICK_EVERY_X: f64 = 70.0;
const TICK_EVERY_Y: f64 = 34.0;

/// The values of an axis and where they are drawn.
#[derive(Clone, Debug)]
pub(super) struct ScaleOf {
    scale: Scale,
    /// Whether the values are counts, so that ticks between them would mean nothing.
    is_count: bool,
    low: f64,
    high: f64,
    /// The places of both ends. For a vertical axis, the second is above the first.
    pub(super) ends: (f64, f64),
}

impl ScaleOf {
    /// A scale that holds all of these values.
    pub(super) fn of(axis: &Axis, values: impl IntoIterator<Item = f64>, ends: (f64, f64)) -> Self {
        let scale = axis.scale;
        // No figure of a load test is larger; a sum of larger ones would not be a number.
        let usable = |value: &f64| value.abs() < 1e15 && (*value > 1e-15 || !is_log(scale));
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().filter(usable) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (1.0, 1.0);
        }
        match scale {
            Scale::FromZero => {
                (low, high) = (low.min(0.0), if high > 0.0 { 1.05 * high } else { 1.0 });
            }
            Scale::Linear => high = if high > low { high } else { low + 1.0 },
            Scale::Log => {
                (low, high) = (low / 1.2, high * 1.2);
            }
            Scale::Percentile => (low, high) = (1.0, high.max(2.0)),
        }
        Self { scale, is_count: axis.unit.is_none(), low, high, ends }
    }

    /// Where a value is; a value beyond an end is drawn there.
    pub(super) fn place(&self, value: f64) -> f64 {
        let of = |value: f64| if is_log(self.scale) { value.ln() } else { value };
        let (low, high) = (of(self.low), of(self.high));
        if value.is_nan() {
            return value;
        }
        let part = ((of(value.clamp(self.low, self.high)) - low) / (high - low)).clamp(0.0, 1.0);
        self.ends.0 + part * (self.ends.1 - self.ends.0)
    }

    /// The values that have a label, with it.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let length = (self.ends.1 - self.ends.0).abs();
        match self.scale {
            Scale::Percentile => self.percentiles(),
            Scale::Log => self.powers(),
            Scale::Linear | Scale::FromZero => {
                let is_vertical = self.ends.1 < self.ends.0;
                let every = if is_vertical { TICK_EVERY_Y } else { TICK_EVERY_X };
                self.steps((length / every).max(2.0))
            }
        }
    }

    fn percentiles(&self) -> Vec<(f64, String)> {
        let all = [
            (1.0, "P0"),
            (2.0, "P50"),
            (4.0, "P75"),
            (10.0, "P90"),
            (20.0, "P95"),
            (100.0, "P99"),
            (1e3, "P99.9"),
            (1e4, "P99.99"),
            (1e5, "P99.999"),
            (1e6, "P99.9999"),
        ];
        all.into_iter().filter(|(at, _)| *at <= self.high).map(|(at, name)| (at, name.to_owned())).collect()
    }

    /// 1, 2 and 5 of each power of ten; of a wide axis, the powers alone.
    fn powers(&self) -> Vec<(f64, String)> {
        let is_wide = self.high / self.low > 300.0;
        let (from, to) = (self.low.log10().floor(), self.high.log10().ceil());
        let mut ticks = Vec::new();
        let mut power = from;
        // Only a guard against a loop without end: all numbers together span fewer powers of ten.
        while power <= to && ticks.len() < 700 {
            for step in if is_wide { &[1.0][..] } else { &[1.0, 2.0, 5.0][..] } {
                let value = step * 10_f64.powf(power);
                if value >= self.low && value <= self.high {
                    ticks.push((value, number(value)));
                }
            }
            power += 1.0;
        }
        ticks
    }

    /// Round numbers at equal distances, about so many.
    fn steps(&self, count: f64) -> Vec<(f64, String)> {
        let rough = (self.high - self.low) / count;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(rough).max(if self.is_count { 1.0 } else { 0.0 });
        let first = (self.low / step).ceil();
        let values = (0..100).map(|at| (first + f64::from(at)) * step);
        values
            .take_while(|value| *value <= self.high + step * 1e-6)
            .map(|value| (value, number(value)))
            .collect()
    }
}

const fn is_log(scale: Scale) -> bool {
    matches!(scale, Scale::Log | Scale::Percentile)
}

/// A number without decimals that say nothing.
pub(super) fn number(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = if !(1e-9..10.0).contains(&magnitude) {
        0
    } else if magnitude >= 1.0 {
        1
    } else {
        3
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(scale: Scale, values: &[f64], ends: (f64, f64)) -> Vec<String> {
        ScaleOf::of(&Axis::measured("a", "s", scale), values.iter().copied(), ends)
            .ticks()
            .into_iter()
            .map(|(_, label)| label)
            .collect()
    }

    #[test]
    fn ticks_are_round_numbers_or_percentiles() {
        assert_eq!(labels(Scale::FromZero, &[95.0], (200.0, 0.0)), ["0", "20", "40", "60", "80"]);
        assert_eq!(labels(Scale::Linear, &[-3.0, 20.0], (0.0, 350.0)), ["0", "5", "10", "15", "20"]);
        assert_eq!(labels(Scale::Log, &[80.0, 2000.0], (200.0, 0.0)), ["100", "200", "500", "1000", "2000"]);
        assert_eq!(
            labels(Scale::Percentile, &[1.0, 500.0], (0.0, 600.0)),
            ["P0", "P50", "P75", "P90", "P95", "P99"]
        );
    }

    proptest! {
        #[test]
        fn every_place_is_between_the_ends(
            values in prop::collection::vec(prop_oneof![any::<f64>(), 0.0..1e6_f64], 0..8), kind in 0_usize..4,
        ) {
            let kind = [Scale::Linear, Scale::FromZero, Scale::Log, Scale::Percentile][kind];
            let scale = ScaleOf::of(&Axis::of("a", kind), values.iter().copied(), (300.0, 20.0));
            for value in values.iter().chain(&[0.0, -1.0, f64::NAN, f64::INFINITY]) {
                let place = scale.place(*value);
                prop_assert_eq!(place.is_nan(), value.is_nan(), "{}: {}", value, place);
                prop_assert!(value.is_nan() || (20.0..=300.0).contains(&place), "{value}: {place}");
            }
            prop_assert!(scale.ticks().len() <= 700);
        }
    }
}
