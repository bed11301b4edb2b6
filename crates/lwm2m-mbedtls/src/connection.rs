//! A connection and its steps.
#![allow(unsafe_code)]

use crate::callbacks::{OwnCertificate, Owner};
use crate::configure::{Proof, configure};
use crate::failure::{Failure, Unusable};
use crate::pipe::Pipe;
use crate::settings::{Settings, Transport};
use crate::tables;
use crate::timer::Timer;
use lwm2m_time::Instant;
use mbedtls::ssl::context::Context;
use mbedtls_sys as sys;
use mbedtls_sys::types::raw_types::c_int;
use std::fmt;
use std::sync::Arc;

/// Whether the library supports a cipher suite, by its number in the IANA registry.
pub fn has_suite(suite: u16) -> bool {
    tables::make();
    // SAFETY: looks up a number in a static table.
    let known = unsafe { sys::ssl_ciphersuite_from_id(c_int::from(suite)) };
    !known.is_null()
}

/// The result of a step.
#[derive(Debug, Default)]
pub struct Step {
    /// The handshake is finished, with this cipher suite.
    pub connected: Option<u16>,
    /// The plaintexts of received records.
    pub data: Vec<Vec<u8>>,
    /// Why the connection has ended.
    pub ended: Option<Failure>,
}

/// The verdict on a protected record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The record is authentic.
    Authentic,
    /// The record is of other keys than the current ones, or a repetition.
    NotNow,
    /// The record does not authenticate.
    Forged,
}

/// A connection from its first byte on. It takes about 40 KB, nearly all of it the library's two
/// buffers.
///
/// ```
/// use lwm2m_mbedtls::{Connection, OwnCertificate, Owner, Role, Settings, Transport};
/// use lwm2m_time::Instant;
/// use std::sync::Arc;
/// use std::time::Duration;
/// use zeroize::Zeroizing;
///
/// struct OneDevice;
/// impl Owner for OneDevice {
///     fn random(&self, bytes: &mut [u8]) {
///         bytes.fill(4); // for an example only
///     }
///     fn psk(&self, identity: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
///         (identity == b"device").then(|| Zeroizing::new(b"a shared secret.".to_vec()))
///     }
///     fn certificate(&self, _: &str) -> Option<Arc<OwnCertificate>> {
///         None
///     }
///     fn verify(&self, _: Vec<Vec<u8>>) -> Result<(), u8> {
///         Err(48) // unknown_ca
///     }
/// }
///
/// let settings = |role| Settings {
///     role,
///     transport: Transport::Stream,
///     suites: vec![0xc0a8], // TLS_PSK_WITH_AES_128_CCM_8
///     mtu: 1232,
///     retransmit_after: Duration::from_secs(1),
///     retransmit_limit: Duration::from_secs(60),
///     application_protocol: None,
///     max_fragment_length: None,
///     server_name: None,
/// };
/// let (now, key) = (Instant::ZERO, b"a shared secret.");
/// let (ours, theirs) = (settings(Role::Client), settings(Role::Server));
/// let mut client = Connection::with_psk(now, &ours, b"device", key, Arc::new(OneDevice))?;
/// let mut server = Connection::accept(now, &theirs, None, &[], true, Arc::new(OneDevice))?;
/// let mut connected = None;
/// for _ in 0..2 {
///     while let Some(bytes) = client.poll() {
///         server.step(now, &bytes);
///     }
///     while let Some(bytes) = server.poll() {
///         connected = connected.or(client.step(now, &bytes).connected);
///     }
/// }
/// assert_eq!(connected, Some(0xc0a8));
/// client.send(b"hello").expect("connected");
/// let bytes = client.poll().expect("a record");
/// assert_eq!(server.step(now, &bytes).data, [b"hello"]);
/// # Ok::<(), lwm2m_mbedtls::Unusable>(())
/// ```
pub struct Connection {
    context: Context<Pipe>,
    pipe: Pipe,
    timer: Timer,
    is_established: bool,
    /// The library's configuration points to it.
    _owner: Box<Arc<dyn Owner>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("is_established", &self.is_established).finish()
    }
}

