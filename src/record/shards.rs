//! Records as they fit into ConfigMaps: compressed, and split below the size a cluster stores.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use records::Record;

use super::file::parse;
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
    /// Records whose per-second samples were left out.
    pub without_samples: usize,
}

/// Splits records over at most [`SHARDS`] parts. Where they do not fit, the per-second samples of
/// the oldest records are left out first.
///
/// # Errors
/// Exit code 4: they do not fit even without samples.
pub fn encode(records: &[Record]) -> Result<Shards> {
    encode_into(records, SHARDS, SHARD_BYTES)
}

fn encode_into(records: &[Record], shards: usize, limit: usize) -> Result<Shards> {
    let whole = records.iter().map(compress).collect::<Result<Vec<_>>>()?;
    let mut without = 0;
    loop {
        let slim = records
            .iter()
            .take(without)
            .map(|record| compress(&Record { samples: Vec::new(), ..record.clone() }));
        let members = slim.chain(whole.iter().skip(without).cloned().map(Ok)).collect::<Result<Vec<_>>>()?;
        if let Some(parts) = pack(&members, shards, limit) {
            return Ok(Shards { parts, without_samples: without });
        }
        if without == records.len() {
            return Err(Error::cluster(format!(
                "{} records do not fit into {shards} ConfigMaps of {limit} bytes",
                records.len()
            ))
            .next("sweep fewer scenarios per run, or run from outside with `locust-matrix run`"));
        }
        without = (without + records.len().div_ceil(8)).min(records.len());
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
        let shards = encode(&records(30)).unwrap();
        assert_eq!(shards.parts.len(), SHARDS);
        assert_eq!(decode(parts(&shards)).unwrap(), records(30));
    }

    #[test]
    fn what_does_not_fit_one_part_goes_to_the_next() {
        let one = compress(&record(0, 1, 1, 0)).unwrap().len();
        let shards = encode_into(&records(6), 4, one * 2 + one / 2).unwrap();
        assert!(shards.parts[2].len() > 1 && shards.without_samples == 0);
        assert_eq!(decode(parts(&shards)).unwrap(), records(6));
    }

    #[test]
    fn samples_of_the_oldest_go_first() {
        let mut many = records(8);
        for record in &mut many {
            record.samples = (0..500)
                .map(|at| records::Sample { at: f64::from(at) * 1.37, ..record.samples[0] })
                .collect();
        }
        let one = compress(&many[0]).unwrap().len();
        let shards = encode_into(&many, 2, one * 3 + one / 2).unwrap();
        let back = decode(parts(&shards)).unwrap();
        assert!(shards.without_samples > 0 && shards.without_samples < 8);
        assert!(back[0].samples.is_empty());
        assert_eq!(back[7], many[7]);
    }

    #[test]
    fn what_can_never_fit_is_refused() {
        assert!(encode_into(&records(3), 1, 100).unwrap_err().message.contains("do not fit"));
    }

    #[test]
    fn a_damaged_part_is_an_error() {
        let mut shards = encode(&records(3)).unwrap();
        let middle = shards.parts[0].len() / 2;
        shards.parts[0][middle] ^= 0xff;
        assert!(decode(parts(&shards)).is_err());
    }
}
