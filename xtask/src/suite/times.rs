//! The times of tests, read from the output of `cargo test`.

/// How many of the slowest tests the summary lists.
const SLOWEST: usize = 10;

/// How long something took.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Time {
    pub(super) name: String,
    pub(super) seconds: f64,
}

/// Returns the times of the tests that print `took NAME: 12.3 s`, and of test binaries.
pub(super) fn read(output: &str) -> Vec<Time> {
    let mut times = Vec::new();
    let mut binary = None;
    for line in output.lines() {
        let line = line.trim();
        if let Some(running) = line.strip_prefix("Running ") {
            binary = binary_name(running);
        } else if let Some((_, seconds)) = line.split_once("; finished in ") {
            let seconds = seconds.strip_suffix('s').and_then(|seconds| seconds.parse().ok());
            times.extend(binary.take().zip(seconds).map(|(name, seconds)| Time { name, seconds }));
        } else if let Some((_, took)) = line.split_once("took ") {
            times.extend(took_line(took));
        }
    }
    times
}

/// `unittests src/lib.rs (target/debug/deps/embedded-286d1d94)` is `embedded: unittests src/lib.rs`.
fn binary_name(running: &str) -> Option<String> {
    let (source, path) = running.split_once(" (")?;
    let file = path.trim_end_matches(')').rsplit('/').next()?;
    let name = file.rsplit_once('-').map_or(file, |(name, _)| name);
    Some(format!("{name}: {source}"))
}

/// `stage killed: 45.2 s`
fn took_line(took: &str) -> Option<Time> {
    let (name, seconds) = took.rsplit_once(": ")?;
    let seconds = seconds.strip_suffix(" s")?.parse().ok()?;
    Some(Time { name: name.to_owned(), seconds })
}

/// Returns the slowest ones, slowest first.
pub(super) fn slowest(mut times: Vec<Time>) -> Vec<Time> {
    times.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    times.truncate(SLOWEST);
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
     Running unittests src/lib.rs (target/debug/deps/embedded-286d1d942611c33c)

running 82 tests
test result: ok. 82 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.30s

     Running tests/cluster/main.rs (target/debug/deps/cluster-fbdea5fc8bf97c8d)
test result: ok. 33 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 26.97s
test all_stages ... took stage killed: 45.2 s
[faults] it took long
took open::on_2_47_0::a_stall: 40.0 s
";

    fn time(name: &str, seconds: f64) -> Time {
        Time { name: name.to_owned(), seconds }
    }

    #[test]
    fn times_of_binaries_stages_and_tests_are_read() {
        let expected = [
            time("embedded: unittests src/lib.rs", 0.3),
            time("cluster: tests/cluster/main.rs", 26.97),
            time("stage killed", 45.2),
            time("open::on_2_47_0::a_stall", 40.0),
        ];
        assert_eq!(read(OUTPUT), expected);
    }

    #[test]
    fn the_slowest_ten_are_listed_in_order() {
        let times = (0..12).map(|at| time("test", f64::from(at))).collect();
        let seconds: Vec<f64> = slowest(times).iter().map(|time| time.seconds).collect();
        assert_eq!(seconds, [11.0, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0]);
    }
}
