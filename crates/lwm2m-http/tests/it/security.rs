//! Credentials over the API.

use crate::support::{Bench, LOOPBACK, public_key};
use axum::http::StatusCode;
use lwm2m_http::{ApiConfig, CredentialsFile};
use lwm2m_net::Sockets;
use serde_json::{Value as Json, json};
use std::path::PathBuf;

const CLIENTS: &str = "/api/security/clients";

fn psk(endpoint: &str, identity: &str) -> Json {
    let details = json!({"identity": identity, "key": "00ff"});
    json!({"endpoint": endpoint, "tls": {"mode": "psk", "details": details}})
}

#[tokio::test]
async fn credentials_are_set_listed_and_removed() {
    let bench = Bench::with_own_keys().await;
    assert_eq!(bench.get(CLIENTS).await.json(), json!([]));
    let certified = json!({"endpoint": "urn:a/b", "tls": {"mode": "x509"}});
    // Whatever the content type: the dialect does not ask.
    for client in [&certified, &psk("b", "i")] {
        let answer = bench.send("PUT", CLIENTS, None, client.to_string()).await;
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b""[..]));
    }
    assert_eq!(bench.get(CLIENTS).await.json(), json!([psk("b", "i"), certified]));
    assert_eq!(bench.get("/api/security/clients/urn:a%2Fb").await.json(), certified);
    for status in [StatusCode::OK, StatusCode::NOT_FOUND] {
        let answer = bench.send("DELETE", "/api/security/clients/b", None, "").await;
        assert_eq!(answer.status, status);
    }
    let gone = bench.get("/api/security/clients/b").await;
    assert_eq!(gone.json()["type"], "/problems#no-credentials");
}

#[tokio::test]
async fn credentials_that_cannot_be_are_refused() {
    let bench = Bench::new().await;
    bench.json("PUT", CLIENTS, &psk("a", "i")).await;
    let table = [
        (psk("b", "i"), 409, "`a`"),
        (psk("", "j"), 400, "endpoint name"),
        (json!({"endpoint": "b"}), 400, "tls.mode"),
        (json!({"endpoint": "b", "oscore": {"rid": "00"}}), 400, "OSCORE"),
    ];
    for (client, status, named) in table {
        let answer = bench.json("PUT", CLIENTS, &client).await;
        let detail = answer.json()["detail"].to_string();
        assert_eq!(answer.status.as_u16(), status, "{client}");
        assert!(detail.contains(named), "{client}: {detail}");
    }
    assert_eq!(bench.send("PUT", CLIENTS, None, "{").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(bench.get(CLIENTS).await.json(), json!([psk("a", "i")]));
}

#[tokio::test]
async fn a_server_without_a_secure_port_refuses_credentials() {
    let plain = Sockets::from(LOOPBACK);
    let tls = Sockets { tls: Some(LOOPBACK), ..Sockets::default() };
    for (sockets, status) in [(plain, 409), (tls, 200)] {
        let bench = Bench::on(sockets, ApiConfig::default()).await;
        let answer = bench.json("PUT", CLIENTS, &psk("a", "i")).await;
        assert_eq!(answer.status.as_u16(), status);
        if status == 409 {
            assert!(answer.json()["detail"].to_string().contains("--coaps"));
            assert_eq!(bench.get(CLIENTS).await.json(), json!([]));
        }
    }
}

/// Credentials of the modes for which a server needs keys of its own, and what it is told to have.
pub(crate) fn of_modes() -> [(Json, &'static str); 2] {
    let raw = json!({"mode": "rpk", "details": {"key": public_key()}});
    [(raw, "--key"), (json!({"mode": "x509"}), "--cert and --trust")]
        .map(|(tls, flags)| (json!({"endpoint": "a", "tls": tls}), flags))
}

#[tokio::test]
async fn a_server_without_keys_for_a_mode_refuses_its_credentials() {
    let bench = Bench::new().await;
    for (client, flags) in of_modes() {
        let answer = bench.json("PUT", CLIENTS, &client).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{client}");
        assert!(answer.json()["detail"].to_string().contains(flags), "{:?}", answer.body);
    }
    assert_eq!(bench.get(CLIENTS).await.json(), json!([]));
    let bench = Bench::with_own_keys().await;
    for (client, _) in of_modes() {
        assert_eq!(bench.json("PUT", CLIENTS, &client).await.status, StatusCode::OK, "{client}");
    }
}

#[tokio::test]
async fn a_device_without_its_credentials_is_turned_out_and_kept_out() {
    let bench = Bench::new().await;
    let _device = bench.device("a", |_| None).await;
    bench.json("PUT", CLIENTS, &psk("a", "i")).await;
    assert_eq!(bench.get("/api/clients").await.json(), json!([]));
}

#[tokio::test]
async fn the_servers_own_parts_are_told_where_there_are_some() {
    let bench = Bench::new().await;
    for uri in ["/api/security/server", "/api/server/security"] {
        assert_eq!(bench.get(uri).await.json(), json!({}), "{uri}");
    }
}

/// A folder of its own for a test.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("lwm2m-http-{name}-{}", std::process::id()));
    // One that an earlier run has left, if any.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

async fn bench_with(file: CredentialsFile, fixed: &[&str]) -> Bench {
    let fixed = fixed.iter().map(|&name| name.to_owned()).collect();
    let config = ApiConfig::default().with_credentials_file(file).with_fixed_credentials(fixed);
    Bench::with_config(config).await
}

#[tokio::test]
async fn credentials_outlive_a_restart() {
    let folder = folder("keep");
    let path = folder.join("credentials.json");
    for (round, expected) in [json!([]), json!([psk("a", "1")])].into_iter().enumerate() {
        let store = lwm2m_server::security::SecurityStore::default();
        let file = CredentialsFile::open(path.clone(), &store).unwrap();
        let names: Vec<_> = store.list().into_iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names.len(), expected.as_array().unwrap().len(), "{names:?}");
        let bench = bench_with(file, &["fixed"]).await;
        bench
            .server
            .with(|server, now| server.put_credential(now, "fixed", psk_of()))
            .await
            .unwrap()
            .unwrap();
        let client = psk("a", &(round + 1).to_string());
        assert_eq!(bench.json("PUT", CLIENTS, &client).await.status, StatusCode::OK);
        let saved: Json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(saved, json!([client]), "and nothing that is fixed");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

fn psk_of() -> lwm2m_server::security::Credential {
    lwm2m_server::security::Credential::psk(b"fixed", b"key").expect("a credential")
}

#[tokio::test]
async fn what_cannot_be_saved_or_changed_is_said() {
    let folder = folder("lost");
    let store = lwm2m_server::security::SecurityStore::default();
    let file = CredentialsFile::open(folder.join("credentials.json"), &store).unwrap();
    let bench = bench_with(file, &["fixed"]).await;
    let answer = bench.json("PUT", CLIENTS, &psk("fixed", "i")).await;
    assert_eq!(answer.json()["type"], "/problems#conflict");
    std::fs::remove_dir_all(&folder).unwrap();
    let answer = bench.json("PUT", CLIENTS, &psk("a", "i")).await;
    assert_eq!(answer.json()["type"], "/problems#not-saved");
    assert_eq!(bench.get(CLIENTS).await.json(), json!([psk("a", "i")]), "but it holds");
}
