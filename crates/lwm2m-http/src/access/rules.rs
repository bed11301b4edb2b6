//! What each route needs.

use super::grant::Scope;
use axum::http::Method;

/// What somebody must have to use a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Need {
    /// Nothing: it is how one logs in.
    Nothing,
    /// A scope; who is confined to a prefix gets what lies within it.
    Scope(Scope),
    /// All rights, over all devices.
    Everything,
}

/// What a request needs. A route that no rule knows needs a look at most where it only reads, and all
/// rights otherwise, so that nothing is open because somebody forgot it here.
pub(super) fn need(method: &Method, route: Option<&str>) -> Need {
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let Some(route) = route.and_then(|route| route.strip_prefix("/api/")) else {
        return if reads { Need::Scope(Scope::Viewer) } else { Need::Everything };
    };
    let first = route.split('/').next().unwrap_or_default();
    match first {
        "session" => Need::Nothing,
        "tokens" | "users" | "audit" => Need::Everything,
        "security" if !reads => Need::Scope(Scope::Admin),
        _ if reads => Need::Scope(Scope::Viewer),
        "clients" | "commands" => Need::Scope(Scope::Operator),
        _ => Need::Everything,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_more_needs_more() {
        use Need::{Everything, Nothing};
        use Scope::{Admin, Operator, Viewer};
        let table = [
            (Method::GET, "/api/clients/{ep}/{*path}", Need::Scope(Viewer)),
            (Method::POST, "/api/clients/{ep}/{*path}", Need::Scope(Operator)),
            (Method::DELETE, "/api/commands/{id}", Need::Scope(Operator)),
            (Method::GET, "/api/event", Need::Scope(Viewer)),
            (Method::GET, "/event", Need::Scope(Viewer)),
            (Method::GET, "/api/security/clients", Need::Scope(Viewer)),
            (Method::PUT, "/api/security/clients", Need::Scope(Admin)),
            (Method::POST, "/api/tokens", Everything),
            (Method::GET, "/api/users", Everything),
            (Method::GET, "/api/audit", Everything),
            (Method::POST, "/api/session", Nothing),
            (Method::PUT, "/api/forgotten", Everything),
            (Method::POST, "/event", Everything),
        ];
        for (method, route, expected) in table {
            assert_eq!(need(&method, Some(route)), expected, "{method} {route}");
        }
        assert_eq!(need(&Method::DELETE, None), Everything);
    }
}
