//! Protection of records: AES-CCM and AES-GCM (RFC 6655, RFC 5288), AES-CBC in [`super::cbc`].

use super::cbc;
use super::header::{ContentType, Header, VERSION, patch_length};
use crate::suite::Cipher;
use aes::Aes128;
use aes::cipher::consts::{U8, U12, U16};
use alloc::vec::Vec;
use ccm::aead::{AeadInOut, KeyInit};
use zeroize::Zeroize;

type Ccm8 = ccm::Ccm<Aes128, U8, U12>;
type Ccm16 = ccm::Ccm<Aes128, U16, U12>;
type Gcm = aes_gcm::Aes128Gcm;

/// The explicit part of an AEAD nonce.
const EXPLICIT_NONCE: usize = 8;

/// The keys of one direction. They are kept raw: schedules would cost an idle session ten times
/// their size.
#[derive(Clone)]
pub(crate) struct Protection {
    pub(crate) cipher: Cipher,
    pub(crate) encrypt_then_mac: bool,
    pub(crate) key: [u8; 16],
    pub(crate) fixed_iv: [u8; 4],
    pub(crate) mac_key: [u8; 32],
}

impl Drop for Protection {
    fn drop(&mut self) {
        self.key.zeroize();
        self.fixed_iv.zeroize();
        self.mac_key.zeroize();
    }
}

impl Protection {
    /// The most that protection adds to a plaintext.
    pub(crate) fn overhead(&self) -> usize {
        match self.cipher {
            Cipher::Ccm8 => EXPLICIT_NONCE + 8,
            Cipher::Ccm | Cipher::Gcm => EXPLICIT_NONCE + 16,
            Cipher::CbcSha256 => 16 + 32 + 16,
        }
    }

    /// Appends the whole record. With a Connection ID in the header the type moves inside.
    /// `iv` is fresh randomness, which only CBC uses.
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
        if self.cipher == Cipher::CbcSha256 {
            cbc::seal(self, &header, (plaintext, inner), iv, out);
        } else {
            self.seal_aead(&header, plaintext, inner, out);
        }
        patch_length(out.get_mut(start..).unwrap_or_default(), body - start);
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
        // Lengths are far below what the modes allow, so sealing cannot fail.
        match self.cipher {
            Cipher::Ccm8 => append(
                Ccm8::new(&self.key.into()).encrypt_inout_detached(
                    &nonce.into(),
                    data.as_slice(),
                    message.into(),
                ),
                out,
            ),
            Cipher::Ccm => append(
                Ccm16::new(&self.key.into()).encrypt_inout_detached(
                    &nonce.into(),
                    data.as_slice(),
                    message.into(),
                ),
                out,
            ),
            _ => append(
                Gcm::new(&self.key.into()).encrypt_inout_detached(
                    &nonce.into(),
                    data.as_slice(),
                    message.into(),
                ),
                out,
            ),
        }
    }

    /// The type and the plaintext of a protected record; nothing if it is not authentic.
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
        let tag_length = self.overhead() - EXPLICIT_NONCE;
        let (explicit, sealed) = body.split_first_chunk::<EXPLICIT_NONCE>()?;
        let (sealed, tag) = sealed.split_at_checked(sealed.len().checked_sub(tag_length)?)?;
        let mut plaintext = sealed.to_vec();
        let data = AdditionalData::new(header, plaintext.len());
        let nonce = self.nonce(explicit).into();
        let message = plaintext.as_mut_slice().into();
        let data = data.as_slice();
        let opened = match self.cipher {
            Cipher::Ccm8 => Ccm8::new(&self.key.into()).decrypt_inout_detached(
                &nonce,
                data,
                message,
                tag.try_into().ok()?,
            ),
            Cipher::Ccm => Ccm16::new(&self.key.into()).decrypt_inout_detached(
                &nonce,
                data,
                message,
                tag.try_into().ok()?,
            ),
            _ => Gcm::new(&self.key.into()).decrypt_inout_detached(
                &nonce,
                data,
                message,
                tag.try_into().ok()?,
            ),
        };
        opened.ok().map(|()| plaintext)
    }

    fn nonce(&self, explicit: &[u8; EXPLICIT_NONCE]) -> [u8; 12] {
        let [a, b, c, d] = self.fixed_iv;
        let [e, f, g, h, i, j, k, l] = *explicit;
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }
}

fn append<T: AsRef<[u8]>>(tag: Result<T, ccm::aead::Error>, out: &mut Vec<u8>) {
    if let Ok(tag) = tag {
        out.extend_from_slice(tag.as_ref());
    }
}

/// What is authenticated besides the message: 13 bytes without Connection ID (RFC 5246 section
/// 6.2.3.3), the longer form of RFC 9146 section 5 with one.
pub(super) struct AdditionalData {
    bytes: [u8; 23 + 255],
    length: usize,
}

impl AdditionalData {
    pub(super) fn new(header: &Header<'_>, length: usize) -> Self {
        let mut data = Self { bytes: [0; 23 + 255], length: 0 };
        let version = VERSION.to_be_bytes();
        if header.content == ContentType::TLS12_CID {
            let cid_length = u8::try_from(header.cid.len()).unwrap_or(u8::MAX);
            data.push(&[0xff; 8]);
            data.push(&[header.content.0, cid_length, header.content.0]);
            data.push(&version);
            data.push(&header.number());
            data.push(header.cid);
        } else {
            data.push(&header.number());
            data.push(&[header.content.0]);
            data.push(&version);
        }
        data.push(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        data
    }

    fn push(&mut self, bytes: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.length..self.length + bytes.len()) {
            room.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
