//! Checks that there is a Python on which Locust can be installed.

use std::time::Duration;

use crate::failure::Failure;
use crate::run::Session;
use crate::run::command::Cmd;

/// The oldest version on which Locust runs.
const OLDEST: (u32, u32) = (3, 11);

/// A quick check; the cluster itself checks more, but only after it is compiled.
pub(super) async fn check(session: &Session) -> Result<(), Failure> {
    let mut seen = "python3: not found".to_owned();
    for program in ["python3", "python3.14", "python3.13", "python3.12", "python3.11"] {
        let asked = Cmd::new(program).arg("--version").deadline(Duration::from_secs(10)).run(session).await;
        match asked {
            Ok(done) if parse(&done.stdout).is_some_and(|version| version >= OLDEST) => return Ok(()),
            Ok(done) if program == "python3" => seen = format!("python3 is {}", done.stdout.trim()),
            Err(failure) if failure.is_interruption() => return Err(failure),
            Ok(_) | Err(_) => {}
        }
    }
    let (major, minor) = OLDEST;
    Err(Failure::preflight(
        format!("{seen}, and Locust needs Python {major}.{minor} or newer"),
        format!("install one, for example: apt install python{major}.{minor} python{major}.{minor}-venv"),
    ))
}

/// `Python 3.11.7`.
fn parse(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix("Python ")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_versions_are_compared_as_numbers() {
        assert_eq!(parse("Python 3.11.7\n"), Some((3, 11)));
        assert!(parse("Python 3.9.1") < Some(OLDEST) && parse("Python 3.14.0rc1") > Some(OLDEST));
        assert_eq!(parse("nonsense"), None);
    }
}
