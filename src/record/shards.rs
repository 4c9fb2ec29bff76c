//! Records as they fit into ConfigMaps: compressed, and split below the size a cluster stores.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use records::{LeftOut, Record};

use super::file::parse;
use super::thin::{STEPS, bare, thinned};
use crate::exit::{Error, Result};

/// How many ConfigMaps the manifests prepare.
pub const SHARDS: usize = 4;

/// A ConfigMap holds at most 1 MiB, written in base64; this leaves room for its metadata.
const SHARD_BYTES: usize = 720 * 1024;

/// Compressed records, one element per ConfigMap, and what had to be left out to fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shards {
    /// Gzip of JSON lines; empty for a ConfigMap that is not needed.
    pub parts: Vec<Vec<u8>>,
    /// Records of which something was left out.
    pub thinned: usize,
    /// The places of the records whose figures were left out; see [`encode`].
    pub overflown: Vec<usize>,
}

/// Splits records over at most [`SHARDS`] parts. If they do not fit, the per-second samples of the oldest records
/// are left out first, then histograms that no verdict needs. Records that do not fit even so are left without
/// figures, the newest first: `kept_in` says where the whole record is.
///
/// # Errors
/// Exit code 4: they do not fit even without figures.
pub fn encode(records: &[Record], kept_in: &str) -> Result<Shards> {
    encode_into(records, kept_in, SHARDS, SHARD_BYTES)
}

fn encode_into(records: &[Record], kept_in: &str, shards: usize, limit: usize) -> Result<Shards> {
    let mut packing =
        Packing { records, kept_in, members: Vec::new(), lacking: Vec::new(), overflown: Vec::new() };
    for at in 0..records.len() {
        packing.add(at, limit)?;
    }
    let chunk = records.len().div_ceil(8).max(1);
    // Each step leaves a little more out: of a few records at a time, from the oldest to the newest.
    for steps in 1..=STEPS.len() {
        for from in (0..records.len()).step_by(chunk) {
            if let Some(parts) = pack(&packing.members, shards, limit) {
                return Ok(packing.finished(parts));
            }
            for at in from..(from + chunk).min(records.len()) {
                packing.thin(at, steps)?;
            }
        }
    }
    for at in (0..records.len()).rev() {
        if let Some(parts) = pack(&packing.members, shards, limit) {
            return Ok(packing.finished(parts));
        }
        packing.strip(at)?;
    }
    match pack(&packing.members, shards, limit) {
        Some(parts) => Ok(packing.finished(parts)),
        None => Err(Error::cluster(format!(
            "{} records do not fit into {shards} ConfigMaps of {limit} bytes",
            records.len()
        ))
        .next("sweep fewer scenarios per run, or run from outside with `locust-matrix run`")),
    }
}

/// The compressed records, as thin as they are by now.
struct Packing<'a> {
    records: &'a [Record],
    kept_in: &'a str,
    members: Vec<Vec<u8>>,
    /// Whether something is left out of this record.
    lacking: Vec<bool>,
    /// The records that have no figures any more.
    overflown: Vec<usize>,
}

impl Packing<'_> {
    /// Adds the record as thin as it must be for a part of its own, so that one large record is not made room for
    /// at the cost of all others.
    fn add(&mut self, at: usize, limit: usize) -> Result<()> {
        self.members.push(compress(&self.records[at])?);
        self.lacking.push(!self.records[at].left_out.is_empty());
        for steps in 1..=STEPS.len() {
            if self.members[at].len() > limit {
                self.thin(at, steps)?;
            }
        }
        if self.members[at].len() > limit { self.strip(at) } else { Ok(()) }
    }

    fn thin(&mut self, at: usize, steps: usize) -> Result<()> {
        let thin = thinned(&self.records[at], steps);
        let member = compress(&thin)?;
        // A record that had to be thinner to fit stays so.
        if member.len() < self.members[at].len() {
            self.lacking[at] = !thin.left_out.is_empty();
            self.members[at] = member;
        }
        Ok(())
    }

    fn strip(&mut self, at: usize) -> Result<()> {
        if !self.overflown.contains(&at) && !self.records[at].left_out.contains(&LeftOut::Figures) {
            self.members[at] = compress(&bare(&self.records[at], self.kept_in))?;
            self.lacking[at] = true;
            self.overflown.push(at);
        }
        Ok(())
    }

    fn finished(self, parts: Vec<Vec<u8>>) -> Shards {
        let thinned = self.lacking.iter().filter(|lacks| **lacks).count();
        Shards { parts, thinned, overflown: self.overflown }
    }
}

