//! The page: complete, without anything from elsewhere, and safe against names of devices.

use crate::support::Bench;
use axum::http::StatusCode;

#[tokio::test]
async fn the_page_and_its_parts_are_served_with_a_policy() {
    let bench = Bench::new().await;
    let parts = [
        ("/", "text/html; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/waiting.js", "text/javascript; charset=utf-8"),
        ("/security.js", "text/javascript; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
    ];
    for (uri, content_type) in parts {
        let answer = bench.get(uri).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}");
        assert_eq!(answer.header("content-type"), content_type);
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let text = String::from_utf8_lossy(&answer.body);
        for foreign in ["http://", "https://", "//cdn", "@import"] {
            assert!(!text.contains(foreign), "{uri} fetches {foreign}");
        }
    }
}

#[tokio::test]
async fn what_devices_send_cannot_become_markup() {
    let bench = Bench::new().await;
    for uri in ["/page.js", "/waiting.js", "/security.js"] {
        let script = bench.get(uri).await;
        let script = String::from_utf8_lossy(&script.body);
        for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!script.contains(way), "{uri}: {way}");
        }
    }
    // Nothing inline: the policy would stop it.
    let page = bench.get("/").await;
    let page = String::from_utf8_lossy(&page.body);
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" on"));
}

#[tokio::test]
async fn every_answer_has_the_headers_that_protect_it() {
    let bench = Bench::new().await;
    for uri in ["/api/clients", "/api/nothing", "/api/event"] {
        let request = axum::http::Request::get(uri).body(axum::body::Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(bench.api.clone(), request).await.unwrap();
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{uri}");
        assert_eq!(response.headers()["cache-control"], "no-store", "{uri}");
    }
}
