//! The Python interpreter that Locust runs on.

use super::command;

/// The oldest Python version that Locust supports.
const OLDEST: (u32, u32) = (3, 11);

/// A Python interpreter.
#[derive(Debug)]
pub(crate) struct Python {
    pub(crate) path: String,
    /// Major and minor version.
    pub(crate) version: (u32, u32),
}

impl Python {
    /// The first interpreter on `PATH` that is new enough.
    pub(crate) async fn find() -> Result<Self, String> {
        let path = std::env::var("PATH").unwrap_or_default();
        let names = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];
        let mut too_old = Vec::new();
        for program in names.iter().filter_map(|name| command::find(name, &path)) {
            let question = "import sys; print(*sys.version_info[:2], sys.executable)";
            let Ok(answer) = command::run(&program, &["-c", question]).await else { continue };
            let Some((version, path)) = parse(&answer) else { continue };
            if version >= OLDEST {
                return Ok(Self { path, version });
            }
            too_old.push(format!("{} is {}.{}", program.display(), version.0, version.1));
        }
        let found =
            if too_old.is_empty() { "there is no python3 on PATH".to_owned() } else { too_old.join(", ") };
        Err(format!("Locust needs Python {}.{} or newer, and {found}; install one", OLDEST.0, OLDEST.1))
    }
}

fn parse(answer: &str) -> Option<((u32, u32), String)> {
    let mut parts = answer.trim().splitn(3, ' ');
    let version = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((version, parts.next()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_and_the_path_are_parsed() {
        assert_eq!(parse("3 11 /usr/bin/my python3\n"), Some(((3, 11), "/usr/bin/my python3".into())));
        assert_eq!(parse("Python 2.7"), None);
    }
}
