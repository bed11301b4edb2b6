//! Protection of records by AES-GCM (RFC 5288), AES-CCM ([`super::ccm`]) or AES-CBC
//! ([`super::cbc`]).

use super::additional_data::AdditionalData;
use super::cbc;
use super::ccm::Ccm;
use super::header::{ContentType, Header, patch_length};
use super::keys::Protection;
use crate::suite::Cipher;
use aes::Aes128Enc;
use aes::cipher::consts::U12;
use aes_gcm::aead::{AeadInOut, KeyInit};
use alloc::vec::Vec;
use subtle::ConstantTimeEq;

/// GCM with an AES that only encrypts: the mode needs no key schedule for decryption.
type Gcm = aes_gcm::AesGcm<Aes128Enc, U12>;

/// The length of the explicit part of an AEAD nonce.
const EXPLICIT_NONCE: usize = 8;

impl Protection {
    /// The most bytes that protection adds to a plaintext.
    pub(crate) fn overhead(&self) -> usize {
        match self.cipher {
            Cipher::Ccm8 => EXPLICIT_NONCE + 8,
            Cipher::Ccm | Cipher::Gcm => EXPLICIT_NONCE + 16,
            Cipher::CbcSha256 => 16 + 32 + 16,
        }
    }

    /// Appends a sealed record of a datagram. With a Connection ID in the header, the content type
    /// moves into the ciphertext. `iv` must be fresh randomness for CBC; other modes ignore it.
    pub(crate) fn seal(
        &self,
        header: &Header<'_>,
        plaintext: &[u8],
        iv: &[u8; 16],
        out: &mut Vec<u8>,
    ) {
        let inner = (!header.cid.is_empty()).then_some(header.content.0);
        let content = if inner.is_some() { ContentType::TLS12_CID } else { header.content };
        let header = Header { content, ..*header };
        let start = out.len();
        header.encode(out);
        let body = out.len();
        self.seal_body(&header, (plaintext, inner), iv, out);
        patch_length(out.get_mut(start..).unwrap_or_default(), body - start);
    }

    /// Appends the sealed body of a record.
    pub(crate) fn seal_body(
        &self,
        header: &Header<'_>,
        (plaintext, inner): (&[u8], Option<u8>),
        iv: &[u8; 16],
        out: &mut Vec<u8>,
    ) {
        if self.cipher == Cipher::CbcSha256 {
            cbc::seal(self, header, (plaintext, inner), iv, out);
        } else {
            self.seal_aead(header, plaintext, inner, out);
        }
    }

    fn seal_aead(
        &self,
        header: &Header<'_>,
        plaintext: &[u8],
        inner: Option<u8>,
        out: &mut Vec<u8>,
    ) {
        let number = header.number();
        out.extend_from_slice(&number);
        let start = out.len();
        out.extend_from_slice(plaintext);
        out.extend(inner);
        let data = AdditionalData::new(header, out.len() - start);
        let nonce = self.nonce(&number);
        let message = out.get_mut(start..).unwrap_or_default();
        let tag = match self.cipher {
            // Sealing cannot fail: the lengths are far below the limits of the mode.
            Cipher::Gcm => Gcm::new(&self.key.into())
                .encrypt_inout_detached(&nonce.into(), data.as_slice(), message.into())
                .map(Into::into)
                .unwrap_or_default(),
            _ => self.ccm(&nonce, data.as_slice()).seal(message),
        };
        out.extend_from_slice(tag.get(..self.tag_length()).unwrap_or_default());
    }

