use super::*;
use crate::deploy::{Overlay, objects};
use crate::exit::ExitCode;

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

fn scripts_and_items(given: &Path) -> (Value, Vec<Value>) {
    let scripts = Scripts::read(given).unwrap();
    let objects = objects(Overlay::Base, &[], Some(&scripts)).unwrap();
    let map = objects
        .iter()
        .find(|object| object["kind"] == "ConfigMap" && object["data"]["locust_matrix.py"] != Value::Null);
    let deployments = objects.iter().filter(|object| object["kind"] == "Deployment");
    let volumes = deployments.map(|one| {
        let volumes = one["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
        volumes.iter().find(|volume| volume["name"] == "scripts").unwrap()["configMap"]["items"].clone()
    });
    (map.unwrap().clone(), volumes.collect())
}

#[test]
fn a_folder_is_shipped_with_its_modules_and_data_at_their_paths() {
    let given = folder(&[
        ("locustfile.py", b"from shared.bodies import body"),
        ("shared/__init__.py", b""),
        ("shared/bodies.py", b"def body(): pass"),
        ("data/image.png", b"\x89PNG\xff\x00"),
        ("07 prompts | \"quoted\"\n.jsonl", b"{}"),
        (".git/config", b"secret"),
        ("__pycache__/x.pyc", b"\x00"),
        ("locust_matrix.py", b"an old copy"),
    ]);
    let (map, items) = scripts_and_items(given.path());
    assert_eq!(items.len(), 2, "the master and the workers");
    for items in items {
        let path_of = |path: &str| items.as_array().unwrap().iter().find(|item| item["path"] == path);
        let key =
            |path: &str| path_of(path).unwrap_or_else(|| panic!("{path}: {items}"))["key"].as_str().unwrap();
        assert_eq!(map["data"][key("shared/bodies.py")], "def body(): pass");
        assert_eq!(map["data"][key("shared/__init__.py")], "");
        assert_eq!(map["data"][key("07 prompts | \"quoted\"\n.jsonl")], "{}");
        assert_eq!(map["binaryData"][key("data/image.png")], "iVBOR/8A");
        assert_eq!(map["data"][key("locustfile.py")], "from shared.bodies import body");
        assert_ne!(map["data"][key("locust_matrix.py")], "an old copy", "the module of this version");
        assert!(path_of(".git/config").is_none() && path_of("__pycache__/x.pyc").is_none());
        let valid = |key: &str| key.chars().all(|one| one.is_ascii_alphanumeric() || "-_.".contains(one));
        assert!(map["data"].as_object().unwrap().keys().all(|key| valid(key)), "{map}");
    }
}

#[test]
fn a_single_file_keeps_the_volume_as_it_is_whatever_its_name() {
    let given = folder(&[("07 load's | test.py", b"pass\n")]);
    let (map, items) = scripts_and_items(&given.path().join("07 load's | test.py"));
    assert_eq!((map["data"]["locustfile.py"].as_str(), items), (Some("pass\n"), vec![Value::Null; 2]));
    // Python takes a source file of another encoding that it declares.
    let given = folder(&[("latin.py", b"# coding: latin-1\n# \xe9\n")]);
    let (map, items) = scripts_and_items(&given.path().join("latin.py"));
    assert_eq!((map["data"].get("locustfile.py"), items), (None, vec![Value::Null; 2]));
    assert_eq!(map["binaryData"]["locustfile.py"], "IyBjb2Rpbmc6IGxhdGluLTEKIyDpCg==");
}

#[test]
fn names_that_differ_only_in_what_a_key_cannot_have_stay_apart() {
    let given = folder(&[("locustfile.py", b""), ("a/b.txt", b"1"), ("a_b.txt", b"2"), ("a b.txt", b"3")]);
    let (map, items) = scripts_and_items(given.path());
    let content = |path: &str| {
        let item = items[0].as_array().unwrap().iter().find(|item| item["path"] == path).unwrap();
        map["data"][item["key"].as_str().unwrap()].clone()
    };
    assert_eq!(["a/b.txt", "a_b.txt", "a b.txt"].map(content), ["1", "2", "3"]);
}

#[test]
fn what_is_larger_than_a_config_map_is_refused_with_its_size() {
    let refusal = |given: &Path| {
        let error =
            Scripts::read(given).and_then(|scripts| objects(Overlay::Base, &[], Some(&scripts)).map(drop));
        let error = error.unwrap_err();
        assert_eq!(error.code, ExitCode::Usage);
        assert!(error.message.contains("1048576") && error.next.is_some(), "{error}");
        error.message
    };
    // Below the limit alone, but not with the modules beside it.
    let edge = folder(&[("edge.py", &vec![b'#'; 1_030_000])]);
    assert!(refusal(&edge.path().join("edge.py")).contains("it has 1030000 bytes; with the scripts"));
    // As base64, 800 kB are over 1 MB.
    let binary = folder(&[("locustfile.py", b"pass"), ("model.bin", &vec![0xff; 800_000])]);
    assert!(refusal(binary.path()).contains("of which model.bin has 800000"));
    let huge = folder(&[("locustfile.py", b"pass"), ("recording.har", &vec![b'a'; 2_000_000])]);
    assert!(refusal(huge.path()).contains("recording.har alone has 2000000 bytes"));
    let fits = folder(&[("fits.py", &vec![b'#'; 900_000])]);
    let scripts = Scripts::read(&fits.path().join("fits.py")).unwrap();
    assert!(objects(Overlay::Base, &[], Some(&scripts)).is_ok());
}

#[test]
fn what_cannot_be_shipped_is_refused_by_its_name() {
    use std::os::unix::ffi::OsStrExt;
    let empty = folder(&[("load.py", b"pass")]);
    let error = Scripts::read(empty.path()).unwrap_err();
    assert!(error.code == ExitCode::Usage && error.message.contains("no locustfile.py"), "{error}");
    let error = Scripts::read(&empty.path().join("missing.py")).unwrap_err();
    assert!(error.code == ExitCode::Usage && error.message.contains("missing.py"), "{error}");
    let odd = folder(&[("locustfile.py", b"pass")]);
    std::fs::write(odd.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9.txt")), "x").unwrap();
    let error = Scripts::read(odd.path()).unwrap_err();
    assert!(error.code == ExitCode::Usage && error.message.contains("not UTF-8"), "{error}");
    let looped = folder(&[("locustfile.py", b"pass")]);
    std::os::unix::fs::symlink(looped.path(), looped.path().join("again")).unwrap();
    assert!(Scripts::read(looped.path()).unwrap_err().message.contains("again: it links to a folder"));
}

#[test]
fn what_a_single_file_needs_beside_it_is_named() {
    let team = folder(&[
        ("locustfile.py", b"import json, helpers\nfrom shared.bodies import body\nopen('prompts.jsonl')\nHERE / \"recorded\"\nimport locust_matrix\n"),
        ("shared/bodies.py", b""),
        ("helpers.py", b""),
        ("prompts.jsonl", b""),
        ("locust_matrix.py", b""),
        ("notes.md", b""),
        ("recorded/a.json", b""),
        ("body/b.json", b""),
        ("json/readme.txt", b""),
    ]);
    let note = Scripts::read(&team.path().join("locustfile.py")).unwrap().note().unwrap();
    assert!(note.contains("uses helpers.py, json, prompts.jsonl, recorded, shared, which"), "{note}");
    assert!(note.contains(&format!("--locustfile {}", team.path().display())), "{note}");
    assert_eq!(Scripts::read(team.path()).unwrap().note(), None, "the folder is shipped");
}

#[test]
fn every_file_is_in_the_checksum_of_the_scripts() {
    let checksum = |data: &[u8]| {
        let given = folder(&[("locustfile.py", b"pass"), ("data/x.bin", data)]);
        let scripts = Scripts::read(given.path()).unwrap();
        let objects = objects(Overlay::Base, &[], Some(&scripts)).unwrap();
        let master = objects
            .iter()
            .find(|object| object["metadata"]["name"] == "locust-master" && object["kind"] == "Deployment");
        master.unwrap()["spec"]["template"]["metadata"]["annotations"].clone()
    };
    assert_ne!(checksum(b"\xff1"), checksum(b"\xff2"));
    assert_eq!(checksum(b"\xff1"), checksum(b"\xff1"));
}
