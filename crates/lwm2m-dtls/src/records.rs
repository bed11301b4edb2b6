//! The records of an established session on datagrams, by either backend.

use crate::channel::Channel;
use crate::error::Error;
#[cfg(feature = "mbedtls")]
use crate::mbedtls::MbedTls;
use crate::record::header::ContentType;
use crate::rng::Rng;
#[cfg(feature = "mbedtls")]
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The protection of a session's records.
pub(crate) enum Records {
    Native(Channel),
    #[cfg(feature = "mbedtls")]
    MbedTls(Box<MbedTls>),
}

impl Records {
    /// Seals application data or an alert as a datagram.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::SequenceExhausted`].
    pub(crate) fn seal(
        &mut self,
        content: ContentType,
        plaintext: &[u8],
        rng: &mut Rng,
    ) -> Result<Vec<u8>, Error> {
        match self {
            Self::Native(channel) => {
                let mut out = Vec::with_capacity(channel.overhead() + plaintext.len());
                channel.seal(content, plaintext, rng, &mut out)?;
                Ok(out)
            }
            #[cfg(feature = "mbedtls")]
            Self::MbedTls(library) => library.seal(content, plaintext),
        }
    }

    /// The longest application data that fits a record, in bytes.
    pub(crate) fn max_data(&self) -> usize {
        match self {
            Self::Native(channel) => channel.max_plaintext.into(),
            #[cfg(feature = "mbedtls")]
            Self::MbedTls(library) => library.max_data(),
        }
    }

    /// The state of native records.
    pub(crate) const fn channel(&self) -> Option<&Channel> {
        match self {
            Self::Native(channel) => Some(channel),
            #[cfg(feature = "mbedtls")]
            Self::MbedTls(_) => None,
        }
    }

    /// The state of native records.
    pub(crate) const fn channel_mut(&mut self) -> Option<&mut Channel> {
        match self {
            Self::Native(channel) => Some(channel),
            #[cfg(feature = "mbedtls")]
            Self::MbedTls(_) => None,
        }
    }

    /// The Connection ID in the peer's records; empty without one.
    pub(crate) fn read_cid(&self) -> &[u8] {
        self.channel().map_or(&[], |channel| &channel.read_cid)
    }

    /// Whether new addresses are checked (RFC 9853).
    pub(crate) fn checks_paths(&self) -> bool {
        self.channel().is_some_and(|channel| channel.return_routability_check)
    }
}
