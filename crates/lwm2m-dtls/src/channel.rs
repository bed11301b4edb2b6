//! The protected records of a session in both directions. There is one epoch, because renegotiation
//! is refused.

use crate::counters::SessionFingerprint;
use crate::error::Error;
use crate::handshake::keys::Keys;
use crate::record::header::{
    ContentType, HEADER_LENGTH, Header, MAX_PLAINTEXT, MAX_SEQUENCE, Record, VERSION,
};
use crate::record::keys::Protection;
use crate::record::window::ReplayWindow;
use crate::rng::Rng;
use crate::suite::{Cipher, CipherSuite};
use alloc::boxed::Box;
use alloc::vec::Vec;
use rand_chacha::rand_core::RngCore;
use sha2::{Digest, Sha256};

/// The epoch after the only ChangeCipherSpec.
pub(crate) const EPOCH: u16 = 1;

/// Keys, Connection IDs and counters of a session.
pub(crate) struct Channel {
    pub(crate) suite: CipherSuite,
    pub(crate) read: Protection,
    pub(crate) write: Protection,
    pub(crate) window: ReplayWindow,
    /// The sequence number of our next record.
    pub(crate) sequence: u64,
    /// The number after the last one that we may use. The last one is for the alert that ends the
    /// session.
    pub(crate) limit: u64,
    pub(crate) read_cid: Box<[u8]>,
    pub(crate) write_cid: Box<[u8]>,
    pub(crate) return_routability_check: bool,
    pub(crate) max_plaintext: u16,
}

/// An opened record.
pub(crate) struct Opened {
    pub(crate) content: ContentType,
    pub(crate) plaintext: Vec<u8>,
    /// Its sequence number is greater than all before.
    pub(crate) newest: bool,
}

impl Channel {
    pub(crate) fn new(keys: Keys) -> Self {
        Self {
            suite: keys.suite,
            read: keys.read,
            write: keys.write,
            window: ReplayWindow::default(),
            sequence: 0,
            limit: MAX_SEQUENCE + 1,
            read_cid: keys.read_cid.into(),
            write_cid: keys.write_cid.into(),
            return_routability_check: keys.return_routability_check,
            max_plaintext: u16::try_from(keys.max_plaintext).unwrap_or(u16::MAX),
        }
    }

    /// The most bytes that a record adds to its plaintext.
    pub(crate) fn overhead(&self) -> usize {
        HEADER_LENGTH + self.write_cid.len() + 1 + self.write.overhead()
    }

    /// Appends a sealed record.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::SequenceExhausted`], [`Error::CountersNotWritten`].
    pub(crate) fn seal(
        &mut self,
        content: ContentType,
        plaintext: &[u8],
        rng: &mut Rng,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let limit = usize::from(self.max_plaintext);
        if plaintext.len() > limit {
            return Err(Error::TooLarge { limit });
        }
        let reserved = u64::from(content != ContentType::ALERT);
        if self.sequence + reserved >= self.limit {
            return Err(match self.limit {
                0..=MAX_SEQUENCE => Error::CountersNotWritten,
                _ => Error::SequenceExhausted,
            });
        }
        let mut iv = [0; 16];
        if self.write.cipher == Cipher::CbcSha256 {
            rng.fill_bytes(&mut iv);
        }
        let sequence = self.sequence;
        self.sequence += 1;
        let cid = &self.write_cid;
        let header = Header { content, version: VERSION, epoch: EPOCH, sequence, cid };
        self.write.seal(&header, plaintext, &iv, out);
        Ok(())
    }

    /// A digest that identifies the session without revealing its keys.
    pub(crate) fn fingerprint(&self) -> SessionFingerprint {
        let mut hash = Sha256::new();
        for keys in [&self.read, &self.write] {
            hash.update(keys.key);
            hash.update(keys.fixed_iv);
            hash.update(keys.mac_key);
        }
        let digest: [u8; 32] = hash.finalize().into();
        SessionFingerprint(digest.first_chunk().copied().unwrap_or_default())
    }

    /// Whether the record may belong to the session: by form, epoch, Connection ID and replay
    /// window.
    pub(crate) fn expects(&self, header: &Header<'_>) -> bool {
        let well_formed =
            header.epoch == EPOCH && header.version == VERSION && self.is_for_us(header);
        well_formed && self.window.accepts(header.sequence)
    }