impl Connection {
    /// Starts a client with a pre-shared key. [`poll`](Self::poll) returns its hello.
    ///
    /// # Errors
    /// The library rejects the key or a setting.
    pub fn with_psk(
        now: Instant,
        settings: &Settings,
        identity: &[u8],
        key: &[u8],
        owner: Arc<dyn Owner>,
    ) -> Result<Self, Unusable> {
        let proof = Proof { psk: Some((identity, key)), ..Proof::default() };
        Self::new(now, settings, &proof, owner)
    }

    /// Starts a client with a certificate. [`poll`](Self::poll) returns its hello.
    ///
    /// # Errors
    /// The library rejects a setting.
    pub fn with_certificate(
        now: Instant,
        settings: &Settings,
        own: &OwnCertificate,
        owner: Arc<dyn Owner>,
    ) -> Result<Self, Unusable> {
        Self::new(now, settings, &Proof { own: Some(own), ..Proof::default() }, owner)
    }

    /// Starts a server with pre-shared keys, certificates or both. On datagrams its first input
    /// must be a hello whose cookie the caller has checked.
    ///
    /// # Errors
    /// The library rejects a setting.
    pub fn accept(
        now: Instant,
        settings: &Settings,
        own: Option<&OwnCertificate>,
        authorities: &[&[u8]],
        asks_for_keys: bool,
        owner: Arc<dyn Owner>,
    ) -> Result<Self, Unusable> {
        let proof = Proof { psk: None, own, authorities, asks_for_keys };
        Self::new(now, settings, &proof, owner)
    }

    fn new(
        now: Instant,
        settings: &Settings,
        proof: &Proof<'_>,
        owner: Arc<dyn Owner>,
    ) -> Result<Self, Unusable> {
        tables::make();
        let owner = Box::new(owner);
        let config = configure(settings, proof, &owner)?;
        let pipe = Pipe::new(settings.transport == Transport::Stream);
        let timer = Timer::new(settings.retransmit_limit);
        timer.set_now(now);
        let mut context = Context::new(Arc::new(config));
        context.set_timer_callback(Box::new(timer.clone()));
        // SAFETY: sets a number.
        unsafe { sys::ssl_set_mtu((&mut context).into(), settings.mtu) };
        // A client sends its hello; a server waits for input.
        let _ = context.establish(pipe.clone(), settings.server_name.as_deref());
        Ok(Self { context, pipe, timer, is_established: false, _owner: owner })
    }

    /// Handles input, which may be empty, and what is due by the timer.
    pub fn step(&mut self, now: Instant, bytes: &[u8]) -> Step {
        self.timer.set_now(now);
        if !bytes.is_empty() {
            self.pipe.put_incoming(bytes);
        }
        let mut step = Step::default();
        if !self.is_established {
            // SAFETY: the context is set up and does not move during the call.
            match unsafe { sys::ssl_handshake((&mut self.context).into()) } {
                0 => self.on_established(&mut step),
                code => {
                    step.ended = self.failure(code);
                    return step;
                }
            }
        }
        self.read(&mut step);
        step
    }

    fn on_established(&mut self, step: &mut Step) {
        self.is_established = true;
        // The limit is for handshakes; the size of data is checked by its sender.
        // SAFETY: sets a number.
        unsafe { sys::ssl_set_mtu((&mut self.context).into(), 0) };
        step.connected = self.context.ciphersuite().ok();
    }

    /// Reads all received records.
    fn read(&mut self, step: &mut Step) {
        loop {
            // A read without room tells how much the record needs.
            let read = self.read_into(&mut []).and_then(|_| {
                // SAFETY: asks for a number.
                let length = unsafe { sys::ssl_get_bytes_avail((&self.context).into()) };
                let mut data = vec![0; length];
                self.read_into(&mut data).map(|_| data)
            });
            match read {
                Ok(data) => step.data.push(data),
                Err(code) => {
                    step.ended = self.failure(code);
                    return;
                }
            }
        }
    }