/// Gzip members may follow each other in one stream, so that a part is its records' bytes in a row.
fn pack(members: &[Vec<u8>], shards: usize, limit: usize) -> Option<Vec<Vec<u8>>> {
    let mut parts = vec![Vec::new()];
    for member in members {
        if member.len() > limit {
            return None;
        }
        let last = parts.last_mut()?;
        if last.len() + member.len() <= limit {
            last.extend_from_slice(member);
        } else {
            parts.push(member.clone());
        }
    }
    (parts.len() <= shards).then(|| {
        parts.resize(shards, Vec::new());
        parts
    })
}

fn compress(record: &Record) -> Result<Vec<u8>> {
    let bug = |error: std::io::Error| {
        Error::new(crate::exit::ExitCode::Bug, format!("a record cannot be packed: {error}"))
    };
    let mut line = serde_json::to_vec(record).map_err(|error| bug(error.into()))?;
    line.push(b'\n');
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&line).map_err(bug)?;
    encoder.finish().map_err(bug)
}

/// The records of all parts, in order.
///
/// # Errors
/// Exit code 4: a part is damaged.
pub fn decode<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Record>> {
    /// Bounds what a damaged or hostile part can unfold to.
    const MOST: u64 = 256 << 20;
    let mut records = Vec::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        let mut text = String::new();
        MultiGzDecoder::new(part).take(MOST).read_to_string(&mut text).map_err(|error| {
            Error::cluster(format!("records in the cluster are damaged: {error}"))
                .next("look at: kubectl get configmap -l app=locust-matrix-results")
        })?;
        records.extend(parse(&text)?);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;
    use crate::judge::{Verdict, judge_alone};
    use records::{Endpoint, Histogram, Sample};

    fn records(count: usize) -> Vec<Record> {
        (0..count)
            .map(|index| record(index, 1, u32::try_from(index).unwrap() + 1, index as u64 * 7))
            .collect()
    }

    fn parts(shards: &Shards) -> impl Iterator<Item = &[u8]> {
        shards.parts.iter().map(Vec::as_slice)
    }

    #[test]
    fn records_read_back_in_order() {
        let shards = encode(&records(30), "").unwrap();
        assert_eq!(shards.parts.len(), SHARDS);
        assert_eq!(decode(parts(&shards)).unwrap(), records(30));
    }

    #[test]
    fn what_does_not_fit_one_part_goes_to_the_next() {
        let one = compress(&record(0, 1, 1, 0)).unwrap().len();
        let shards = encode_into(&records(6), "", 4, one * 2 + one / 2).unwrap();
        assert!(shards.parts[2].len() > 1 && shards.thinned == 0);
        assert_eq!(decode(parts(&shards)).unwrap(), records(6));
    }

    /// Records that fill much room with samples, histograms of the whole run, and an endpoint beside the primary.
    fn large(count: usize) -> Vec<Record> {
        let mut many = records(count);
        for (index, record) in many.iter_mut().enumerate() {
            let times = (0..400).map(|at| (at * 7 + index as u64 + 1, at * at + 1));
            let histogram = Histogram::of_ms(times);
            record.samples =
                (0..500).map(|at| Sample { at: f64::from(at) * 1.37, ..record.samples[0] }).collect();
            let window = record.window.as_mut().unwrap();
            window.endpoints.push(Endpoint {
                name: "/other".into(),
                histogram,
                ..window.endpoints[0].clone()
            });
            record.whole_run = record.window.clone();
            // Verdicts need these, so they stay as long as any figures do.
            for (at, interval) in record.intervals.iter_mut().enumerate() {
                let times = (0..200_u64).map(|i| (1 + i * i * (at as u64 + 3) % 997, 1 + i % 3));
                interval.primary = Histogram::of_ms(times);
            }
        }
        many
    }

    /// The compressed size of a record after so many steps of thinning.
    fn size(record: &Record, steps: usize) -> usize {
        compress(&thinned(record, steps)).unwrap().len()
    }

    #[test]
    fn samples_of_the_oldest_go_first() {
        let many = large(8);
        let shards = encode_into(&many, "", 2, size(&many[0], 0) * 3 + size(&many[0], 0) / 2).unwrap();
        let back = decode(parts(&shards)).unwrap();
        assert!(shards.thinned > 0 && shards.thinned < 8 && shards.overflown.is_empty());
        assert_eq!((back[0].samples.len(), back[0].left_out.as_slice()), (0, &[LeftOut::Samples][..]));
        assert_eq!(back[0].whole_run, many[0].whole_run);
        assert_eq!(back[7], many[7]);
    }

    #[test]
    fn histograms_follow_and_no_verdict_changes_and_each_record_says_what_it_lacks() {
        let many = large(8);
        let just_enough = many.iter().map(|record| size(record, 3)).sum();
        let shards = encode_into(&many, "", 1, just_enough).unwrap();
        assert_eq!((shards.thinned, shards.overflown.len()), (8, 0));
        let back = decode(parts(&shards)).unwrap();
        for (record, whole) in back.iter().zip(&many) {
            assert_eq!(record.left_out, STEPS);
            assert_eq!(judge_alone(record), judge_alone(whole));
            let label = &whole.environment.primary;
            let window = |record: &Record| record.window.as_ref().unwrap().endpoint(label).cloned();
            assert_eq!((window(record), &record.intervals), (window(whole), &whole.intervals));
        }
    }

    #[test]
    fn the_newest_records_are_left_without_figures_if_nothing_else_helps() {
        let many = large(8);
        let shards = encode_into(&many, "pod x has it", 1, size(&many[0], 3) * 6).unwrap();
        let back = decode(parts(&shards)).unwrap();
        assert_eq!((back.len(), shards.overflown[0]), (8, 7), "each scenario counts as recorded");
        let judged = judge_alone(&back[7]);
        assert_eq!(judged.verdict, Verdict::Failed, "it is not measured again");
        assert!(judged.reasons[0].ends_with("pod x has it"), "{judged:?}");
        assert_eq!(judge_alone(&back[0]), judge_alone(&many[0]));
        // The next pod has only the bare record, and does not take it for a whole one.
        let again = encode_into(&back, "pod y has it", 1, size(&many[0], 3) * 6).unwrap();
        assert_eq!(decode(parts(&again)).unwrap()[7], back[7]);
        assert!(!again.overflown.contains(&7));
    }

    #[test]
    fn a_record_that_is_too_large_for_any_part_is_the_only_one_without_figures() {
        let mut many = records(3);
        many[1] = large(2).remove(1);
        many[1].scenario = records(3)[1].scenario.clone();
        let limit = size(&many[0], 3) * 2;
        assert!(size(&many[1], 3) > limit);
        assert_eq!(encode_into(&many, "", 4, limit).unwrap().overflown, [1]);
    }

    #[test]
    fn what_can_never_fit_is_refused() {
        assert!(encode_into(&records(3), "", 1, 100).unwrap_err().message.contains("do not fit"));
    }

    #[test]
    fn a_damaged_part_is_an_error() {
        let mut shards = encode(&records(3), "").unwrap();
        let middle = shards.parts[0].len() / 2;
        shards.parts[0][middle] ^= 0xff;
        assert!(decode(parts(&shards)).is_err());
    }
}
