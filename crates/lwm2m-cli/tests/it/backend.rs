//! Both backends of DTLS and TLS, as server and as client, in the modes that both have.

use crate::success;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const BACKENDS: [&str; 2] = ["native", "mbedtls"];
const KEY: [&str; 4] =
    ["--psk-identity", "device", "--psk-key", "000102030405060708090a0b0c0d0e0f"];

/// A server that ends with its test, and its URIs.
struct Server(Child, Vec<String>);

impl Server {
    fn start(backend: &str, keys: &[&str]) -> Self {
        let any = "127.0.0.1:0";
        let mut command = Command::new(env!("CARGO_BIN_EXE_lwm2m"));
        command.args(["coap", "serve", "--coap", any, "--coaps", any, "--coaps-tcp", any]);
        command.args(["--backend", backend]).args(keys);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let uri = |line: String| line.replacen(" on 127.0.0.1:", "://localhost:", 1);
        let all = lines.take(3).map(|line| uri(line.unwrap()));
        let secured = all.filter(|uri| uri.starts_with("coaps")).collect();
        Self(child, secured)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended on its own.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn each_serves_each_by_keys_and_certificates_on_datagrams_and_streams() {
    let folder = std::env::temp_dir().join(format!("lwm2m-backend-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let [ca, server, device] = ["ca", "server", "device"].map(file);
    success(&["keys", "ca", &ca], b"");
    success(&["keys", "cert", &server, "--ca", &ca, "--server", "localhost"], b"");
    success(&["keys", "cert", &device, "--ca", &ca, "--client", "device"], b"");
    let certificate = |prefix: &str| {
        let own = |kind| format!("{prefix}.{kind}");
        [("--cert", own("crt")), ("--key", own("key")), ("--trust", format!("{ca}.crt"))]
            .map(|(flag, path)| [flag.to_owned(), path])
            .concat()
    };
    let key = || KEY.map(str::to_owned).to_vec();
    for (of_server, of_client) in [(key(), key()), (certificate(&server), certificate(&device))] {
        let [of_server, of_client] =
            [&of_server, &of_client].map(|it| it.iter().map(String::as_str).collect::<Vec<_>>());
        for server in BACKENDS.map(|backend| Server::start(backend, &of_server)) {
            assert_eq!(server.1.len(), 2);
            for (uri, backend) in server.1.iter().flat_map(|uri| BACKENDS.map(|it| (uri, it))) {
                let uri = format!("{uri}/test");
                let get = ["coap", "get", &uri, "--backend", backend];
                assert_eq!(success(&[&get[..], &of_client].concat(), b"").trim(), "test");
            }
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
