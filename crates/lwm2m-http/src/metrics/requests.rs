//! The requests of the HTTP API, counted by route, method and status.

use super::text::Text;
use axum::http::{Method, StatusCode};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The bounds of the durations that are told apart, as text and in milliseconds.
const BOUNDS: [(&str, u64); 8] = [
    ("0.001", 1),
    ("0.005", 5),
    ("0.025", 25),
    ("0.1", 100),
    ("0.5", 500),
    ("2.5", 2_500),
    ("10", 10_000),
    ("60", 60_000),
];

/// Counts requests. The keys are routes of the router, and methods and statuses of HTTP, so that there is a
/// bound on their number.
#[derive(Debug, Default)]
pub(crate) struct Requests(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    by_route: BTreeMap<(String, &'static str, u16), u64>,
    /// Those that took no longer than each bound, and longer than the one before; the rest is the last.
    durations: [u64; BOUNDS.len() + 1],
    took: Duration,
}

impl Requests {
    /// Counts an answer, and how long it took until its head was there.
    pub(crate) fn count(
        &self,
        route: Option<&str>,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        let key = (route.unwrap_or("none").to_owned(), name(method), status.as_u16());
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.by_route.entry(key).or_default() += 1;
        let place = BOUNDS.iter().position(|(_, bound)| took <= Duration::from_millis(*bound));
        let slot = counts.durations.get_mut(place.unwrap_or(BOUNDS.len()));
        slot.into_iter().for_each(|count| *count += 1);
        counts.took += took;
    }

    pub(super) fn write(&self, text: &mut Text) {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = "lwm2m_http_requests_total";
        text.begin(name, "counter", "Requests of the HTTP API that were answered.");
        for ((route, method, status), count) in &counts.by_route {
            let status = status.to_string();
            let labels = [("route", &**route), ("method", *method), ("status", &*status)];
            text.value(name, &labels, count);
        }
        let name = "lwm2m_http_request_duration_seconds";
        text.begin(name, "histogram", "Time until the head of an answer was there.");
        let bucket = format!("{name}_bucket");
        let mut sum = 0;
        let bounds = BOUNDS.iter().map(|(bound, _)| *bound).chain(["+Inf"]);
        for (bound, count) in bounds.zip(&counts.durations) {
            sum += count;
            text.value(&bucket, &[("le", bound)], sum);
        }
        text.value(&format!("{name}_sum"), &[], counts.took.as_secs_f64());
        text.value(&format!("{name}_count"), &[], sum);
    }
}

/// The method; a client can make up others.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_make_up_makes_no_metrics() {
        let requests = Requests::default();
        for number in 0..100 {
            let method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
            requests.count(None, &method, StatusCode::NOT_FOUND, Duration::from_millis(number));
        }
        let mut text = Text::default();
        requests.write(&mut text);
        let text = String::from(text);
        let expected =
            "lwm2m_http_requests_total{route=\"none\",method=\"other\",status=\"404\"} 100";
        assert_eq!(text.matches("lwm2m_http_requests_total{").count(), 1, "{text}");
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("_bucket{le=\"0.001\"} 2\n"), "{text}");
        assert!(text.contains("_bucket{le=\"+Inf\"} 100\n"), "{text}");
    }
}
