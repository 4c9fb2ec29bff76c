//! What the program needs of its environment: nothing.

use std::path::Path;

use super::driver;

#[test]
fn nothing_of_the_environment_is_needed_to_plan() {
    let output = driver().env_clear().args(["plan", "--preset", "quick"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let without = driver().env_clear().args(["cleanup", "--dry-run"]).output().unwrap();
    let text = String::from_utf8(without.stderr).unwrap();
    assert_eq!(without.status.code(), Some(3), "{text}");
    assert!(
        text.contains("no usable cluster: ") && text.contains("next: ") && !text.contains('\u{1b}'),
        "{text}"
    );
}

/// As in a bare CI job: no variable and thus no home, no standard input, and a folder whose name is no plain word.
#[cfg(unix)]
#[test]
fn nothing_of_the_environment_is_needed_to_plan_and_to_report_into_a_folder_with_any_name() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("Ünï & $(x)");
    std::fs::create_dir(&folder).unwrap();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/results-v2.jsonl");
    std::fs::copy(data, folder.join("results.jsonl")).unwrap();
    let binary = driver().get_program().to_owned();
    let bare = |arguments: &[&std::ffi::OsStr]| {
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", "exec \"$0\" \"$@\" <&-"]).arg(&binary).args(arguments);
        let output = command.env_clear().current_dir(place.path()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        assert!(!out.contains('\u{1b}') && !err.contains('\u{1b}'), "{out}{err}");
        (output.status.code().unwrap(), out, err)
    };
    let (code, out, err) = bare(&["plan".as_ref(), "--preset".as_ref(), "quick".as_ref()]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("4 scenarios"), "{out}");
    // Scenarios without figures are among the records.
    let (code, out, err) = bare(&["report".as_ref(), folder.as_os_str()]);
    assert_eq!((code, err.as_str()), (5, ""));
    let written: Vec<_> = out.lines().map(Path::new).collect();
    assert!(written.iter().any(|path| path.ends_with("report.html")), "{out}");
    assert!(written.iter().all(|path| path.parent() == Some(&folder) && path.is_file()), "{out}");
    let names: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names, [folder], "nothing is written beside it");
}
