//! The page in a browser: nothing is reported on its console, it has no serious barrier, and it is the same where a
//! viewer blocks scripts and style sheets. It needs Chromium and npm; without them the tests say so and pass.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// The header with which Jenkins shows files of a build.
const POLICY: &str = "sandbox; default-src 'none'; img-src 'self'; style-src 'self'";

/// Puts the result of axe-core into the page, where `--dump-dom` finds it. The hidden parts of the page are opened first.
const CHECK: &str = "document.querySelectorAll('details').forEach(one => one.open = true);\
    axe.run({resultTypes: ['violations']}).then(found => {\
        const serious = found.violations.filter(one => ['serious', 'critical'].includes(one.impact));\
        const told = serious.map(one => one.id + ': ' + one.nodes.map(node => node.target.join(' ')).slice(0, 3).join('; '));\
        document.body.textContent = 'axe checked ' + found.passes.length + ' rules: ' + (told.join(' | ') || 'nothing serious');\
    }).catch(error => document.body.textContent = 'axe failed: ' + error);";

#[test]
fn a_browser_reports_nothing_and_finds_no_serious_barrier() {
    let Some(chromium) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = super::html(&super::full(true));
    let file = folder.path().join("report.html");
    std::fs::write(&file, &page).unwrap();
    let shown = dump(&chromium, folder.path(), &address(&file));
    assert!(!shown.errors.contains("CONSOLE"), "{}", shown.errors);
    assert_eq!(shown.page.matches("<article ").count(), 24);

    let Some(axe) = axe() else { return };
    let axe = std::fs::read_to_string(axe).unwrap();
    let page = super::html(&super::small());
    for scheme in ["light", "dark"] {
        // The page of a dark browser, whatever the browser's own setting is.
        let style = page.replace(
            "prefers-color-scheme:dark",
            if scheme == "dark" { "min-width:0" } else { "max-width:0" },
        );
        let checked =
            style.replace("</body>", &format!("<script>{axe}</script><script>{CHECK}</script></body>"));
        std::fs::write(&file, checked).unwrap();
        let found = dump(&chromium, folder.path(), &address(&file)).page;
        let said = found.split("<body>").nth(1).unwrap_or(&found).trim_end();
        assert!(
            said.contains("axe checked") && said.contains("nothing serious"),
            "{scheme}: {}",
            &said[..said.len().min(2000)]
        );
    }
}

#[test]
fn a_viewer_that_blocks_scripts_and_style_sheets_shows_the_same() {
    let Some(chromium) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = super::html(&super::full(true));
    let file = folder.path().join("report.html");
    std::fs::write(&file, &page).unwrap();
    let plain = dump(&chromium, folder.path(), &address(&file)).page;
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || serve(&server, &page));
    let blocked = dump(&chromium, folder.path(), &format!("http://127.0.0.1:{port}/report.html"));
    assert_eq!(blocked.page, plain);
    // The style sheet is all that the policy refuses.
    let refused = |line: &&str| line.contains("CONSOLE") && !line.contains("inline style");
    assert_eq!(blocked.errors.lines().filter(refused).collect::<Vec<_>>(), [""; 0]);
    assert!(blocked.errors.contains("inline style"), "the policy was not in force: {}", blocked.errors);
}

/// Shows the page in a frame of `WIDTH` pixels and opens its hidden parts. Writes the names of all elements that are wider
/// than the frame into the document. The selector `MAY` excludes elements inside of a part that has its own scroll bar.
const LAYOUT: &str = "const frame = document.createElement('iframe');\
    frame.style = 'border:0;height:900px;width:' + WIDTH + 'px';\
    frame.onload = () => {\
        const root = frame.contentDocument.documentElement;\
        root.querySelectorAll('details').forEach(one => one.open = true);\
        const all = [...root.querySelectorAll('body *')].filter(one => !one.closest(MAY));\
        const wide = all.filter(one => one.getBoundingClientRect().right > root.clientWidth + 1);\
        const told = wide.slice(0, 5).map(one => one.tagName + '.' + one.className + ': ' + one.textContent.slice(0, 60));\
        const page = root.scrollWidth > root.clientWidth ? 'the page scrolls sideways; ' : '';\
        document.body.textContent = all.length + ' elements in ' + root.clientWidth + ' px: ' + page\
            + (told.join(' | ') || 'none is wider');\
    };\
    frame.srcdoc = PAGE;\
    document.body.append(frame);";

