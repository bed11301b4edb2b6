//! A DTLS handshake by either backend.

use crate::alert::Alert;
use crate::dtls12::Dtls12;
use crate::flight::Flight;
use crate::handshake::context::Context;
#[cfg(feature = "mbedtls")]
use crate::mbedtls::MbedTls;
use crate::mode::Mode;
use crate::records::Records;
#[cfg(feature = "mbedtls")]
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The protocol of a handshake on datagrams.
pub(crate) enum Dtls {
    Native(Dtls12),
    #[cfg(feature = "mbedtls")]
    MbedTls(Box<MbedTls>),
}

/// What a finished handshake leaves.
pub(crate) struct Finished {
    pub(crate) records: Records,
    /// The rest of our last flight.
    pub(crate) datagrams: Vec<Vec<u8>>,
    /// Our last flight, in case the peer has missed it. Mbed TLS keeps it by itself.
    pub(crate) lingering: Option<Flight>,
}

impl Dtls {
    /// The mode, if it is known yet.
    pub(crate) fn mode(&self) -> Option<Mode> {
        match self {
            Self::Native(native) => Some(native.mode),
            #[cfg(feature = "mbedtls")]
            Self::MbedTls(library) => library.mode(),
        }
    }

    /// Whether a client has sent its Finished.
    pub(crate) fn has_sent_finished(&self) -> bool {
        match self {
            Self::Native(native) => native.flight.has_changed_cipher(),
            #[cfg(feature = "mbedtls")]
            Self::MbedTls(library) => library.awaits_finished(),
        }
    }

    /// The flight as datagrams.
    pub(crate) fn datagrams(&mut self, context: &mut Context<'_>) -> Vec<Vec<u8>> {
        match self {
            Self::Native(native) => native.datagrams(context),
            #[cfg(feature = "mbedtls")]
            Self::MbedTls(library) => library.take_outgoing(),
        }
    }

    /// The datagrams that tell the peer of a failure.
    pub(crate) fn refusal(
        &mut self,
        alert: Option<Alert>,
        context: &mut Context<'_>,
    ) -> Vec<Vec<u8>> {
        match self {
            Self::Native(native) => {
                alert.map(|alert| native.alert(alert, context)).into_iter().collect()
            }
            #[cfg(feature = "mbedtls")]
            Self::MbedTls(library) => {
                alert.into_iter().for_each(|alert| library.alert(alert));
                library.take_outgoing()
            }
        }
    }

    /// Turns the finished handshake into the records of its session.
    pub(crate) fn finish(self, sends_last: bool, context: &mut Context<'_>) -> Option<Finished> {
        match self {
            Self::Native(mut native) => {
                let datagrams = if sends_last { native.datagrams(context) } else { Vec::new() };
                let records = Records::Native(*native.channel?);
                let lingering = sends_last.then_some(native.flight);
                Some(Finished { records, datagrams, lingering })
            }
            #[cfg(feature = "mbedtls")]
            Self::MbedTls(mut library) => {
                let datagrams = library.take_outgoing();
                Some(Finished { records: Records::MbedTls(library), datagrams, lingering: None })
            }
        }
    }
}
