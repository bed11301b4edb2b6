//! What each route needs.

use super::audit::Kind;
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

/// What a request needs. A route that is not named here needs all rights, so that nothing is open
/// because somebody forgot it; where there is no route, there is nothing to protect.
pub(super) fn need(method: &Method, route: Option<&str>, orders: bool) -> Need {
    let Some(route) = route else { return Need::Scope(Scope::Viewer) };
    let reads = matches!(*method, Method::GET | Method::HEAD) && !orders;
    let path = route.strip_prefix("/api/").or_else(|| route.strip_prefix('/')).unwrap_or(route);
    match path.split('/').next().unwrap_or_default() {
        "session" => Need::Nothing,
        // It has keys.
        "clients" if path.ends_with("/capture.pcapng") => Need::Scope(Scope::Admin),
        "clients" | "commands" | "bulk" if reads => Need::Scope(Scope::Viewer),
        "clients" | "commands" | "bulk" => Need::Scope(Scope::Operator),
        "models" | "openapi.json" | "objectspecs" | "rejected" | "event" | "events" | "server"
            if reads =>
        {
            Need::Scope(Scope::Viewer)
        }
        // It counts all devices, so that its handler refuses who is confined to a prefix.
        "metrics" if reads => Need::Scope(Scope::Viewer),
        "security" if reads => Need::Scope(Scope::Viewer),
        // What devices are told has their keys in it.
        "security" | "bootstrap" | "devices" => Need::Scope(Scope::Admin),
        _ => Need::Everything,
    }
}

/// What the audit log says a route is about.
pub(super) fn kind(route: Option<&str>) -> Kind {
    let path = route.and_then(|route| route.strip_prefix("/api/")).unwrap_or_default();
    match path.split('/').next() {
        Some("clients" | "commands" | "bulk") => Kind::Operation,
        _ => Kind::Administration,
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
            (Method::GET, "/api/clients/{ep}/messages", Need::Scope(Viewer)),
            (Method::GET, "/api/clients/{ep}/capture.pcapng", Need::Scope(Admin)),
            (Method::GET, "/api/event", Need::Scope(Viewer)),
            (Method::GET, "/event", Need::Scope(Viewer)),
            (Method::GET, "/api/security/clients", Need::Scope(Viewer)),
            (Method::PUT, "/api/security/clients", Need::Scope(Admin)),
            (Method::GET, "/api/models/{id}", Need::Scope(Viewer)),
            (Method::GET, "/api/bootstrap/{ep}", Need::Scope(Admin)),
            (Method::POST, "/api/devices", Need::Scope(Admin)),
            (Method::PUT, "/api/models", Everything),
            (Method::POST, "/api/tokens", Everything),
            (Method::GET, "/api/users", Everything),
            (Method::GET, "/api/audit", Everything),
            (Method::POST, "/api/session", Nothing),
            (Method::PUT, "/api/forgotten", Everything),
            (Method::GET, "/api/forgotten", Everything),
            (Method::POST, "/event", Everything),
        ];
        for (method, route, expected) in table {
            assert_eq!(need(&method, Some(route), false), expected, "{method} {route}");
        }
        // A read that is left to the server is a command.
        let read = "/api/clients/{ep}/{*path}";
        assert_eq!(need(&Method::GET, Some(read), true), Need::Scope(Operator));
    }
}
