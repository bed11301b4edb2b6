//! The server: `lwm2m-serverd` in a process of its own.

use crate::Outcome;
use crate::cpu::Cpu;
use crate::secured::KEY;
use lwm2m_app::{Listen, LogLevel};
use lwm2m_serverd::Settings;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls_pki_types::CertificateDer;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The argument that makes this program the server.
pub(crate) const COMMAND: &str = "serve";
/// The name of the authority that the server trusts.
pub(crate) const AUTHORITY: &str = "authority";

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Where a server listens.
#[derive(Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) coap: SocketAddr,
    pub(crate) coaps: SocketAddr,
    pub(crate) tcp: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) http: SocketAddr,
}

/// A running server, which ends when it is dropped.
pub(crate) struct Target {
    pub(crate) at: Addresses,
    /// The certificate of the server.
    pub(crate) certificate: CertificateDer<'static>,
    /// Who issues certificates that the server trusts.
    pub(crate) authority: Issuer<'static, KeyPair>,
    process: Child,
    folder: PathBuf,
}

impl Target {
    pub(crate) fn start() -> Outcome<Self> {
        let folder = std::env::temp_dir().join(format!("lwm2m-attacks-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let (authority, certificate) = credentials(&folder)?;
        let log = File::create(folder.join("log"))?;
        // The usual soft limit of open files.
        let mut process = Command::new("sh")
            .args(["-c", "ulimit -Sn 1024; exec \"$0\" \"$@\""])
            .arg(std::env::current_exe()?)
            .arg(COMMAND)
            .arg(&folder)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let output = process.stdout.take().ok_or("no output")?;
        let mut lines = BufReader::new(output).lines();
        let mut address = || -> Outcome<SocketAddr> {
            let line = lines
                .find(|line| line.as_ref().map_or(true, |it| it.starts_with("listening for")))
                .ok_or_else(|| ended(&folder))??;
            let address = line.trim_end_matches('/').rsplit([' ', '/']).next();
            let address = address.ok_or("no address")?;
            Ok(address.parse()?)
        };
        let at = Addresses {
            coap: address()?,
            coaps: address()?,
            tcp: address()?,
            tls: address()?,
            http: address()?,
        };
        Ok(Self { at, certificate, authority, process, folder })
    }

    /// The processor time that it has taken so far.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        Cpu::of(self.process.id()).now()
    }

    /// Its resident memory in bytes.
    pub(crate) fn memory(&self) -> Outcome<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kilobytes.ok_or("no VmRSS")?.parse::<f64>()? * 1024.0)
    }

    /// The file with its log.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It may have ended on its own.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The server ended before it listened, and said why.
fn ended(folder: &Path) -> String {
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    format!("the server has ended: {}", log.lines().last().unwrap_or("without a word"))
}

/// Writes the credentials of the server, the victim and its neighbour to the folder.
fn credentials(folder: &Path) -> Outcome<(Issuer<'static, KeyPair>, CertificateDer<'static>)> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, AUTHORITY);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate()?;
    fs::write(folder.join("ca.crt"), params.self_signed(&key)?.pem())?;
    let authority = Issuer::new(params, key);
    let key = KeyPair::generate()?;
    let params = CertificateParams::new(vec!["localhost".to_owned()])?;
    let certificate = params.signed_by(&key, &authority)?;
    fs::write(folder.join("server.crt"), certificate.pem())?;
    fs::write(folder.join("server.key"), key.serialize_pem())?;
    let hex: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut text = "[server]\nkey = \"server.key\"\ncertificate = \"server.crt\"\ntrust = \
                    [\"ca.crt\"]\nunlisted = \"no-sec\"\n"
        .to_owned();
    for endpoint in ["victim", "neighbour"] {
        text += &format!(
            "[[client]]\nendpoint = \"{endpoint}\"\nmode = \"psk\"\nidentity = \"{endpoint}\"\nkey = \
             \"{hex}\"\n"
        );
    }
    fs::write(folder.join("credentials.toml"), text)?;
    Ok((authority, certificate.der().clone()))
}

/// Serves until the process is killed.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let folder = PathBuf::from(arguments.next().ok_or("no folder")?);
    let settings = Settings {
        coap: Some(Listen::At(ANY)),
        coaps: Some(Listen::At(ANY)),
        coap_tcp: Some(ANY),
        coaps_tcp: Some(ANY),
        http: Some(ANY),
        trust_loopback: true,
        ephemeral: true,
        credentials: Some(folder.join("credentials.toml")),
        ..Settings::default()
    };
    lwm2m_app::log::start(LogLevel::Info);
    let runtime = lwm2m_app::runtime()?;
    let served = runtime.block_on(lwm2m_serverd::run(&settings));
    served.map_err(|failure| format!("{failure:?}").into())
}
