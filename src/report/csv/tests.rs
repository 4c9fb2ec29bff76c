use proptest::prelude::*;
use records::{Mode, Record, Unmeasured, UnmeasuredKind};

use super::*;
use crate::judge::JudgedRun;
use crate::record::tests::record;
use crate::report::Document;
use crate::report::document::Column;

/// The dataset of this name as a CSV file; empty if the document has no such dataset.
fn dataset(name: &str, records: &[Record]) -> String {
    let document = Document::of(&JudgedRun::of(records));
    let found = document.datasets.iter().find(|dataset| dataset.name == name);
    found.map(|dataset| String::from_utf8(render(&dataset.table)).unwrap()).unwrap_or_default()
}

#[test]
fn the_table_is_exact() {
    let mut failed = record(1, 1, 40, 0);
    failed.window = None;
    failed.unmeasured = Some(Unmeasured::new(UnmeasuredKind::Broken, "the service crashes"));
    let records = [failed, record(0, 1, 20, 801)];
    assert_eq!(
        dataset("auto_summary", &records),
        "Replicas,Workers,Users,RPS,Median_ms,P95_ms,P99_ms,Failures_Pct,Total_Requests,Duration_s,Timestamp,Status\n\
         1,2,20,40.05,100,100,100,0.00,801,20.000,2023-11-14T22:13:50Z,SUCCESS\n\
         1,2,40,,,,,,,,2023-11-14T22:13:50Z,FAILED\n"
    );
    assert_eq!(dataset("auto_summary_open", &records), "", "there is no row of the open model");
}

#[test]
fn each_model_has_a_table_of_its_own() {
    let mut open = record(1, 1, 40, 801);
    (open.scenario.mode, open.scenario.rate) = (Mode::Open, Some(12.5));
    let records = [record(0, 1, 20, 801), open];
    assert_eq!(dataset("auto_summary", &records).lines().count(), 2);
    assert_eq!(
        dataset("auto_summary_open", &records),
        "Replicas,Workers,Rate,RPS,Median_ms,P95_ms,P99_ms,Failures_Pct,Total_Requests,Duration_s,Timestamp,Status\n\
         1,2,12.5,40.05,100,100,100,0.00,801,20.000,2023-11-14T22:13:50Z,SUCCESS\n"
    );
}

#[test]
fn a_percentile_of_few_samples_is_a_plain_number() {
    assert!(dataset("auto_summary", &[record(0, 1, 20, 30)]).contains(",100,100,100,0.00,30,"));
}

#[test]
fn no_text_is_a_formula_and_numbers_stay_numbers() {
    let mut table = Table::new(["a", "b"].map(Column::words).into());
    let formula = Cell::text("=HYPERLINK(\"http://127.0.0.1\")");
    table.push([], vec![formula, Cell::number(Some(-1.5), 1)]);
    let text = String::from_utf8(render(&table)).unwrap();
    assert_eq!(text, "a,b\n\"'=HYPERLINK(\"\"http://127.0.0.1\"\")\",-1.5\n");
}

proptest! {
    #[test]
    fn a_reader_of_csv_gets_every_text_back(
        rows in prop::collection::vec(prop::collection::vec("[ -~\n\r\u{5d0}-\u{5d3}]{0,12}", 3), 1..4),
    ) {
        let mut table = Table::new(["a", "b,c", "\"d\""].map(Column::words).into());
        for row in &rows {
            table.push([], row.iter().map(Cell::text).collect());
        }
        let bytes = render(&table);
        let read: Vec<Vec<String>> = ::csv::Reader::from_reader(&bytes[..])
            .records()
            .map(|row| row.unwrap().iter().map(str::to_owned).collect())
            .collect();
        let is_formula = |text: &String| text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let harmless = |text: &String| if is_formula(text) { format!("'{text}") } else { text.clone() };
        let expected: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(harmless).collect()).collect();
        prop_assert_eq!(read, expected);
    }
}
