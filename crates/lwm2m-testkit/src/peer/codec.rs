//! `PeerCodec`: the codecs of Leshan's library, which decode our payloads and encode them again.

use super::installed::{available, peer_folder};
use super::roles::leshan;
use super::{Error, Process};

/// Payloads with their Content-Formats.
pub type Payloads = Vec<(u16, Vec<u8>)>;

/// An independent codec in another process.
#[derive(Debug)]
pub struct PeerCodec(Process);

impl PeerCodec {
    /// Starts it. `None` if Leshan is not installed.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start() -> Result<Option<Self>, Error> {
        if !available("Leshan", peer_folder("leshan/classes/PeerCodec.class").exists()) {
            return Ok(None);
        }
        Ok(Some(Self(Process::start("Leshan's codec", &mut leshan("PeerCodec"))?)))
    }

    /// Adds a definition: `object ID` or `resource ID TYPE MULTIPLE`.
    ///
    /// # Errors
    /// It has ended.
    pub fn tell(&mut self, definition: &str) -> Result<(), Error> {
        self.0.tell(definition)
    }

    /// Carries out a command: `recode PATH FORMAT HEX` or `links HEX`. What it wrote, each with the
    /// number of its format, or why it could not read.
    ///
    /// # Errors
    /// No answer comes.
    pub fn ask(&mut self, command: &str) -> Result<Result<Payloads, String>, Error> {
        self.0.tell(command)?;
        let answer = self.0.wait_for("an answer", |line| {
            let rest = line.strip_prefix("recoded").map(|rest| Ok(rest.to_owned()));
            rest.or_else(|| line.strip_prefix("failed ").map(|why| Err(why.to_owned())))
        })?;
        let garbled = |text: &str| Error::Garbled { what: "Leshan's codec", text: text.to_owned() };
        answer
            .map(|list| list.split_whitespace().map(payload).collect::<Option<_>>().ok_or(list))
            .map_or_else(|why| Ok(Err(why)), |read| read.map(Ok).map_err(|list| garbled(&list)))
    }
}

fn payload(word: &str) -> Option<(u16, Vec<u8>)> {
    let (format, hex) = word.split_once(':')?;
    let bytes = (0..hex.len()).step_by(2);
    let bytes = bytes.map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok());
    Some((format.parse().ok()?, bytes.collect::<Option<_>>()?))
}