/// CSS pixels between the margins of a sheet of A4, as Chromium prints it.
const A4: u32 = 718;

#[test]
fn nothing_is_cut_off_on_a_phone_a_desktop_or_paper() {
    let Some(chromium) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("frame.html");
    let page = super::html(&super::small());
    let printed = page.replace("@media print", "@media all");
    assert_ne!(printed, page);
    let scrolls = ".scroll *, figure *";
    for (page, width, may) in [(&page, 390, scrolls), (&page, 1280, scrolls), (&printed, A4, "svg *")] {
        // A script of a page may not hold the end of a script.
        let text = serde_json::to_string(page).unwrap().replace("</", "<\\/");
        let script = LAYOUT
            .replace("WIDTH", &width.to_string())
            .replace("MAY", &format!("'{may}'"))
            .replace("PAGE", &text);
        std::fs::write(
            &file,
            format!("<!doctype html><meta charset=utf-8><body></body><script>{script}</script>"),
        )
        .unwrap();
        let found = dump(&chromium, folder.path(), &address(&file)).page;
        let said = found.split("<body>").nth(1).unwrap_or(&found).trim_end();
        let said = said.get(..said.len().min(1000)).unwrap_or(said);
        assert!(said.contains(" elements in ") && said.contains("none is wider"), "{width} px: {said}");
        assert!(!said.contains("sideways"), "{width} px: {said}");
    }
}

/// Answers every request with the page and the policy, until the test ends. A browser also opens connections that it
/// does not use, so that each has a thread of its own.
fn serve(server: &TcpListener, page: &str) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Content-Security-Policy: {POLICY}\r\nConnection: close\r\n\r\n",
        page.len()
    );
    let answer: Arc<str> = (head + page).into();
    for connection in server.incoming() {
        let Ok(mut connection) = connection else { return };
        let answer = answer.clone();
        std::thread::spawn(move || {
            if connection.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                let _ = connection.write_all(answer.as_bytes());
            }
        });
    }
}

struct Shown {
    page: String,
    errors: String,
}

fn dump(chromium: &Path, folder: &Path, address: &str) -> Shown {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let done = Command::new(chromium)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
        ])
        .args(["--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom", &profile, address])
        .env("HOME", folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (page, errors) = (text(done.stdout), text(done.stderr));
    assert!(page.contains("<body>"), "{} shows nothing: {errors}", chromium.display());
    Shown { page, errors }
}

fn address(file: &Path) -> String {
    format!("file://{}", file.display())
}

/// The browser: `$CHROMIUM`, or the first of the usual names on the path.
fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let found =
        named.or_else(|| ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(on_path));
    if found.is_none() {
        skip("there is no Chromium: install it (apt-get install chromium), or name it with CHROMIUM");
    }
    found
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// axe-core, whose version and hash are in `axe/package-lock.json`. npm installs it once.
fn axe() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("axe");
    let file = folder.join("node_modules/axe-core/axe.min.js");
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report/axe/package-lock.json");
    let is_current = || std::fs::read(folder.join("package-lock.json")).ok() == std::fs::read(&lock).ok();
    if !(file.is_file() && is_current()) {
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["package.json", "package-lock.json"] {
            std::fs::copy(lock.with_file_name(name), folder.join(name)).unwrap();
        }
        let npm = Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&folder)
            .stdin(Stdio::null())
            .output();
        match npm {
            Ok(done) if done.status.success() => {}
            Ok(done) => {
                skip(&format!(
                    "npm ci cannot install axe-core: {}",
                    String::from_utf8_lossy(&done.stderr).trim()
                ));
                return None;
            }
            Err(error) => {
                skip(&format!("npm cannot be run, so that barriers are not looked for: {error}"));
                return None;
            }
        }
    }
    Some(file)
}

/// Says what is not tested, also while the output of tests that pass is hidden.
fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
