//! Memory use with a thousand watches that nobody reads.

use std::time::Instant;

use embedded::cluster::raise_file_limit;
use embedded::kinds;
use embedded::store::Key;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::support::{CONFIG_MAPS, Cluster, DEADLINE, config_map};

const WATCHES: usize = 1_000;

/// Resident memory of this process in bytes.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watches_that_nobody_reads_need_limited_memory() {
    // Both ends of all connections are in this process.
    raise_file_limit();
    let cluster = Cluster::start().await;
    let mut object = config_map("busy");
    object["metadata"]["namespace"] = json!("default");
    let key = Key::of(&kinds::CONFIG_MAPS, &object);
    cluster.store.create(key.kind, object).unwrap();
    let before = memory();
    let request = format!(
        "GET {CONFIG_MAPS}?watch=true HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        cluster.tokens.admin()
    );
    let mut open = Vec::new();
    for i in 0..WATCHES {
        let mut stream = cluster.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        // Half of the clients close their sending side, but stay connected.
        if i % 2 == 0 {
            stream.get_mut().0.shutdown().await.unwrap();
        }
        open.push(stream);
    }
    let opened = memory();
    // 1,000 changes of 20 KiB are 20 MB. If the server kept them for each watch, it would need 20 GB.
    let noise = "x".repeat(20 * 1024);
    let burst = async |from: usize| {
        for i in from..from + 1_000 {
            let change = |now: &mut serde_json::Value| {
                now["data"]["a"] = json!(format!("{i} {noise}"));
                Ok(())
            };
            cluster.store.update(&key, change).unwrap();
            if i % 100 == 0 {
                tokio::task::yield_now().await;
            }
        }
        // The server still answers other clients.
        let asked = Instant::now();
        assert_eq!(cluster.get(CONFIG_MAPS).await.0, 200);
        assert!(asked.elapsed() < DEADLINE);
        memory()
    };
    let first = burst(0).await;
    let second = burst(1_000).await;
    let third = burst(2_000).await;
    let mib = |bytes: u64| bytes / 1024 / 1024;
    let all = [before, opened, first, second, third].map(mib);
    println!("memory in MiB: before, {WATCHES} open, after each 1,000 changes: {all:?}");
    // This memory includes both ends of the connections.
    assert!(mib(opened - before) < 200, "{all:?}");
    // The store keeps up to 1,024 changes of 20 KiB, copies of them are being sent, and there are buffers.
    assert!(mib(first.saturating_sub(opened)) < 300, "{all:?}");
    assert!(mib(third.saturating_sub(first)) < 50, "{all:?}");
}
