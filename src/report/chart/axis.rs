//! Axes with round numbers and their unit.

use maud::{Markup, html};

use super::line::px;
use super::scale::ScaleOf;
use crate::report::document::chart::Axis;
use crate::report::visible::visible;

/// The vertical axis of a panel that lies between `ends`: rules, labels, and the title above.
pub(super) fn vertical(axis: &Axis, y: &ScaleOf, ends: (f64, f64)) -> Markup {
    html! {
        text x=(px(ends.0)) y=(px(y.ends.1 - 8.0)) fill="#1d2228" class="ink" font-weight="600" { (title(axis)) }
        @for (value, label) in spread(y.ticks(), y, 13.0) {
            @let at = y.place(value);
            line x1=(px(ends.0)) x2=(px(ends.1)) y1=(px(at)) y2=(px(at)) stroke="#d9dde2" class="rule" {}
            text x=(px(ends.0 - 6.0)) y=(px(at + 4.0)) text-anchor="end" fill="#4a5159" class="dim" { (label) }
        }
    }
}

/// The horizontal axis below the panels, which end at `bottom`.
pub(super) fn horizontal(axis: &Axis, x: &ScaleOf, bottom: f64) -> Markup {
    html! {
        line x1=(px(x.ends.0)) x2=(px(x.ends.1)) y1=(px(bottom)) y2=(px(bottom)) stroke="#6b737c" class="axis" {}
        @for (value, label) in spread(x.ticks(), x, 44.0) {
            @let at = x.place(value);
            line x1=(px(at)) x2=(px(at)) y1=(px(bottom)) y2=(px(bottom + 4.0)) stroke="#6b737c" class="axis" {}
            text x=(px(at)) y=(px(bottom + 17.0)) text-anchor="middle" fill="#4a5159" class="dim" { (label) }
        }
        text x=(px(f64::midpoint(x.ends.0, x.ends.1))) y=(px(bottom + 34.0)) text-anchor="middle" fill="#1d2228"
            class="ink" font-weight="600" { (title(axis)) }
    }
}

/// The ticks whose labels do not touch the one before.
fn spread(ticks: Vec<(f64, String)>, scale: &ScaleOf, apart: f64) -> Vec<(f64, String)> {
    let mut last = f64::NEG_INFINITY;
    let mut kept = ticks;
    kept.retain(|(value, _)| {
        let at = scale.place(*value);
        let is_apart = (at - last).abs() >= apart;
        if is_apart {
            last = at;
        }
        is_apart
    });
    kept
}

fn title(axis: &Axis) -> String {
    let title = visible(&axis.title);
    axis.unit.map_or(title.clone(), |unit| format!("{title}, {unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::chart::Scale;

    #[test]
    fn ticks_whose_labels_would_touch_are_left_out() {
        let axis = Axis::of("Users", Scale::FromZero);
        let scale = ScaleOf::of(&axis, [0.0, 100.0], (0.0, 200.0));
        let ticks = [0.0, 5.0, 25.0, 30.0, 100.0].map(|value| (value, value.to_string()));
        let kept: Vec<_> = spread(ticks.to_vec(), &scale, 44.0).into_iter().map(|(_, label)| label).collect();
        assert_eq!(kept, ["0", "25", "100"]);
    }
}
