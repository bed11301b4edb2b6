//! The page: complete, without anything from elsewhere, and safe against names of devices.

use crate::support::Bench;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use tower::ServiceExt;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/page")
}

/// The files of the page, by their names below `src/page`, without licences and checksums.
fn files() -> Vec<String> {
    let names = |folder: &Path, prefix: &str| -> Vec<String> {
        let entries =
            std::fs::read_dir(folder).expect("a folder").map(|it| it.expect("a file").file_name());
        entries.map(|name| format!("{prefix}{}", name.to_string_lossy())).collect()
    };
    let own = names(&folder(), "");
    let all = own.into_iter().chain(names(&folder().join("vendor"), "vendor/"));
    all.filter(|name| name.ends_with(".js") || name.ends_with(".css")).collect()
}

fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).expect("a file")
}

/// The names that stand between two texts.
fn between<'a>(text: &'a str, before: &str, after: char) -> Vec<&'a str> {
    let parts = text.split(before).skip(1);
    parts.filter_map(|part| part.split_once(after)).map(|(name, _)| name).collect()
}

#[tokio::test]
async fn the_page_and_its_parts_are_served_with_a_policy() {
    let bench = Bench::new().await;
    let mut parts = vec![("/".to_owned(), "text/html; charset=utf-8")];
    for name in files() {
        let is_script = name.ends_with(".js");
        let kind =
            if is_script { "text/javascript; charset=utf-8" } else { "text/css; charset=utf-8" };
        parts.push((format!("/page/{name}"), kind));
    }
    assert!(parts.len() > 20, "{parts:?}");
    for (uri, content_type) in parts {
        let answer = bench.get(&uri).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}");
        assert_eq!(answer.header("content-type"), content_type);
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        // A browser that has it asks again, and gets no second copy.
        assert_eq!(answer.header("cache-control"), "no-cache", "{uri}");
        let again = Request::get(&uri).header("host", "localhost");
        let again = again.header("if-none-match", answer.header("etag"));
        let again = bench.api.clone().oneshot(again.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{uri}");
    }
    for none in ["/page/", "/page/index.html", "/page/vendor/LICENSE-htm", "/page/../lib.rs"] {
        assert_eq!(bench.get(none).await.status, StatusCode::NOT_FOUND, "{none}");
    }
}

#[test]
fn every_module_that_is_named_is_there() {
    let files = files();
    let index = text("index.html");
    for name in between(&index, "=\"page/", '"') {
        assert!(files.iter().any(|file| file == name), "index.html names {name}");
    }
    for file in files.iter().filter(|name| name.ends_with(".js") && !name.contains('/')) {
        for name in between(&text(file), "\"./", '"') {
            assert!(files.iter().any(|file| file == name), "{file} imports {name}");
        }
    }
}

#[test]
fn nothing_comes_from_elsewhere() {
    let own = files().into_iter().filter(|name| !name.starts_with("vendor/"));
    for name in own.chain(["index.html".to_owned()]) {
        let text = text(&name);
        for foreign in ["http://", "https://", "//cdn", "@import", "url("] {
            assert!(!text.contains(foreign), "{name} fetches {foreign}");
        }
    }
}

#[test]
fn what_devices_send_cannot_become_markup() {
    let ways =
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("];
    for name in files().into_iter().filter(|name| !name.starts_with("vendor/")) {
        let text = text(&name);
        for way in ways {
            assert!(!text.contains(way), "{name}: {way}");
        }
    }
    // Nothing inline: the policy would stop it.
    let page = text("index.html");
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" on"));
}

/// Libraries of others are as they were published; `SHA256SUMS` says so, and each has its licence.
#[test]
fn libraries_of_others_are_unchanged_and_have_their_licences() {
    let sums = text("vendor/SHA256SUMS");
    let mut named = Vec::new();
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        let bytes = std::fs::read(folder().join("vendor").join(name)).unwrap();
        let digest = Sha256::digest(&bytes);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, sum, "{name}");
        named.push(name);
    }
    for name in files().iter().filter_map(|name| name.strip_prefix("vendor/")) {
        assert!(named.contains(&name), "no checksum of {name}");
    }
    for library in ["htm", "preact", "uplot", "lean-qr"] {
        let licence = format!("LICENSE-{library}");
        assert!(named.contains(&&*licence), "no {licence}");
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_that_protect_it() {
    let bench = Bench::new().await;
    for uri in ["/api/clients", "/api/nothing", "/api/event"] {
        let request = Request::get(uri).body(Body::empty()).unwrap();
        let response = bench.api.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{uri}");
        assert_eq!(response.headers()["cache-control"], "no-store", "{uri}");
    }
}