    fn ccm<'a>(&'a self, nonce: &'a [u8; 12], data: &'a [u8]) -> Ccm<'a> {
        Ccm { key: &self.key, tag_length: self.tag_length(), nonce, data }
    }

    /// Returns the content type and plaintext of a record; `None` if it is not authentic.
    pub(crate) fn open(&self, header: &Header<'_>, body: &[u8]) -> Option<(ContentType, Vec<u8>)> {
        let mut plaintext = if self.cipher == Cipher::CbcSha256 {
            cbc::open(self, header, body)?
        } else {
            self.open_aead(header, body)?
        };
        if header.content != ContentType::TLS12_CID {
            return Some((header.content, plaintext));
        }
        let last = plaintext.iter().rposition(|&byte| byte != 0)?;
        let content = ContentType(*plaintext.get(last)?);
        plaintext.truncate(last);
        Some((content, plaintext))
    }

    fn open_aead(&self, header: &Header<'_>, body: &[u8]) -> Option<Vec<u8>> {
        let tag_length = self.tag_length();
        let (explicit, sealed) = body.split_first_chunk::<EXPLICIT_NONCE>()?;
        let (sealed, tag) = sealed.split_at_checked(sealed.len().checked_sub(tag_length)?)?;
        let mut plaintext = sealed.to_vec();
        let data = AdditionalData::new(header, plaintext.len());
        let nonce = self.nonce(explicit);
        if self.cipher == Cipher::Gcm {
            let message = plaintext.as_mut_slice().into();
            let tag = tag.try_into().ok()?;
            let gcm = Gcm::new(&self.key.into());
            let opened = gcm.decrypt_inout_detached(&nonce.into(), data.as_slice(), message, tag);
            return opened.ok().map(|()| plaintext);
        }
        let expected = self.ccm(&nonce, data.as_slice()).open(&mut plaintext);
        bool::from(expected.get(..tag_length)?.ct_eq(tag)).then_some(plaintext)
    }

    /// The length of the AEAD tag.
    fn tag_length(&self) -> usize {
        self.overhead() - EXPLICIT_NONCE
    }

    fn nonce(&self, explicit: &[u8; EXPLICIT_NONCE]) -> [u8; 12] {
        let [a, b, c, d] = self.fixed_iv;
        let [e, f, g, h, i, j, k, l] = *explicit;
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::header::VERSION;

    fn protection(cipher: Cipher, encrypt_then_mac: bool) -> Protection {
        let (key, fixed_iv, mac_key) = ([1; 16], [2; 4], [3; 32]);
        Protection { cipher, encrypt_then_mac, key, fixed_iv, mac_key }
    }

    fn header(cid: &[u8]) -> Header<'_> {
        let content = ContentType::APPLICATION_DATA;
        Header { content, version: VERSION, epoch: 1, sequence: 5, cid }
    }

    fn sealed(keys: &Protection, cid: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        keys.seal(&header(cid), plaintext, &[4; 16], &mut out);
        out
    }

    fn opened(keys: &Protection, cid: &[u8], record: &[u8]) -> Option<(ContentType, Vec<u8>)> {
        let (record, rest) = crate::record::header::parse(record, cid.len())?;
        rest.is_empty().then(|| keys.open(&record.header, record.body))?
    }

    const ALL: [(Cipher, bool); 5] = [
        (Cipher::Ccm8, false),
        (Cipher::Ccm, false),
        (Cipher::Gcm, false),
        (Cipher::CbcSha256, false),
        (Cipher::CbcSha256, true),
    ];

    #[test]
    fn records_of_all_lengths_come_back_and_altered_ones_do_not() {
        for (cipher, encrypt_then_mac) in ALL {
            let keys = protection(cipher, encrypt_then_mac);
            for cid in [&[][..], &[9, 8, 7]] {
                for length in 0..=64 {
                    let plaintext: Vec<u8> = (1..=length).collect();
                    let record = sealed(&keys, cid, &plaintext);
                    assert!(record.len() <= 13 + cid.len() + 1 + keys.overhead() + plaintext.len());
                    let expected = (ContentType::APPLICATION_DATA, plaintext);
                    assert_eq!(opened(&keys, cid, &record), Some(expected));
                }
                let record = sealed(&keys, cid, b"a record");
                for index in 0..record.len() {
                    let mut altered = record.clone();
                    altered[index] ^= 1;
                    assert!(opened(&keys, cid, &altered).is_none(), "at {index}");
                }
            }
        }
    }

    /// Computed with Python's `cryptography`, which is OpenSSL.
    // proves: SEC-15, CID-04
    #[test]
    fn known_answers() {
        let hex = |text: &str| -> Vec<u8> {
            let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
            (0..text.len()).step_by(2).map(digits).collect()
        };
        let cid = [0xc1, 0xd2, 0xe3, 0xf4];
        let answers: [(Cipher, bool, &[u8], &str); 4] = [
            (
                Cipher::Ccm8,
                false,
                &[],
                "17fefd0001000000000005001c000100000000000547936140c186a55d6f40329792110df6e2\
                 24c4b3",
            ),
            (
                Cipher::Ccm8,
                false,
                &cid,
                concat!(
                    "19fefd0001000000000005c1d2e3f4001d000100000000000547936140c186a55d6f40329784",
                    "11d410e32ea4e93f",
                ),
            ),
            (
                Cipher::CbcSha256,
                false,
                &cid,
                concat!(
                    "19fefd0001000000000005c1d2e3f4004004040404040404040404040404040404a1bffb93cd",
                    "0423217dc87adabae01baad3b9085f1022c105be253b3cf1daa633ff58442a7fe1b20b4e775d",
                    "c4d4b31d0e",
                ),
            ),
            (
                Cipher::CbcSha256,
                true,
                &cid,
                concat!(
                    "19fefd0001000000000005c1d2e3f400400404040404040404040404040404040",
                    "45be9ca009d43bec972c1bee549fca76e7666176a2eceee9acc8f4f25546ee532783cdf920556",
                    "64381e5c2adb798ccaf3",
                ),
            ),
        ];
        for (cipher, encrypt_then_mac, cid, answer) in answers {
            let mut keys = protection(cipher, encrypt_then_mac);
            keys.key = core::array::from_fn(|index| index as u8);
            keys.fixed_iv = [0xa0, 0xa1, 0xa2, 0xa3];
            keys.mac_key = core::array::from_fn(|index| index as u8 + 32);
            assert_eq!(sealed(&keys, cid, b"known answer"), hex(answer));
            let expected = (ContentType::APPLICATION_DATA, b"known answer".to_vec());
            assert_eq!(opened(&keys, cid, &hex(answer)), Some(expected));
        }
    }

    // proves: CID-02
    #[test]
    fn zeros_after_the_inner_type_are_padding_and_only_zeros_are_nothing() {
        for (cipher, encrypt_then_mac) in ALL {
            let keys = protection(cipher, encrypt_then_mac);
            let inner = Header { content: ContentType(0), ..header(&[1]) };
            for zeros in 0..=16 {
                let plaintext = [&b"data\x17"[..], &vec![0; zeros]].concat();
                let mut record = Vec::new();
                keys.seal(&inner, &plaintext, &[4; 16], &mut record);
                let expected = (ContentType::APPLICATION_DATA, b"data".to_vec());
                assert_eq!(opened(&keys, &[1], &record), Some(expected));
                let mut record = Vec::new();
                keys.seal(&inner, &vec![0; zeros], &[4; 16], &mut record);
                assert_eq!(opened(&keys, &[1], &record), None);
            }
        }
    }
}
