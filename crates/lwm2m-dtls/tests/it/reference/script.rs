//! One side of a handshake, message by message, and whole handshakes that break a rule.

use super::{
    ALERT, CHANGE_CIPHER_SPEC, CLIENT_HELLO, CLIENT_KEY_EXCHANGE, EXTENDED_MASTER_SECRET, FINISHED,
    HANDSHAKE, HELLO_VERIFY_REQUEST, Hello, NEW_SESSION_TICKET, SERVER_HELLO, SERVER_HELLO_DONE,
    SERVER_KEY_EXCHANGE, SERVER_NAME, Seen, ServerHello, extension_block, message, messages, prf,
    record, records, vector,
};
use crate::support::{CLIENT, KEY, SERVER, address};
use aes::Aes128;
use aes::cipher::consts::{U8, U12};
use ccm::aead::{AeadInOut, KeyInit};
use lwm2m_dtls::Endpoint;
use lwm2m_time::Instant;
use sha2::{Digest, Sha256};

/// The state of one side of a handshake.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) is_server: bool,
    transcript: Vec<u8>,
    pub(crate) client_random: Vec<u8>,
    pub(crate) server_random: Vec<u8>,
    next_message: u16,
    next_record: [u64; 2],
    master: Vec<u8>,
    keys: Vec<u8>,
}

impl Script {
    /// Makes the record of a message of ours and hashes it.
    pub(crate) fn say(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        let message = message(kind, self.next_message, body);
        self.next_message += 1;
        self.transcript.extend_from_slice(&message);
        self.plain(HANDSHAKE, &message)
    }

    pub(crate) fn plain(&mut self, content: u8, body: &[u8]) -> Vec<u8> {
        self.next_record[0] += 1;
        record(content, 0, self.next_record[0] - 1, body)
    }

    /// Hashes a message of the peer.
    pub(crate) fn hear(&mut self, (kind, sequence, body): &(u8, u16, Vec<u8>)) {
        self.transcript.extend(message(*kind, *sequence, body));
    }

    /// Derives all keys from the pre-shared key. The transcript must end with the
    /// ClientKeyExchange.
    pub(crate) fn derive(&mut self, extended: bool) {
        let length = (KEY.len() as u16).to_be_bytes();
        let premaster = [&length[..], &[0; 16], &length, KEY].concat();
        self.master = if extended {
            prf(&premaster, "extended master secret", &Sha256::digest(&self.transcript), 48)
        } else {
            let seed = [self.client_random.clone(), self.server_random.clone()].concat();
            prf(&premaster, "master secret", &seed, 48)
        };
        let seed = [self.server_random.clone(), self.client_random.clone()].concat();
        self.keys = prf(&self.master, "key expansion", &seed, 40);
    }

    /// The verify_data of a side.
    pub(crate) fn verify_data(&self, of_server: bool) -> Vec<u8> {
        let label = if of_server { "server finished" } else { "client finished" };
        prf(&self.master, label, &Sha256::digest(&self.transcript), 12)
    }

    fn direction(&self, from_server: bool) -> (&[u8], &[u8]) {
        match from_server {
            false => (&self.keys[..16], &self.keys[32..36]),
            true => (&self.keys[16..32], &self.keys[36..]),
        }
    }

    /// Makes the protected record of a message of ours and hashes it.
    pub(crate) fn say_protected(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        let message = message(kind, self.next_message, body);
        self.next_message += 1;
        self.transcript.extend_from_slice(&message);
        self.seal(HANDSHAKE, &message)
    }

    pub(crate) fn seal(&mut self, content: u8, plaintext: &[u8]) -> Vec<u8> {
        self.next_record[1] += 1;
        let explicit = (1 << 48 | (self.next_record[1] - 1)).to_be_bytes();
        let (key, iv) = self.direction(self.is_server);
        let data = additional_data(explicit, content, plaintext.len());
        let nonce: [u8; 12] = [iv, &explicit].concat().try_into().expect("12 bytes");
        let mut sealed = plaintext.to_vec();
        ccm(key).encrypt_in_place(&nonce.into(), &data, &mut sealed).expect("short");
        record(content, 1, self.next_record[1] - 1, &[&explicit[..], &sealed].concat())
    }

    /// The Finished, protected or not.
    fn finish(&mut self, data: &[u8], in_the_clear: bool) -> Vec<u8> {
        match in_the_clear {
            true => self.say(FINISHED, data),
            false => self.say_protected(FINISHED, data),
        }
    }

