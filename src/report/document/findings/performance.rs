//! What more replicas bring, from valid rows that differ in replicas alone.

use super::load_in_words;
use crate::judge::Point;
use crate::report::document::sentence::form;
use crate::report::document::{Block, Section, Sentence};

/// How throughput grows with the replicas.
#[derive(Clone, Copy, PartialEq)]
enum Scaling {
    Full,
    Partial,
    None,
    Loss,
}

impl Scaling {
    const ALL: [Self; 4] = [Self::Full, Self::Partial, Self::None, Self::Loss];

    /// From the factors by which throughput and replicas grow.
    fn of(throughput: f64, replicas: f64) -> Self {
        if throughput >= 0.8 * replicas {
            Self::Full
        } else if throughput >= 1.1 {
            Self::Partial
        } else if throughput > 0.9 {
            Self::None
        } else {
            Self::Loss
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Full => "The service scales with its replicas here:",
            Self::Partial => {
                "More replicas bring less than in proportion here, because part of the load no longer fills the \
                 replicas, or because they share a limit:"
            }
            Self::Loss => {
                "Throughput falls with more replicas here. Look for what they share, or for a disturbance:"
            }
            Self::None => {
                "More replicas bring no gain here, because these users do not need them, or because something else \
                 limits the throughput:"
            }
        }
    }
}

/// The steps in replicas, by what they bring.
pub(in crate::report::document) fn performance(points: &[Point<'_, '_>]) -> Section {
    let steps: Vec<_> = points.iter().filter_map(|point| step(point, points)).collect();
    let lists = Scaling::ALL.map(|scaling| {
        let items = steps.iter().filter(|(found, _)| *found == scaling);
        Block::led(scaling.meaning(), items.map(|(_, sentence)| sentence.clone()).collect())
    });
    let otherwise = "No two valid scenarios differ in replicas alone.";
    Section::of_lists("performance", "Performance recommendations", lists.into(), otherwise)
}

/// From a point to the next one with more replicas.
fn step(point: &Point<'_, '_>, points: &[Point<'_, '_>]) -> Option<(Scaling, Sentence)> {
    let more = points
        .iter()
        .filter(|other| other.has_load_of(point) && other.replicas() > point.replicas())
        .min_by_key(|other| other.replicas())?;
    if point.is_open() || point.rps <= 0.0 {
        return None;
    }
    let gain = more.rps / point.rps;
    let factor = f64::from(more.replicas()) / f64::from(point.replicas());
    let text = format!(
        "{}: {} replicas instead of {} {} {:.1} instead of {:.1} requests/s (× {gain:.2} for × {factor:.2} replicas).",
        load_in_words(point)?,
        more.replicas(),
        point.replicas(),
        form(more.replicas(), "gives", "give"),
        more.rps,
        point.rps,
    );
    let rows = point.rows.iter().chain(&more.rows).copied();
    Some((Scaling::of(gain, factor), Sentence::about(rows, text)))
}
