//! A line of bars, one per value.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The last `width` values as bars between zero and the highest of them; a value that was not measured is a space.
pub(super) fn spark(values: &[Option<f64>], width: usize) -> String {
    let shown = &values[values.len().saturating_sub(width)..];
    let most = shown.iter().flatten().copied().fold(0.0, f64::max);
    let bar = |value: &Option<f64>| {
        let Some(value) = value.filter(|_| most > 0.0) else { return ' ' };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 7")]
        let at = (value / most * 7.0).round().clamp(0.0, 7.0) as usize;
        BARS[at]
    };
    shown.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_has_the_highest_bar_and_a_gap_stays_a_gap() {
        assert_eq!(spark(&[Some(0.0), None, Some(3.5), Some(7.0)], 10), "▁ ▅█");
        assert_eq!(spark(&[Some(9.0), Some(1.0), Some(1.0)], 2), "██");
        assert_eq!(spark(&[], 5), "");
        assert_eq!(spark(&[Some(0.0), Some(f64::NAN)], 5).trim(), "");
    }
}
