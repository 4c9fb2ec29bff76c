//! What to change to move a version.

use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Pin {
    /// kind and its node images
    Kind,
    /// Locust: image, wheel, and the packages of the embedded cluster
    Locust,
    /// Rust, in rustup and in nixpkgs
    Rust,
    /// nixpkgs
    Nixpkgs,
    /// GitHub's actions and the images of GitLab's jobs
    Actions,
}

pub(super) fn text(pin: Pin) -> &'static str {
    match pin {
        Pin::Kind => {
            "\
1. versions.toml: add a row to [kind.node] and to [kind.node-cgroup-v1]. The release notes of kind list the
   images of a release with their digests; the second row must be older than Kubernetes 1.35.
2. If the oldest row goes, correct \"or later\" in the documents.
3. cargo xtask versions check
4. cargo xtask test --only kind
"
        }
        Pin::Locust => {
            "\
1. docker pull locustio/locust:VERSION prints the digest: versions.toml, [locust] version and image.
2. The wheel's hash: nix store prefetch-file URL-OF-THE-WHEEL prints it as sha256-...: [locust] wheel.
3. embedded/locust/: a lock file of that name, as `uv pip compile --generate-hashes` writes it; name it in
   embedded/src/kubelet/images/locust.rs. Versions that stay tested go to [locust] also-tested.
4. manifests/base/: the images of the master and of the workers.
5. cargo xtask versions check
6. cargo xtask test --only container, then --only embedded and --only kind
"
        }
        Pin::Rust => {
            "\
1. rust-toolchain.toml: the channel. Cargo.toml: rust-version, with the first two numbers.
2. flake.lock: a nixpkgs that has this rustc (see `cargo xtask versions update nixpkgs`).
3. nix/stub/versions.toml: rustc, cargo, clippy and rustfmt.
4. cargo xtask versions check
5. cargo xtask ci
"
        }
        Pin::Nixpkgs => {
            "\
1. nix flake update nixpkgs
2. nix develop --command rustc --version; if it differs, follow `cargo xtask versions update rust`.
   The shell fails if kind has no row in versions.toml: follow `cargo xtask versions update kind`.
3. nix/stub/versions.toml: the versions of the new revision.
4. nix flake check, then nix build .#locust-image, because Python packages have moved.
5. cargo xtask versions check and cargo xtask nix check
"
        }
        Pin::Actions => {
            "\
1. git ls-remote https://github.com/OWNER/ACTION 'refs/tags/VERSION^{}' prints the commit of a release.
   Read what has changed since the old one.
2. versions.toml: [actions] version and commit; [gitlab] the images of the jobs.
3. .github/ and .gitlab-ci.yml: the same; cargo xtask versions check names each line.
"
        }
    }
}
