//! Where latency is queueing, from valid rows that differ in users alone.

use records::ms;

use crate::events::many;
use crate::judge::Point;
use crate::report::document::{Block, Section, Sentence};

const MEANING: &str = "The replicas are full here, and further users only wait. Add replicas, or allow fewer \
    requests at a time:";

/// The steps in users that raise P95 but not throughput.
pub(in crate::report::document) fn latency(points: &[Point<'_, '_>]) -> Section {
    let items = points.iter().filter_map(|point| step(point, points)).collect();
    let otherwise = "No step in users raised P95 without raising throughput.";
    Section::of_lists("latency", "Latency advice", vec![Block::led(MEANING, items)], otherwise)
}

/// From the next point with fewer users to a point.
fn step(point: &Point<'_, '_>, points: &[Point<'_, '_>]) -> Option<Sentence> {
    let less = points
        .iter()
        .filter(|other| other.has_pods_of(point) && other.load() < point.load())
        .max_by(|a, b| a.load().total_cmp(&b.load()))?;
    let (now, before) = (point.p95_us?, less.p95_us?);
    let is_level = point.rps < 1.1 * less.rps && point.rps > 0.9 * less.rps;
    let is_full = less.rps > 0.0 && is_level && now as f64 > 1.3 * before as f64;
    if point.is_open() || !is_full {
        return None;
    }
    let scenario = point.scenario()?;
    // Within a tenth it counts as level, and the reader sees how level it is.
    let throughput = if (point.rps / less.rps - 1.0).abs() < 0.005 {
        format!("while throughput stays at {:.1} requests/s", point.rps)
    } else {
        format!("while throughput only goes from {:.1} to {:.1} requests/s", less.rps, point.rps)
    };
    let text = format!(
        "{}, {}: {} instead of {} raise P95 from {} to {} ms, {throughput}.",
        many(scenario.replicas, "replica"),
        many(scenario.workers, "worker"),
        many(scenario.users, "user"),
        less.load(),
        ms(before),
        ms(now),
    );
    Some(Sentence::about(less.rows.iter().chain(&point.rows).copied(), text))
}