    /// The plaintext of a protected record of the peer.
    pub(crate) fn open(&self, record: &Seen) -> Vec<u8> {
        let (key, iv) = self.direction(!self.is_server);
        let explicit = (u64::from(record.epoch) << 48 | record.sequence).to_be_bytes();
        let data = additional_data(explicit, record.content, record.body.len() - 16);
        let nonce: [u8; 12] = [iv, &record.body[..8]].concat().try_into().expect("12 bytes");
        let mut opened = record.body[8..].to_vec();
        ccm(key).decrypt_in_place(&nonce.into(), &data, &mut opened).expect("authentic");
        opened
    }
}

fn ccm(key: &[u8]) -> ccm::Ccm<Aes128, U8, U12> {
    ccm::Ccm::new_from_slice(key).expect("16 bytes")
}

fn additional_data(number: [u8; 8], content: u8, length: usize) -> Vec<u8> {
    [&number[..], &[content, 0xfe, 0xfd], &(length as u16).to_be_bytes()].concat()
}

/// The deviations of a scripted server.
#[derive(Default)]
pub(crate) struct ServerScript {
    /// The version in its hello; 0 for that of DTLS 1.2.
    pub(crate) version: u16,
    pub(crate) extended_master_secret: bool,
    pub(crate) extra_extension: Option<u16>,
    /// The number and body of another one.
    pub(crate) extension: Option<(u16, &'static [u8])>,
    /// The compression method of its hello.
    pub(crate) compression: u8,
    /// The length of the session id in its hello.
    pub(crate) session_id: u8,
    /// Whether it sends a session ticket before its Finished.
    pub(crate) gives_ticket: bool,
    pub(crate) hint: Option<&'static [u8]>,
    /// The types and bodies of more messages before the ServerHelloDone.
    pub(crate) more: &'static [(u8, &'static [u8])],
    pub(crate) wrong_finished: bool,
    /// Whether the Finished, which is right, comes in the clear.
    pub(crate) clear_finished: bool,
}

/// Runs a handshake with a client that has just started one. Returns the script, and the alert by
/// which the client ended the handshake before its Finished.
pub(crate) fn serve(client: &mut Endpoint, how: &ServerScript) -> (Script, Option<Vec<u8>>) {
    let (now, from) = (Instant::ZERO, address(SERVER));
    let mut script = Script { is_server: true, ..Script::default() };
    let hello = client.poll_transmit().expect("a hello").payload;
    let [hello] = messages(&hello).try_into().expect("one message");
    script.hear(&hello);
    script.client_random = Hello::parse(&hello.2).random;
    script.server_random = vec![0x5e; 32];
    let mut extensions: Vec<(u16, &[u8])> = Vec::new();
    if how.extended_master_secret {
        extensions.push((EXTENDED_MASTER_SECRET, &[]));
    }
    extensions.extend(how.extra_extension.map(|kind| (kind, &[][..])));
    extensions.extend(how.extension);
    let version = if how.version == 0 { 0xfefd } else { how.version };
    let body = [
        &version.to_be_bytes()[..],
        &script.server_random,
        &[how.session_id],
        &vec![0x1d; how.session_id.into()],
        &[0xc0, 0xa8, how.compression],
        &extension_block(&extensions),
    ]
    .concat();
    let mut flight = script.say(SERVER_HELLO, &body);
    if let Some(hint) = how.hint {
        let body = [&(hint.len() as u16).to_be_bytes()[..], hint].concat();
        flight.extend(script.say(SERVER_KEY_EXCHANGE, &body));
    }
    for (kind, body) in how.more {
        flight.extend(script.say(*kind, body));
    }
    flight.extend(script.say(SERVER_HELLO_DONE, &[]));
    client.handle_datagram(now, from, &flight);
    let answer = client.poll_transmit().expect("an answer").payload;
    let records = records(&answer);
    let Some(exchange) = messages(&answer).pop() else {
        let alert = records.first().expect("a record");
        assert_eq!(alert.content, ALERT);
        return (script, Some(alert.body.clone()));
    };
    script.hear(&exchange);
    script.derive(how.extended_master_secret);
    let expected = message(FINISHED, exchange.1 + 1, &script.verify_data(false));
    let [_, change, finished] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((change.content, change.body.as_slice()), (CHANGE_CIPHER_SPEC, &[1][..]));
    assert_eq!(script.open(finished), expected, "what both made of the keys");
    script.transcript.extend(expected);
    let mut data = script.verify_data(true);
    data[0] ^= u8::from(how.wrong_finished);
    let mut flight = Vec::new();
    if how.gives_ticket {
        flight.extend(script.say(NEW_SESSION_TICKET, &[0, 0, 0, 9, 0, 1, 7]));
        data = script.verify_data(true);
    }
    flight.extend(script.plain(CHANGE_CIPHER_SPEC, &[1]));
    flight.extend(script.finish(&data, how.clear_finished));
    client.handle_datagram(now, from, &flight);
    (script, None)
}

