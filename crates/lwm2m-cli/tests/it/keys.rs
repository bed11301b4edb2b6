//! `lwm2m keys`: openssl reads what it makes.

use crate::{failure, success};
use lwm2m_testkit::peer::available;
use std::path::PathBuf;
use std::process::Command;

/// A directory of one test, removed with it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("keys-{name}"));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn openssl_is_there() -> bool {
    available("openssl", Command::new("openssl").arg("version").output().is_ok())
}

/// What openssl prints; it must be content.
fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {error}");
    output.stdout
}

#[test]
fn a_pre_shared_key_is_a_line_of_its_owner_and_never_overwritten_unasked() {
    let directory = Directory::new("psk");
    let (prefix, file) = (directory.file("device"), directory.file("device.psk"));
    let command = ["keys", "psk", &prefix, "--identity", "urn:imei:1"];
    assert!(success(&command, b"").starts_with(&file));
    let first = std::fs::read_to_string(&file).unwrap();
    let (identity, key) = first.trim_end().rsplit_once(':').unwrap();
    assert_eq!((identity, key.len()), ("urn:imei:1", 32));
    assert!(key.bytes().all(|byte| byte.is_ascii_hexdigit()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(failure(&command, 2).contains("--force"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), first);
    success(&[&command[..], &["--force"]].concat(), b"");
    assert_ne!(std::fs::read_to_string(&file).unwrap(), first);
}

#[test]
fn openssl_reads_raw_public_keys() {
    if !openssl_is_there() {
        return;
    }
    let directory = Directory::new("rpk");
    success(&["keys", "rpk", &directory.file("a")], b"");
    let (private, public) = (directory.file("a.key"), directory.file("a.pub"));
    let spki = std::fs::read(directory.file("a.spki")).unwrap();
    assert_eq!(openssl(&["pkey", "-in", &private, "-pubout", "-outform", "DER"]), spki);
    assert_eq!(openssl(&["pkey", "-pubin", "-in", &public, "-outform", "DER"]), spki);
}

#[test]
fn openssl_verifies_certificates() {
    if !openssl_is_there() {
        return;
    }
    let directory = Directory::new("x509");
    let [ca, client, server] = ["ca", "client", "server"].map(|name| directory.file(name));
    success(&["keys", "ca", &ca], b"");
    success(&["keys", "cert", &client, "--ca", &ca, "--client", "urn:imei:1"], b"");
    let names = ["--server", "lwm2m.example", "--server", "127.0.0.1"];
    success(&[&["keys", "cert", &server, "--ca", &ca, "--days", "7"], &names[..]].concat(), b"");
    let trust = format!("{ca}.crt");
    for (prefix, purpose, more) in [
        (&client, "sslclient", &[][..]),
        (&server, "sslserver", &["-verify_hostname", "lwm2m.example"]),
        (&server, "sslserver", &["-verify_ip", "127.0.0.1"]),
    ] {
        let (leaf, key) = (format!("{prefix}.crt"), format!("{prefix}.key"));
        let check = ["verify", "-x509_strict", "-CAfile", &trust, "-purpose", purpose];
        openssl(&[&check[..], more, &[&leaf]].concat());
        let of_certificate = openssl(&["x509", "-in", &leaf, "-noout", "-pubkey"]);
        assert_eq!(of_certificate, openssl(&["pkey", "-in", &key, "-pubout"]));
        let of_file = openssl(&["pkey", "-pubin", "-in", &format!("{prefix}.pub"), "-pubout"]);
        assert_eq!(of_certificate, of_file);
    }
    let subject = openssl(&["x509", "-in", &format!("{client}.crt"), "-noout", "-subject"]);
    assert!(String::from_utf8(subject).unwrap().contains("urn:imei:1"));
    let week = ["x509", "-in", &format!("{server}.crt"), "-noout", "-checkend"];
    openssl(&[&week[..], &["518400"]].concat());
}

#[test]
fn what_cannot_be_made_is_one_line() {
    let directory = Directory::new("bad");
    let prefix = directory.file("x");
    let cert = ["keys", "cert", &prefix, "--ca", &directory.file("none"), "--client", "d"];
    assert!(failure(&cert, 2).contains("none.key"));
    assert!(failure(&["keys", "psk", &prefix, "--identity", ""], 2).contains("--identity"));
    assert!(failure(&["keys", "rpk", &directory.file("no/where")], 2).contains("cannot write"));
    // A certificate that nobody would trust, for a device is no authority.
    let [ca, device] = ["ca", "device"].map(|name| directory.file(name));
    success(&["keys", "ca", &ca], b"");
    success(&["keys", "cert", &device, "--ca", &ca, "--client", "d"], b"");
    let cert = ["keys", "cert", &prefix, "--ca", &device, "--client", "d"];
    assert!(failure(&cert, 2).contains("device.crt may not sign"));
}