    /// Reads as much of a record as there is room for.
    fn read_into(&mut self, room: &mut [u8]) -> Result<(), c_int> {
        let ssl = (&mut self.context).into();
        // SAFETY: the context is set up; pointer and length match.
        let code = unsafe { sys::ssl_read(ssl, room.as_mut_ptr(), room.len()) };
        if code < 0 { Err(code) } else { Ok(()) }
    }

    /// The failure of a code; `None` if the library only waits for more input.
    fn failure(&self, code: c_int) -> Option<Failure> {
        match code {
            sys::ERR_SSL_WANT_READ | sys::ERR_SSL_WANT_WRITE => None,
            _ => Some(Failure::of(code, || self.alert_received())),
        }
    }

    /// The number of the alert that the library has just received.
    fn alert_received(&self) -> u8 {
        let ssl: *const sys::ssl_context = (&self.context).into();
        // SAFETY: points into the library's input buffer, which holds the two bytes of the alert.
        unsafe { *(*ssl).in_msg.add(1) }
    }

    /// The next datagram to be sent, or the next bytes of the stream.
    pub fn poll(&mut self) -> Option<Vec<u8>> {
        self.pipe.take_outgoing()
    }

    /// When [`step`](Self::step) is due without input.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timer.next()
    }

    /// The longest plaintext of a record, in bytes.
    pub fn max_data(&self) -> usize {
        // SAFETY: asks for a number.
        let limit = unsafe { sys::ssl_get_max_out_record_payload((&self.context).into()) };
        usize::try_from(limit).unwrap_or(0)
    }

    /// Sends application data in as many records as it takes.
    ///
    /// # Errors
    /// The connection can send no more.
    pub fn send(&mut self, mut data: &[u8]) -> Result<(), Failure> {
        loop {
            let ssl = (&mut self.context).into();
            // SAFETY: the context is set up; pointer and length match.
            let code = unsafe { sys::ssl_write(ssl, data.as_ptr(), data.len()) };
            let sent = usize::try_from(code).map_err(|_| Failure::of(code, || 0))?;
            data = data.get(sent..).unwrap_or_default();
            if data.is_empty() {
                return Ok(());
            }
        }
    }

    /// Sends an alert.
    pub fn alert(&mut self, is_fatal: bool, alert: u8) {
        let level =
            if is_fatal { sys::SSL_ALERT_LEVEL_FATAL } else { sys::SSL_ALERT_LEVEL_WARNING };
        // An alert that cannot be sent is dropped; the connection ends either way.
        // SAFETY: the context is set up.
        let _ =
            unsafe { sys::ssl_send_alert_message((&mut self.context).into(), level as u8, alert) };
    }

    /// Checks the protected record at the start of a datagram without handling it.
    pub fn judge(&self, datagram: &[u8]) -> Verdict {
        let mut copy = datagram.to_vec();
        let ssl = (&self.context).into();
        // SAFETY: the context is set up; pointer and length match, and the copy may be decrypted in
        // place.
        match unsafe { sys::ssl_check_record(ssl, copy.as_mut_ptr(), copy.len()) } {
            0 => Verdict::Authentic,
            sys::ERR_SSL_UNEXPECTED_RECORD | sys::ERR_SSL_FEATURE_UNAVAILABLE => Verdict::NotNow,
            _ => Verdict::Forged,
        }
    }

    /// Whether a client has sent its Finished and waits for the server's.
    pub fn awaits_finished(&self) -> bool {
        let ssl: *const sys::ssl_context = (&self.context).into();
        // SAFETY: reads a number of a context that is set up.
        let state = unsafe { (*ssl).state };
        let last = [sys::SSL_SERVER_CHANGE_CIPHER_SPEC, sys::SSL_SERVER_FINISHED];
        last.iter().any(|&it| c_int::try_from(it) == Ok(state))
    }
}
