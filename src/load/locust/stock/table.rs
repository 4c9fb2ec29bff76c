//! Locust's statistics as CSV.

use records::{Endpoint, Histogram};

use crate::load::Counts;

/// The counts in a table whose window was opened at `opened_at`, s since the epoch.
///
/// # Errors
/// A text that says what is wrong with the table.
pub(super) fn parse(text: &[u8], opened_at: Option<f64>) -> Result<Counts, String> {
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let (mut endpoints, mut total) = (Vec::new(), None);
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        let row = Row { header: &header, row: &row };
        let endpoint = row.endpoint()?;
        if endpoint.name == "Aggregated" && endpoint.method.is_empty() {
            total = Some((endpoint, row.number::<f64>("Requests/s")?));
        } else {
            endpoints.push(endpoint);
        }
    }
    let (total, rps) = total.ok_or("no row Aggregated")?;
    // The table has no times. But Locust's rate is over the time from its reset to the last request.
    let seconds = (rps > 0.0).then(|| total.requests as f64 / rps);
    let first_at = seconds.map(|_| opened_at.unwrap_or(0.0));
    let last_at = first_at.zip(seconds).map(|(first, seconds)| first + seconds);
    Ok(Counts { total, endpoints, first_at, last_at, ..Counts::default() })
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

    fn endpoint(&self) -> Result<Endpoint, String> {
        let requests: u64 = self.number("Request Count")?;
        let failures = self.number("Failure Count")?;
        let mean: f64 = self.number("Average Response Time")?;
        let histogram = self.histogram(requests);
        Ok(Endpoint {
            method: self.text("Type")?.to_owned(),
            name: self.text("Name")?.to_owned(),
            requests,
            failures,
            total_ms: mean * requests as f64,
            // The table does not say which requests failed.
            succeeded: if failures == 0 { histogram.clone() } else { Histogram::default() },
            histogram,
            from_send: None,
        })
    }

    /// A histogram that has Locust's percentiles: each request between two percentiles of the table counts at
    /// the higher one.
    fn histogram(&self, requests: u64) -> Histogram {
        let percentiles = self.header.iter().enumerate().filter_map(|(at, name)| {
            let percent: f64 = name.strip_suffix('%')?.parse().ok()?;
            let ms: u64 = self.row.get(at)?.parse().ok()?;
            Some((percent / 100.0, ms.saturating_mul(1000)))
        });
        let (mut counts, mut below) = (Vec::new(), 0);
        for (quantile, us) in percentiles {
            // A table that something has damaged may have percentiles that do not rise, or are above 100.
            let rank = rank(quantile, requests).clamp(below, requests);
            counts.push((us, rank - below));
            below = rank;
        }
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

/// The nearest rank of a quantile (0 to 1).
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the number of requests")]
fn rank(quantile: f64, requests: u64) -> u64 {
    (quantile * requests as f64 - 1e-9).ceil().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,\
        Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,\
        50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%\r\n";

    #[test]
    fn the_percentiles_are_those_of_the_table() {
        let text = format!(
            "{HEADER}POST,\"/predict, \"\"all\"\"\",1000,10,110,115.5,90.1,900.3,58.0,50.0,0.5,\
             110,120,120,130,150,160,180,190,500,900,900\r\n\
             ,Aggregated,1000,10,110,115.5,90.1,900.3,58.0,50.0,0.5,\
             110,120,120,130,150,160,180,190,500,900,900\r\n"
        );
        let counts = parse(text.as_bytes(), Some(1000.0)).unwrap();
        let endpoint = &counts.endpoints[0];
        assert_eq!(endpoint.label(), "POST /predict, \"all\"");
        let quantiles = [0.5, 0.9, 0.95, 0.99, 1.0].map(|q| endpoint.histogram.quantile(q).unwrap());
        assert_eq!(quantiles, [110_000, 150_000, 160_000, 190_000, 900_000]);
        assert!((endpoint.total_ms - 115_500.0).abs() < 1e-6);
        assert_eq!(endpoint.histogram.count(), 1000);
        assert_eq!(endpoint.succeeded.count(), 0, "ten failed, and the table does not say which");
        assert_eq!((counts.first_at, counts.last_at), (Some(1000.0), Some(1020.0)));
    }

    #[test]
    fn a_damaged_table_counts_no_request_twice() {
        let header = HEADER.replace("50%,66%,75%", "95%,50%,250%");
        let row = ",Aggregated,1000,0,110,115.5,90.1,900.3,58.0,50.0,0.5,\
             110,120,18446744073709551615,130,150,160,180,190,500,900,900\r\n";
        let counts = parse(format!("{header}{row}").as_bytes(), Some(1000.0)).unwrap();
        assert_eq!(counts.total.histogram.count(), 1000);
        assert_eq!(counts.total.histogram.quantile(0.5), Some(110_000));
    }

    #[test]
    fn a_table_without_requests_has_empty_counts() {
        let empty = ",Aggregated,0,0,0,0.0,0,0,0,0.0,0.0,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A\r\n";
        let counts = parse(format!("{HEADER}{empty}").as_bytes(), Some(1000.0)).unwrap();
        assert!(counts.endpoints.is_empty());
        assert_eq!((counts.total.requests, counts.total.histogram.count()), (0, 0));
        assert_eq!((counts.first_at, counts.last_at), (None, None));
    }

    #[test]
    fn an_error_names_what_is_wrong() {
        let error = |text: &str| parse(text.as_bytes(), None).unwrap_err();
        assert_eq!(error(HEADER), "no row Aggregated");
        assert_eq!(error("Type,Name\r\n,Aggregated\r\n"), "no column Request Count");
        let many = format!("{HEADER},Aggregated,many,0,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1,1,1\r\n");
        assert_eq!(error(&many), "Request Count is many");
    }
}