    fn is_for_us(&self, header: &Header<'_>) -> bool {
        // Skips the comparison without a Connection ID: comparing two empty slices takes as long as
        // decryption on some processors.
        match self.read_cid.is_empty() {
            true => header.content != ContentType::TLS12_CID,
            false => header.content == ContentType::TLS12_CID && *header.cid == *self.read_cid,
        }
    }

    /// Opens a record; `None` if it is a repetition or not authentic.
    pub(crate) fn open(&mut self, record: &Record<'_>) -> Option<Opened> {
        let header = &record.header;
        if !self.expects(header) {
            return None;
        }
        let (content, plaintext) = self.read.open(header, record.body)?;
        if plaintext.len() > MAX_PLAINTEXT {
            return None;
        }
        let newest = self.window.insert(header.sequence);
        Some(Opened { content, plaintext, newest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::header;
    use rand_chacha::rand_core::SeedableRng;

    fn channel(read_cid: &[u8], write_cid: &[u8]) -> Channel {
        let keys = Protection {
            cipher: Cipher::Ccm8,
            encrypt_then_mac: false,
            key: [1; 16],
            fixed_iv: [2; 4],
            mac_key: [3; 32],
        };
        Channel::new(Keys {
            suite: CipherSuite::PSK_WITH_AES_128_CCM_8,
            read: keys.clone(),
            write: keys,
            read_cid: read_cid.to_vec(),
            write_cid: write_cid.to_vec(),
            return_routability_check: false,
            max_plaintext: 100,
        })
    }

    /// RFC 9146 section 3: a peer must use the Connection ID that it was given.
    #[test]
    fn authentic_records_with_another_id_or_none_are_dropped() {
        for (expected, used, opens) in [
            (&b"ab"[..], &b"ab"[..], true),
            (b"ab", b"ac", false),
            (b"ab", b"", false),
            (b"", b"", true),
            (b"", b"ab", false),
        ] {
            let (mut sender, mut receiver) = (channel(b"", used), channel(expected, b""));
            let (mut out, mut rng) = (Vec::new(), Rng::from_seed([4; 32]));
            let sealed = sender.seal(ContentType::APPLICATION_DATA, b"data", &mut rng, &mut out);
            let (record, _) = header::parse(&out, used.len()).expect("a record");
            assert!(sealed.is_ok() && receiver.expects(&record.header) == opens);
            assert_eq!(receiver.open(&record).is_some(), opens, "{expected:?} {used:?}");
        }
    }

    fn sealed(sender: &mut Channel, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let (mut out, mut rng) = (Vec::new(), Rng::from_seed([4; 32]));
        sender.seal(ContentType::APPLICATION_DATA, plaintext, &mut rng, &mut out)?;
        Ok(out)
    }

    #[test]
    fn a_record_is_as_long_as_the_peer_takes_and_adds_what_is_said() {
        for cid in [&b""[..], b"abcd"] {
            let mut sender = channel(b"", cid);
            let most = sealed(&mut sender, &[7; 100]).expect("it fits");
            let added = most.len() - 100;
            assert!((added..=added + 1).contains(&sender.overhead()), "{added}");
            for length in [101, 102, 1_000] {
                let refused = sealed(&mut sender, &vec![7; length]).expect_err("too long");
                assert_eq!(refused, Error::TooLarge { limit: 100 });
            }
        }
    }

    // RFC 6347 section 4.1: a plaintext has 2^14 bytes at most
    #[test]
    fn a_plaintext_that_is_too_long_is_dropped_although_it_is_authentic() {
        for (length, opens) in [(16_384, true), (16_385, false), (16_400, false)] {
            let (mut sender, mut receiver) = (channel(b"", b""), channel(b"", b""));
            sender.max_plaintext = u16::MAX;
            let out = sealed(&mut sender, &vec![7; length]).expect("it fits");
            let (record, _) = header::parse(&out, 0).expect("a record");
            assert_eq!(receiver.open(&record).is_some(), opens, "{length}");
        }
    }

    #[test]
    fn records_of_another_epoch_or_version_are_not_expected() {
        let receiver = channel(b"", b"");
        let header = |version, epoch| {
            let content = ContentType::APPLICATION_DATA;
            Header { content, version, epoch, sequence: 1, cid: b"" }
        };
        assert!(receiver.expects(&header(VERSION, EPOCH)));
        for other in [header(VERSION, 0), header(VERSION, EPOCH + 1), header(0xfeff, EPOCH)] {
            assert!(!receiver.expects(&other));
        }
    }
}
