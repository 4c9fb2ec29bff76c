//! Facts about the data that a reader of the figures has to know.

use records::LeftOut;

use super::{Block, Section, Sentence};
use crate::events::many;
use crate::judge::Row;

/// A sentence per row and fact; `None` if there is nothing to say.
pub(super) fn section(rows: &[Row<'_>]) -> Option<Section> {
    let items: Vec<Sentence> = rows
        .iter()
        .flat_map(|row| [impossible(row), folded(row), cut_off(row), left_out(row)].into_iter().flatten())
        .collect();
    (!items.is_empty()).then(|| Section::new("data", "Notes on the data", vec![Block::list(items)]))
}

fn impossible(row: &Row<'_>) -> Option<Sentence> {
    let count = row.record.impossible;
    let (verb, them) = if count == 1 { ("has", "It counts") } else { ("have", "They count") };
    let text = format!(
        "{}: {} {verb} a response time that cannot be true (negative, not a number, or longer than a day). {them} as \
         requests, and no percentile contains {}. Look at how the test script reports its times.",
        row.name(),
        many(count, "request"),
        if count == 1 { "it" } else { "them" },
    );
    (count > 0).then(|| Sentence::about([row], text))
}

fn folded(row: &Row<'_>) -> Option<Sentence> {
    let count = row.record.folded;
    let text = format!(
        "{}: {} beyond the first 200 {} counted together as “(other endpoints)”. If a URL contains an id, give its \
         requests one name: self.client.get(url, name=\"/item/[id]\").",
        row.name(),
        many(count, "endpoint"),
        if count == 1 { "is" } else { "are" },
    );
    (count > 0).then(|| Sentence::about([row], text))
}

fn cut_off(row: &Row<'_>) -> Option<Sentence> {
    let count = row.record.cut_off;
    let (were, them) = if count == 1 { ("was", "it") } else { ("were", "them") };
    let text = format!(
        "{}: {} {were} still under way when the stop timeout ended, and {were} cut off. The replicas may count {them}, \
         Locust does not: no sample was lost. The first requests of the next scenario may have waited behind {them}. A \
         stop timeout above the longest response avoids it: the locustfile, or --stop-timeout of Locust's master.",
        row.name(),
        many(count, "request"),
    );
    (count > 0).then(|| Sentence::about([row], text))
}

/// What a copy of the record in the cluster had no room for. If that is all figures, the verdict says so.
fn left_out(row: &Row<'_>) -> Option<Sentence> {
    let parts = row.record.left_out.iter().filter_map(|part| match part {
        LeftOut::Samples => Some("what was seen about every second"),
        LeftOut::WholeRunHistograms => Some("the response times of the whole run"),
        LeftOut::OtherHistograms => Some("the response times of all endpoints but the primary one"),
        LeftOut::Figures => None,
    });
    let parts: Vec<_> = parts.collect();
    let text = format!(
        "{}: the cluster had no room for {}. Its verdict and the figures of the primary endpoint need none of it.",
        row.name(),
        parts.join(", ")
    );
    (!parts.is_empty()).then(|| Sentence::about([row], text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::alone;
    use crate::record::tests::record;

    #[test]
    fn what_a_thinned_copy_lacks_is_told() {
        let mut thin = record(0, 1, 20, 800);
        thin.left_out = vec![LeftOut::Samples, LeftOut::WholeRunHistograms];
        let records = [thin, record(1, 2, 20, 800)];
        let judged = alone(&records);
        let rows: Vec<_> = judged.iter().map(Row::of).collect();
        let section = section(&rows).unwrap();
        let said = section.blocks[0].sentences();
        let lacks = "no room for what was seen about every second, the response times of the whole run.";
        assert!(said.len() == 1 && said[0].text.contains(lacks), "{}", said[0].text);
    }

    #[test]
    fn requests_that_the_stop_has_cut_off_are_no_lost_samples() {
        let mut slow = record(0, 1, 20, 800);
        slow.cut_off = 7;
        let records = [slow];
        let judged = alone(&records);
        let rows: Vec<_> = judged.iter().map(Row::of).collect();
        let section = section(&rows).unwrap();
        let said = &section.blocks[0].sentences()[0].text;
        assert!(said.contains("7 requests were still under way when the stop timeout ended"), "{said}");
    }

    #[test]
    fn impossible_times_and_folded_endpoints_are_told_with_their_cure() {
        let mut odd = record(0, 1, 20, 800);
        (odd.impossible, odd.folded) = (3, 1);
        let records = [odd, record(1, 2, 20, 800)];
        let judged = alone(&records);
        let rows: Vec<_> = judged.iter().map(Row::of).collect();
        let section = section(&rows).unwrap();
        let said: Vec<_> = section.blocks[0].sentences().into_iter().map(|sentence| &sentence.text).collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].starts_with("1 replica, 2 workers, 20 users: 3 requests have a response time"),
            "{said:?}"
        );
        assert!(said[1].contains(": 1 endpoint beyond the first 200 is counted together"), "{said:?}");
        assert!(super::section(&rows[1..]).is_none());
    }
}
