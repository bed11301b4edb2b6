//! What the two hellos have agreed on, and what both sides derive from it.

use super::context::Context;
use super::extension::RAW_PUBLIC_KEY;
use super::fragment::Message;
use super::framing::MessageType;
use super::keys::Keys;
use super::schedule::{self, Master, Randoms, session_keys};
use super::transcript::Transcript;
use crate::config::Config;
use crate::credential::Authenticated;
use crate::error::Reason;
use crate::mode::{Mode, Role};
use crate::record::header::MAX_PLAINTEXT;
use crate::resumption::SessionState;
use crate::suite::{CipherSuite, KeyExchangeKind};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use subtle::ConstantTimeEq;

/// The parameters of a session.
#[derive(Clone)]
pub(crate) struct Agreed {
    pub(crate) suite: CipherSuite,
    pub(crate) exchange: KeyExchangeKind,
    pub(crate) randoms: Randoms,
    pub(crate) extended_master_secret: bool,
    pub(crate) encrypt_then_mac: bool,
    pub(crate) read_cid: Vec<u8>,
    pub(crate) write_cid: Vec<u8>,
    pub(crate) return_routability_check: bool,
    pub(crate) max_plaintext: usize,
    pub(crate) session_id: Vec<u8>,
    /// The application protocol, if both sides named one.
    pub(crate) application_protocols: Vec<Vec<u8>>,
    /// The certificate types of client and server.
    pub(crate) certificate_types: (u8, u8),
}

impl Agreed {
    /// The mode that follows from the suite and a side's certificate type.
    pub(super) fn mode(&self, certificate_type: u8) -> Mode {
        match self.exchange {
            KeyExchangeKind::Psk | KeyExchangeKind::EcdhePsk => Mode::Psk,
            KeyExchangeKind::EcdheEcdsa if certificate_type == RAW_PUBLIC_KEY => Mode::RawPublicKey,
            KeyExchangeKind::EcdheEcdsa => Mode::Certificate,
        }
    }

    /// Derives the session keys, as `role` uses them.
    pub(super) fn keys(&self, role: Role, master: &Master) -> Result<Box<Keys>, Reason> {
        let keys = session_keys(master, self.suite, &self.randoms, self.encrypt_then_mac)
            .ok_or(Reason::Internal)?;
        let (read, write) = match role {
            Role::Client => (keys.server, keys.client),
            Role::Server => (keys.client, keys.server),
        };
        Ok(Box::new(Keys {
            suite: self.suite,
            read,
            write,
            read_cid: self.read_cid.clone(),
            write_cid: self.write_cid.clone(),
            return_routability_check: self.return_routability_check,
            max_plaintext: self.max_plaintext,
        }))
    }

    /// Derives the master secret of a full handshake. The transcript must end with the
    /// ClientKeyExchange.
    pub(super) fn master(
        &self,
        premaster: &[u8],
        transcript: &Transcript,
        config: &Config,
    ) -> Master {
        let hash = self.extended_master_secret.then(|| transcript.hash());
        let master = schedule::master(premaster, hash.as_ref(), &self.randoms);
        self.log(&master, config);
        master
    }

    /// Writes the master secret to the key log, if there is one.
    pub(super) fn log(&self, master: &Master, config: &Config) {
        if let Some(log) = &config.key_log {
            log.log("CLIENT_RANDOM", &self.randoms.client, &master[..]);
        }
    }

    /// The state that resumes the session.
    pub(super) fn state(
        &self,
        peer: Authenticated,
        server_name: Option<String>,
        master: &Master,
        context: &Context<'_>,
    ) -> SessionState {
        SessionState {
            framing: context.framing,
            suite: self.suite,
            extended_master_secret: self.extended_master_secret,
            master: master.clone(),
            identity: peer.identity,
            server_name,
            credential: peer.credential,
            expires: peer.expires.min(context.expiry()),
        }
    }
}

/// The bytes that the signature of a ServerKeyExchange covers.
pub(super) fn signed_parameters(randoms: &Randoms, parameters: &[u8]) -> Vec<u8> {
    [&randoms.client[..], &randoms.server, parameters].concat()
}

/// The longest plaintext for a peer with these extensions.
pub(super) fn max_plaintext(
    max_fragment_length: Option<u8>,
    record_size_limit: Option<u16>,
) -> usize {
    let by_code = match max_fragment_length {
        Some(code @ 1..=4) => 256 << code,
        _ => MAX_PLAINTEXT,
    };
    record_size_limit.map_or(by_code, |limit| usize::from(limit).min(MAX_PLAINTEXT))
}

/// Compares a received Finished with the expected verify_data, in constant time.
pub(super) fn check_finished(message: &Message, expected: &[u8; 12]) -> Result<(), Reason> {
    if message.kind != MessageType::FINISHED || message.epoch != 1 {
        return Err(Reason::UnexpectedMessage);
    }
    let same = expected.as_slice().ct_eq(message.body());
    bool::from(same).then_some(()).ok_or(Reason::WrongKey)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::framing::Framing;

    // RFC 5246 section 7.4.9: it is the first message under the new keys.
    #[test]
    fn a_finished_is_protected_and_has_the_data_of_the_other_side() {
        let check = |kind, epoch, body: &[u8]| {
            let message = Message::framed(Framing::Datagram, kind, (5, epoch), body);
            check_finished(&message, &[7; 12])
        };
        assert_eq!(check(MessageType::FINISHED, 1, &[7; 12]), Ok(()));
        for (kind, epoch) in [(MessageType::FINISHED, 0), (MessageType::SERVER_HELLO_DONE, 1)] {
            assert_eq!(check(kind, epoch, &[7; 12]), Err(Reason::UnexpectedMessage));
        }
        for wrong in [&[7; 11][..], &[7; 13], &[8; 12], &[]] {
            assert_eq!(check(MessageType::FINISHED, 1, wrong), Err(Reason::WrongKey));
        }
    }
}
