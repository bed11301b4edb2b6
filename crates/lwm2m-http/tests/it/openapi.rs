//! The description of the API, and the page to try it.

use crate::support::Bench;
use axum::http::StatusCode;

#[tokio::test]
async fn the_page_to_try_the_api_needs_nothing_from_elsewhere() {
    let bench = Bench::new().await;
    for (uri, content_type) in [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/docs.js", "text/javascript; charset=utf-8"),
        ("/docs/docs.css", "text/css; charset=utf-8"),
    ] {
        let answer = bench.get(uri).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}");
        assert_eq!(answer.header("content-type"), content_type);
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let text = String::from_utf8_lossy(&answer.body);
        for foreign in ["http:", "https:", "innerHTML", "style=", "onclick"] {
            assert!(!text.contains(foreign), "{uri}: {foreign}");
        }
    }
    let document = bench.get("/api/openapi.json").await;
    assert_eq!(document.header("content-type"), "application/json");
    assert_eq!(document.json()["openapi"], "3.1.0");
}