/// The deviations of a scripted client.
pub(crate) struct ClientScript {
    pub(crate) version: u16,
    pub(crate) suites: &'static [u16],
    pub(crate) extended_master_secret: bool,
    pub(crate) session_id: Vec<u8>,
    pub(crate) server_name: Option<&'static [u8]>,
    /// The body of supported_versions (RFC 8446 section 4.2.1).
    pub(crate) versions: Option<&'static [u8]>,
    /// The numbers and bodies of more extensions.
    pub(crate) more: Vec<(u16, Vec<u8>)>,
    pub(crate) wrong_finished: bool,
    /// Whether the Finished, which is right, comes in the clear.
    pub(crate) clear_finished: bool,
}

impl Default for ClientScript {
    fn default() -> Self {
        Self {
            version: 0xfefd,
            suites: &[0xc0a8],
            extended_master_secret: true,
            session_id: Vec::new(),
            server_name: None,
            versions: None,
            more: Vec::new(),
            wrong_finished: false,
            clear_finished: false,
        }
    }
}

impl ClientScript {
    fn hello(&self, random: &[u8], cookie: &[u8]) -> Vec<u8> {
        let mut body = self.version.to_be_bytes().to_vec();
        body.extend_from_slice(random);
        for field in [self.session_id.as_slice(), cookie] {
            body.push(field.len() as u8);
            body.extend_from_slice(field);
        }
        body.extend_from_slice(&(self.suites.len() as u16 * 2).to_be_bytes());
        self.suites.iter().for_each(|suite| body.extend_from_slice(&suite.to_be_bytes()));
        body.extend_from_slice(&[1, 0]);
        let name = self.server_name.map(|name| {
            let [high, low] = (name.len() as u16).to_be_bytes();
            let [list_high, list_low] = (name.len() as u16 + 3).to_be_bytes();
            [&[list_high, list_low, 0, high, low], name].concat()
        });
        let mut extensions: Vec<(u16, &[u8])> = Vec::new();
        extensions.extend(name.iter().map(|name| (SERVER_NAME, name.as_slice())));
        if self.extended_master_secret {
            extensions.push((EXTENDED_MASTER_SECRET, &[]));
        }
        extensions.extend(self.versions.map(|versions| (43, versions)));
        extensions.extend(self.more.iter().map(|(kind, body)| (*kind, &body[..])));
        if !extensions.is_empty() {
            body.extend(extension_block(&extensions));
        }
        body
    }
}

/// Sends both hellos to a server. Returns the script and the server's answer.
pub(crate) fn greet(server: &mut Endpoint, how: &ClientScript) -> (Script, Vec<u8>) {
    let (now, from) = (Instant::ZERO, address(CLIENT));
    let mut script = Script { client_random: vec![0xc1; 32], ..Script::default() };
    let first = script.say(CLIENT_HELLO, &how.hello(&script.client_random.clone(), &[]));
    server.handle_datagram(now, from, &first);
    let request = server.poll_transmit().expect("a HelloVerifyRequest").payload;
    let [(HELLO_VERIFY_REQUEST, _, body)] = &messages(&request)[..] else {
        panic!("{request:02x?}")
    };
    script.transcript.clear();
    let cookie = vector(&mut &body[2..], 1).to_vec();
    let second = script.say(CLIENT_HELLO, &how.hello(&script.client_random.clone(), &cookie));
    server.handle_datagram(now, from, &second);
    let answer = server.poll_transmit().expect("an answer").payload;
    (script, answer.to_vec())
}

/// Completes a full handshake after [`greet`]. Returns the server's last flight, or nothing.
pub(crate) fn go_on(
    server: &mut Endpoint,
    how: &ClientScript,
    script: &mut Script,
    flight: &[u8],
    identity: &[u8],
) -> Vec<u8> {
    let (now, from) = (Instant::ZERO, address(CLIENT));
    for heard in messages(flight) {
        if heard.0 == SERVER_HELLO {
            script.server_random = ServerHello::parse(&heard.2).random;
        }
        script.hear(&heard);
    }
    let body = [&(identity.len() as u16).to_be_bytes()[..], identity].concat();
    let mut flight = script.say(CLIENT_KEY_EXCHANGE, &body);
    script.derive(how.extended_master_secret);
    flight.extend(script.plain(CHANGE_CIPHER_SPEC, &[1]));
    let mut data = script.verify_data(false);
    data[11] ^= u8::from(how.wrong_finished);
    flight.extend(script.finish(&data, how.clear_finished));
    server.handle_datagram(now, from, &flight);
    server.poll_transmit().map(|it| it.payload.to_vec()).unwrap_or_default()
}
