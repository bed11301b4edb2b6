//! OpenSSL by its crate: pre-shared keys and certificates; the crate has no raw public keys. Its
//! heap is C's and not counted.

use crate::{End, IDENTITY, KEY, Mode, Pipe, Stack, data};
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslRef, SslStream, SslVerifyMode,
    SslVersion,
};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use std::io::Write;

/// Its default level takes the tag of eight bytes for too short.
const PSK_CCM_8: &str = "PSK-AES128-CCM8:@SECLEVEL=0";
const ECDSA_CCM_8: &str = "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0";
const COOKIE: &[u8] = b"a cookie that is always the same";

/// What is spoken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Dtls12,
    Tls12,
    Tls13,
}

struct OpenSsl {
    protocol: Protocol,
    client: SslContext,
    server: SslContext,
}

/// Copies to the front of a buffer of C, and says how much that was.
fn fill(mut buffer: &mut [u8], bytes: &[u8]) -> Result<usize, ErrorStack> {
    Ok(buffer.write(bytes).unwrap_or_default())
}

fn use_cookies(context: &mut SslContextBuilder) {
    context.set_options(SslOptions::COOKIE_EXCHANGE);
    context.set_cookie_generate_cb(|_: &mut SslRef, buffer| fill(buffer, COOKIE));
    context.set_cookie_verify_cb(|_: &mut SslRef, cookie| cookie == COOKIE);
}

fn use_psk(context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    context.set_cipher_list(PSK_CCM_8)?;
    context.set_psk_client_callback(|_, _, identity, key| {
        fill(identity, format!("{IDENTITY}\0").as_bytes())?;
        fill(key, KEY)
    });
    context.set_psk_server_callback(|_, identity, key| match identity {
        Some(identity) if identity == IDENTITY.as_bytes() => fill(key, KEY),
        _ => Ok(0),
    });
    Ok(())
}

fn use_certificates(context: &mut SslContextBuilder, is_server: bool) -> Result<(), ErrorStack> {
    let (key, certificate) = match is_server {
        true => (data!("server.key.pem"), data!("server.cert.pem")),
        false => (data!("client.key.pem"), data!("client.cert.pem")),
    };
    context.set_cipher_list(ECDSA_CCM_8)?;
    context.set_certificate(&*X509::from_pem(certificate)?)?;
    context.set_private_key(&*PKey::private_key_from_pem(key)?)?;
    if is_server {
        context.add_extra_chain_cert(X509::from_pem(data!("intermediate.cert.pem"))?)?;
    }
    let mut roots = X509StoreBuilder::new()?;
    roots.add_cert(X509::from_pem(data!("root.cert.pem"))?)?;
    context.set_cert_store(roots.build());
    context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    Ok(())
}

fn context(protocol: Protocol, is_server: bool, mode: Mode) -> Result<SslContext, ErrorStack> {
    let (method, version) = match protocol {
        Protocol::Dtls12 => (SslMethod::dtls(), SslVersion::DTLS1_2),
        Protocol::Tls12 => (SslMethod::tls(), SslVersion::TLS1_2),
        Protocol::Tls13 => (SslMethod::tls(), SslVersion::TLS1_3),
    };
    let mut context = SslContext::builder(method)?;
    context.set_min_proto_version(Some(version))?;
    context.set_max_proto_version(Some(version))?;
    context.set_ciphersuites("TLS_AES_128_GCM_SHA256")?;
    context.set_num_tickets(0)?;
    // What it keeps for resumption is not in the figures of the others either.
    context.set_options(SslOptions::NO_TICKET);
    context.set_session_cache_mode(openssl::ssl::SslSessionCacheMode::OFF);
    if is_server && protocol == Protocol::Dtls12 {
        use_cookies(&mut context);
    }
    match mode {
        Mode::Psk => use_psk(&mut context)?,
        _ => use_certificates(&mut context, is_server)?,
    }
    Ok(context.build())
}

pub(crate) fn dtls(mode: Mode) -> Option<Box<dyn Stack>> {
    (mode != Mode::RawPublicKey).then(|| stack(Protocol::Dtls12, mode))
}

pub(crate) fn tls12(mode: Mode) -> Option<Box<dyn Stack>> {
    (mode != Mode::RawPublicKey).then(|| stack(Protocol::Tls12, mode))
}

pub(crate) fn tls13(mode: Mode) -> Option<Box<dyn Stack>> {
    (mode == Mode::Certificate).then(|| stack(Protocol::Tls13, mode))
}

fn stack(protocol: Protocol, mode: Mode) -> Box<dyn Stack> {
    let [client, server] = [false, true].map(|it| context(protocol, it, mode).unwrap());
    Box::new(OpenSsl { protocol, client, server })
}

fn side(protocol: Protocol, context: &SslContext, name: Option<&str>) -> Box<dyn End> {
    let pipe = Pipe::default();
    let mut ssl = Ssl::new(context).unwrap();
    if protocol == Protocol::Dtls12 {
        ssl.set_mtu(1_400).unwrap();
    }
    match name {
        Some(name) => {
            ssl.set_hostname(name).unwrap();
            ssl.param_mut().set_host(name).unwrap();
            ssl.set_connect_state();
        }
        None => ssl.set_accept_state(),
    }
    let mut stream = SslStream::new(ssl, pipe.clone()).unwrap();
    // It cannot be done before a datagram has come.
    let connected = stream.do_handshake().is_ok();
    Box::new(Side { stream, pipe, connected })
}

impl Stack for OpenSsl {
    fn name(&self) -> &'static str {
        match self.protocol {
            Protocol::Dtls12 => "OpenSSL",
            Protocol::Tls12 => "OpenSSL, TLS 1.2",
            Protocol::Tls13 => "OpenSSL, TLS 1.3",
        }
    }
    fn client(&mut self) -> Box<dyn End> {
        side(self.protocol, &self.client, Some("server.example.com"))
    }
    fn server(&mut self) -> Box<dyn End> {
        side(self.protocol, &self.server, None)
    }
    fn is_counted(&self) -> bool {
        false
    }
}

struct Side {
    stream: SslStream<Pipe>,
    pipe: Pipe,
    connected: bool,
}

impl End for Side {
    fn handle(&mut self, datagram: &[u8]) {
        self.pipe.put_incoming(datagram);
        if !self.connected {
            // An error is that more is needed.
            self.connected = self.stream.do_handshake().is_ok();
        }
    }
    fn poll(&mut self) -> Option<Vec<u8>> {
        self.pipe.take_outgoing()
    }
    fn is_connected(&self) -> bool {
        self.connected
    }
    fn send(&mut self, data: &[u8]) {
        self.stream.ssl_write(data).unwrap();
    }
    fn received(&mut self) -> bool {
        self.stream.ssl_read(&mut [0; 128]).is_ok()
    }
}
