//! The calibration as a Markdown table.

use locust_matrix::judge::Verdict;

use crate::library::cell::Kind;
use crate::library::{Calibration, Coverage, FIGURES};

/// The verdicts that a simulated test can have.
const VERDICTS: [Verdict; 6] = [
    Verdict::Valid,
    Verdict::Errors,
    Verdict::Overloaded,
    Verdict::Unstable,
    Verdict::Imbalanced,
    Verdict::Failed,
];

/// A table for each kind of cell.
pub(crate) fn markdown(found: &[Calibration]) -> String {
    let kinds = [
        (Kind::Stationary, "Stationary services"),
        (Kind::UnseenConnections, "One run with connections at random, beside the mean over many runs"),
        (Kind::ColdStart, "The measurement begins in an empty system"),
        (Kind::Overloaded, "More than the capacity"),
        (Kind::Changing, "Services that change"),
        (Kind::Faulty, "Services that shed load, and replicas with unequal users"),
    ];
    let tables = kinds.into_iter().filter_map(|(kind, title)| {
        let of_kind: Vec<&Calibration> = found.iter().filter(|cell| cell.cell.kind == kind).collect();
        (!of_kind.is_empty()).then(|| table(title, &of_kind))
    });
    tables.collect::<Vec<_>>().join("\n")
}

fn table(title: &str, found: &[&Calibration]) -> String {
    let mut head = vec!["cell".to_owned(), "window s".to_owned(), "measured s".to_owned()];
    head.extend(VERDICTS.map(|verdict| verdict.status().to_owned()));
    head.push("VALID, both services".to_owned());
    head.extend(FIGURES.map(|(name, _)| name.to_owned()));
    let mut lines = vec![format!("## {title}\n"), line(&head), line(&vec!["---".to_owned(); head.len()])];
    lines.extend(found.iter().map(|one| row(one)));
    lines.join("\n") + "\n"
}

fn row(one: &Calibration) -> String {
    let mut cells =
        vec![one.cell.name.clone(), format!("{:.0}", one.cell.duration_s), format!("{:.1}", one.mean_s())];
    cells.extend(VERDICTS.map(|verdict| percent(one.share(verdict))));
    cells.push(percent(one.mixed_share()));
    cells.extend(one.valid.map(|coverage| covered(coverage, one.runs)));
    line(&cells)
}

/// `100 %: 95 % ± 3.1 %`: the share with an interval, the share of these that holds the truth, mean half-width.
fn covered(coverage: Coverage, runs: u32) -> String {
    coverage.share().map_or_else(
        || "none".to_owned(),
        |share| {
            let printed = f64::from(coverage.printed) / f64::from(runs);
            format!(
                "{:.0} %: {:.0} % ± {:.1} %",
                100.0 * printed,
                100.0 * share,
                100.0 * coverage.half_width()
            )
        },
    )
}

/// A share in percent; nothing for zero, so that the table is easy to read.
fn percent(share: f64) -> String {
    if share > 0.0 { format!("{:.1}", 100.0 * share) } else { String::new() }
}

fn line(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}
