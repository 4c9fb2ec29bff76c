//! Images and locustfiles that a user puts into the manifests.

use locust_matrix::deploy::{Image, Overlay, Scripts, objects};
use proptest::prelude::*;

use crate::damage::damaged;
use crate::runner::fuzz;

fn corpus() -> Vec<String> {
    [
        "locust-driver=registry:5000/team/locust-driver:1.0",
        "fake-inference=fake-inference@sha256:0f",
        "locustio/locust=locustio/locust:2.46.6",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[test]
fn fuzz_any_image_and_locustfile_gives_the_same_objects_otherwise() {
    let plain = objects(Overlay::Kind, &[], None).unwrap();
    let names = |all: &[serde_json::Value]| -> Vec<String> {
        all.iter().map(|one| format!("{}/{}", one["kind"], one["metadata"]["name"])).collect()
    };
    let strategy = (damaged(corpus(), 3), prop::option::of(".{0,200}"));
    fuzz(150, &strategy, |(text, locustfile)| match text.parse::<Image>() {
        Ok(image) => {
            let changed =
                objects(Overlay::Kind, &[image], locustfile.as_deref().map(Scripts::of_text).as_ref())
                    .unwrap();
            assert_eq!(names(&changed), names(&plain), "{text:?}");
            if let Some(locustfile) = locustfile {
                let stored = changed.iter().any(|one| one["data"]["locustfile.py"] == *locustfile);
                assert!(stored, "{locustfile:?}");
            }
        }
        Err(message) => assert!(message.contains("NAME=IMAGE:TAG"), "{message}"),
    });
}
