//! Locust's statistics as CSV.

use std::collections::BTreeMap;

use records::Histogram;

use crate::load::snapshot::Entry;

/// All endpoints together, with how many there were per second.
pub(super) struct Total {
    pub(super) entry: Entry,
    rps: f64,
}

impl Total {
    /// Puts it in time: Locust's rate is over the time from its reset to the last request.
    pub(super) fn times(&mut self, opened: Option<f64>) {
        if self.rps > 0.0 {
            let start = opened.unwrap_or(0.0);
            self.entry.start_at = Some(start);
            self.entry.last_at = Some(start + self.entry.requests as f64 / self.rps);
        }
    }
}

/// The rows, and the one of all of them; or what is wrong.
pub(super) fn parse(text: &[u8]) -> Result<(Vec<Entry>, Total), String> {
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let (mut entries, mut total) = (Vec::new(), None);
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        let row = Row { header: &header, row: &row };
        let entry = row.entry()?;
        if entry.name == "Aggregated" && entry.method.is_empty() {
            total = Some(Total { entry, rps: row.number("Requests/s")? });
        } else {
            entries.push(entry);
        }
    }
    total.map(|total| (entries, total)).ok_or_else(|| "no row Aggregated".to_owned())
}

struct Row<'a> {
    header: &'a csv::StringRecord,
    row: &'a csv::StringRecord,
}

impl Row<'_> {
    fn text(&self, column: &str) -> Result<&str, String> {
        let at = self.header.iter().position(|name| name == column);
        at.and_then(|at| self.row.get(at)).ok_or_else(|| format!("no column {column}"))
    }

    fn number<T: std::str::FromStr>(&self, column: &str) -> Result<T, String> {
        let text = self.text(column)?;
        text.parse().map_err(|_| format!("{column} is {text}"))
    }

    fn entry(&self) -> Result<Entry, String> {
        let requests: u64 = self.number("Request Count")?;
        let failures = self.number("Failure Count")?;
        let mean: f64 = self.number("Average Response Time")?;
        let histogram = self.histogram(requests);
        Ok(Entry {
            method: self.text("Type")?.to_owned(),
            name: self.text("Name")?.to_owned(),
            requests,
            failures,
            total_ms: mean * requests as f64,
            start_at: None,
            last_at: None,
            // Which of them succeeded is known only where all did.
            succeeded: if failures == 0 { histogram.clone() } else { Histogram::default() },
            histogram,
            from_send: None,
        })
    }

    /// Samples at the percentiles that Locust gives, as many as have that rank: its percentiles are
    /// then those of Locust, and what lies between two is the higher one.
    fn histogram(&self, requests: u64) -> Histogram {
        let percentiles = self.header.iter().enumerate().filter_map(|(at, name)| {
            let percent: f64 = name.strip_suffix('%')?.parse().ok()?;
            let ms: u64 = self.row.get(at)?.parse().ok()?;
            Some((percent / 100.0, 1000 * ms))
        });
        let (mut counts, mut below) = (BTreeMap::<u64, u64>::new(), 0);
        for (share, us) in percentiles {
            let rank = rank(share, requests);
            *counts.entry(us).or_default() += rank - below;
            below = rank;
        }
        counts.retain(|_, count| *count > 0);
        Histogram(counts)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the number of requests")]
fn rank(share: f64, requests: u64) -> u64 {
    (share * requests as f64 - 1e-9).ceil().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Figures;
    use records::Endpoint;

    const HEADER: &str = "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,\
        Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,\
        50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%\r\n";

    #[test]
    fn its_percentiles_are_those_that_locust_gives() {
        let text = format!(
            "{HEADER}POST,\"/predict, \"\"all\"\"\",1000,10,110,115.5,90.1,900.3,58.0,50.0,0.5,\
             110,120,120,130,150,160,180,190,500,900,900\r\n\
             ,Aggregated,1000,10,110,115.5,90.1,900.3,58.0,50.0,0.5,\
             110,120,120,130,150,160,180,190,500,900,900\r\n"
        );
        let (entries, mut total) = parse(text.as_bytes()).unwrap();
        let endpoint = Endpoint::from(&entries[0]);
        assert_eq!(endpoint.label(), "POST /predict, \"all\"");
        let figures = Figures::of(&endpoint, 20.0);
        assert_eq!((figures.p50_us, figures.p90_us), (Some(110_000), Some(150_000)));
        assert_eq!(
            (figures.p95_us, figures.p99_us, figures.max_us),
            (Some(160_000), Some(190_000), Some(900_000))
        );
        assert!((figures.mean_ms.unwrap() - 115.5).abs() < 1e-9);
        assert_eq!(endpoint.histogram.count(), 1000);
        assert_eq!(endpoint.succeeded.count(), 0, "ten failed, nobody knows which");
        total.times(Some(1000.0));
        assert_eq!((total.entry.start_at, total.entry.last_at), (Some(1000.0), Some(1020.0)));
    }

    #[test]
    fn nothing_measured_is_nothing() {
        let empty = ",Aggregated,0,0,0,0.0,0,0,0,0.0,0.0,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A\r\n";
        let (entries, total) = parse(format!("{HEADER}{empty}").as_bytes()).unwrap();
        assert!(entries.is_empty());
        assert_eq!((total.entry.requests, total.entry.histogram.count()), (0, 0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |text: &str| parse(text.as_bytes()).map(|_| ()).unwrap_err();
        assert_eq!(error(HEADER), "no row Aggregated");
        assert_eq!(error("Type,Name\r\n,Aggregated\r\n"), "no column Request Count");
        let many = format!("{HEADER},Aggregated,many,0,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1,1,1\r\n");
        assert_eq!(error(&many), "Request Count is many");
    }
}
