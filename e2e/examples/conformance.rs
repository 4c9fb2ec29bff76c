//! Runs the conformance checks against any cluster that has the images:
//! `cargo run -p e2e --example conformance KUBECONFIG STUB_IMAGE DRIVER_IMAGE`

use std::path::Path;

use e2e::conformance::{Images, check};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kubeconfig, stub, driver] = arguments.as_slice() else {
        eprintln!("usage: conformance KUBECONFIG STUB_IMAGE DRIVER_IMAGE");
        std::process::exit(2);
    };
    let images = Images { stub: stub.clone(), driver: driver.clone() };
    let runtime = tokio::runtime::Runtime::new();
    match runtime {
        Ok(runtime) => runtime.block_on(check(Path::new(kubeconfig), &images)),
        Err(error) => eprintln!("no runtime: {error}"),
    }
}
