//! The table at the end: what came of each kind of fault.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::fault::Fault;
use crate::outcome::Outcome;

/// All outcomes of one kind of fault.
#[derive(Debug, Default)]
struct Row {
    trials: usize,
    missed: usize,
    endings: BTreeMap<String, usize>,
    most_attempts: usize,
    longest_s: f64,
    lost: usize,
    twice: usize,
    wrong: usize,
    unknown: usize,
    leftovers: usize,
    replicas: usize,
    other: usize,
}

impl Row {
    fn add(&mut self, outcome: &Outcome) {
        let endings: Vec<String> = outcome.endings.iter().map(ToString::to_string).collect();
        *self.endings.entry(endings.join(" → ")).or_default() += 1;
        self.trials += 1;
        self.missed += usize::from(outcome.missed.is_some());
        self.most_attempts = self.most_attempts.max(outcome.endings.len());
        self.longest_s = self.longest_s.max(outcome.took.as_secs_f64());
        self.lost += outcome.records.lost.len();
        self.twice += outcome.records.twice.len();
        self.wrong += outcome.records.wrong.len();
        self.unknown += outcome.records.unknown.len();
        self.leftovers += outcome.leftovers.len();
        self.replicas += outcome.replicas.len();
        self.other += outcome.records.other.len() + outcome.driver.len();
    }
}

/// Renders the outcomes as a Markdown table.
pub(crate) fn render(outcomes: &[(Fault, Outcome)]) -> String {
    let mut rows: BTreeMap<Fault, Row> = BTreeMap::new();
    let mut sum = Row::default();
    for (fault, outcome) in outcomes {
        rows.entry(*fault).or_default().add(outcome);
        sum.add(outcome);
    }
    sum.endings.clear();
    let mut text = String::from(
        "| fault | trials | too late | exit codes | most starts | longest | rows lost | rows twice | wrong totals | totals not known | left behind | wrong replicas | other |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (fault, row) in &rows {
        line(&mut text, fault.name(), row);
    }
    line(&mut text, "**all**", &sum);
    text
}

fn line(text: &mut String, name: &str, row: &Row) {
    let endings: Vec<String> =
        row.endings.iter().map(|(codes, often)| format!("{codes} (× {often})")).collect();
    let Row {
        trials,
        missed,
        most_attempts,
        longest_s,
        lost,
        twice,
        wrong,
        unknown,
        leftovers,
        replicas,
        other,
        ..
    } = row;
    let endings = endings.join(", ");
    let _ = writeln!(
        text,
        "| {name} | {trials} | {missed} | {endings} | {most_attempts} | {longest_s:.0} s | {lost} | {twice} | {wrong} | {unknown} | {leftovers} | {replicas} | {other} |"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Ending;
    use crate::fault::Part;

    #[test]
    fn outcomes_of_a_kind_are_one_row_and_all_are_added_up() {
        let ended = |codes: &[i32]| Outcome {
            endings: codes.iter().map(|code| Ending::Code(*code)).collect(),
            leftovers: vec!["a load".into()],
            ..Outcome::default()
        };
        let outcomes = [
            (Fault::Kill(Part::Worker), ended(&[0])),
            (Fault::Kill(Part::Worker), ended(&[4, 0])),
            (Fault::None, ended(&[0])),
        ];
        let text = render(&outcomes);
        let row = "| worker: SIGKILL | 2 | 0 | 0 (× 1), 4 → 0 (× 1) | 2 | 0 s | 0 | 0 | 0 | 0 | 2 | 0 | 0 |";
        assert!(text.contains(row), "{text}");
        assert!(text.ends_with("| **all** | 3 | 0 |  | 2 | 0 s | 0 | 0 | 0 | 0 | 3 | 0 | 0 |\n"), "{text}");
    }
}
