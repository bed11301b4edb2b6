//! The server's side: requests of peers, and the responses to them.

use super::block::{BlockSize, BlockValue};
use super::bodies::{Assembly, Served};
use super::check::{self, Steering};
use super::key::{RequestKey, body_options};
use super::{Exchanges, FRAME, Incoming, MAX_MESSAGE};
use crate::error::Error;
use crate::event::{Event, GoneReason};
use crate::message::{Code, OptionNumber, Token};
use crate::messaging::{Content, Messaging, Source};
use crate::peer::{ExchangeId, Observer, PeerId};
use crate::request::Request;
use crate::response::Response;
use alloc::vec::Vec;
use bytes::Bytes;
use lwm2m_time::Instant;

/// The most bytes that Block1, Block2, Size2 and ETag add to the options of a response.
const BLOCK_OPTIONS: usize = 32;

/// A request that waits for the application.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) peer: PeerId,
    pub(super) expires: Instant,
    token: Token,
    source: Source,
    key: RequestKey,
    block1: Option<BlockValue>,
    block2: Option<BlockValue>,
    /// It asks for an observation.
    registers: bool,
}

impl Exchanges {
    /// Takes a request in: it becomes an event, or is answered at once.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        messaging: &mut Messaging,
        source: Source,
        incoming: Incoming<'_>,
    ) {
        let token = incoming.token;
        let answer = match self.judge(now, messaging, source, incoming) {
            Ok(()) => return messaging.expect_reply(now, source),
            // RFC 7252 section 5.4.1: such a request is rejected in silence.
            Err(response) if response.code == Code::BAD_OPTION && !source.confirmable => return,
            Err(response) => response,
        };
        let content = content(&answer, token);
        // Without a message ID for it, the answer to a non-confirmable request is lost.
        let _ = messaging.reply(now, source, content);
    }

    /// Puts a request before the application.
    ///
    /// # Errors
    /// The answer, if it is none of the application's business.
    fn judge(
        &mut self,
        now: Instant,
        messaging: &mut Messaging,
        source: Source,
        incoming: Incoming<'_>,
    ) -> Result<(), Response> {
        let peer = source.peer;
        let steering = check::request(&incoming.options).map_err(Response::new)?;
        self.serve_block(now, peer, &incoming, &steering)?;
        let mut request = Request {
            code: incoming.code,
            options: incoming.options,
            payload: Bytes::new(),
            confirmable: source.confirmable,
        };
        self.assemble(now, peer, &mut request, incoming.payload, &steering)?;
        self.check_load(messaging, peer)?;
        let observable = matches!(request.code, Code::GET | Code::FETCH);
        if observable && steering.observe == Some(1) {
            self.observer_gone(
                messaging,
                Observer { peer, token: incoming.token },
                GoneReason::Cancelled,
            );
        }
        let waiting = Waiting {
            peer,
            expires: now + self.config.transmission.exchange_lifetime,
            token: incoming.token,
            source,
            key: RequestKey::new(request.code, &request.options, &request.payload),
            block1: steering.block1,
            block2: steering.block2,
            registers: observable && steering.observe == Some(0),
        };
        self.wait(waiting, request);
        Ok(())
    }

    fn wait(&mut self, waiting: Waiting, mut request: Request) {
        let (peer, token) = (waiting.peer, waiting.token);
        if waiting.block1.is_some() || waiting.block2.is_some() {
            request
                .options
                .retain(|number| !matches!(number, OptionNumber::BLOCK1 | OptionNumber::BLOCK2));
        }
        let id = self.id();
        self.waiting.insert(id, waiting);
        self.with_peer(peer, |peer| peer.waiting += 1);
        let exchange = ExchangeId(id);
        self.events.push_back(Event::Request { exchange, peer, request, token });
    }

    fn check_load(&self, messaging: &mut Messaging, peer: PeerId) -> Result<(), Response> {
        let own = self.peers.get(&peer).map_or(0, |peer| peer.waiting);
        let full = self.waiting.len() >= self.config.max_exchanges
            || own >= self.config.max_exchanges_per_peer;
        if full {
            messaging.statistics.dropped_overload += 1;
            return Err(Response::new(Code::SERVICE_UNAVAILABLE));
        }
        Ok(())
    }

    /// Answers a request for a later block of a response that is kept.
    fn serve_block(
        &mut self,
        now: Instant,
        peer: PeerId,
        incoming: &Incoming<'_>,
        steering: &Steering,
    ) -> Result<(), Response> {
        let Some(wanted) = steering.block2.filter(|block| block.number > 0) else {
            return Ok(());
        };
        let preferred = self.config.preferred_block_size;
        let (code, options, payload) = (incoming.code, &incoming.options, incoming.payload);
        let served =
            self.bodies.served(now, peer, |key| key.is_continued_by(code, options, payload));
        match served {
            Some(response) => Err(piece(response, wanted, preferred)),
            // The application can render it again, but must not act again.
            None if matches!(code, Code::GET | Code::FETCH) => Ok(()),
            None => Err(Response::new(Code::REQUEST_ENTITY_INCOMPLETE)),
        }
    }

    /// Completes the body of a request; its blocks but the last are answered here.
    fn assemble(
        &mut self,
        now: Instant,
        peer: PeerId,
        request: &mut Request,
        payload: &[u8],
        steering: &Steering,
    ) -> Result<(), Response> {
        let Some(block) = steering.block1 else {
            request.payload = Bytes::copy_from_slice(payload);
            return Ok(());
        };
        let code = request.code;
        let options = body_options(&request.options);
        let stored = self.bodies.take_assembly(peer, code, &options);
        let mut body = match stored {
            _ if block.number == 0 => Vec::new(),
            Some(assembly) if assembly.body.len() == block.offset() => assembly.body,
            _ => return Err(Response::new(Code::REQUEST_ENTITY_INCOMPLETE)),
        };
        if block.more && payload.len() != block.size.bytes() || payload.len() > block.size.bytes() {
            return Err(Response::new(Code::BAD_REQUEST));
        }
        let announced = steering.size1.unwrap_or(0);
        let max = self.config.max_body;
        if announced > max as u64 || body.len() + payload.len() > max {
            return Err(too_large(max));
        }
        body.extend_from_slice(payload);
        if block.more {
            let assembly = Assembly { code, options, body };
            self.bodies.keep_assembly(now, peer, assembly, &mut self.touched);
            return Err(self.next_block(block));
        }
        request.payload = body.into();
        Ok(())
    }

    /// 2.31, with a wish for smaller blocks if those are too large.
    fn next_block(&self, block: BlockValue) -> Response {
        let size = block.size.min(self.config.preferred_block_size);
        let mut response = Response::new(Code::CONTINUE);
        response.options.push_uint(OptionNumber::BLOCK1, BlockValue { size, ..block }.to_uint());
        response
    }

    pub(crate) fn respond(
        &mut self,
        now: Instant,
        messaging: &mut Messaging,
        id: ExchangeId,
        mut response: Response,
    ) -> Result<(), Error> {
        if !response.code.is_response() {
            return Err(Error::Code);
        }
        let waiting = self.waiting.get(&id.0).ok_or(Error::UnknownExchange(id))?.clone();
        let observer = Observer { peer: waiting.peer, token: waiting.token };
        let accepts = response.options.remove(OptionNumber::OBSERVE)
            && waiting.registers
            && response.code.is_success()
            && self.has_room_for_observer(observer);
        let sequence = self.next_sequence(observer);
        if accepts {
            response.options.push_uint(OptionNumber::OBSERVE, sequence.into());
        }
        let mut answer = self.cut(now, waiting.peer, &waiting.key, waiting.block2, response)?;
        if let Some(block) = waiting.block1 {
            answer.options.set_uint(OptionNumber::BLOCK1, block.to_uint());
        }
        if accepts {
            let size = waiting.block2.map(|block| block.size);
            self.register(now, messaging, observer, waiting.key, size, sequence);
        }
        self.waiting.remove(&id.0);
        // Without a message ID for it the response is lost, as a datagram may be.
        let _ = messaging.reply(now, waiting.source, content(&answer, waiting.token));
        self.with_peer(waiting.peer, |peer| peer.waiting -= 1);
        Ok(())
    }

    /// Cuts the first block, or the one that is wanted, out of a response that is too large for
    /// one message; the response is kept so that the others can be fetched.
    pub(super) fn cut(
        &mut self,
        now: Instant,
        peer: PeerId,
        key: &RequestKey,
        wanted: Option<BlockValue>,
        mut response: Response,
    ) -> Result<Response, Error> {
        let options = response.options.as_encoded().len();
        let first = BlockValue { number: 0, more: false, size: BlockSize::B1024 };
        let block = wanted.unwrap_or(first);
        let size = block.size.min(self.config.preferred_block_size);
        let length = response.payload.len();
        if block.number == 0
            && length <= size.bytes()
            && FRAME + BLOCK_OPTIONS + options + length <= MAX_MESSAGE
        {
            self.bodies.forget_served(peer, key);
            if wanted.is_some() {
                let only = BlockValue { size, ..first };
                response.options.set_uint(OptionNumber::BLOCK2, only.to_uint());
            }
            return Ok(response);
        }
        let size =
            self.fitting_block(options + BLOCK_OPTIONS, size).ok_or(Error::OptionsTooLong)?;
        if length.div_ceil(size.bytes()) > BlockValue::MAX_NUMBER as usize {
            return Err(Error::BodyTooLarge);
        }
        if response.options.etag().is_none() {
            response.options.push(OptionNumber::ETAG, &digest(&response.payload).to_be_bytes());
        }
        let answer = piece(&response, block, size);
        response.options.remove(OptionNumber::OBSERVE);
        let served = Served { key: key.clone(), response };
        self.bodies.serve(now, peer, served, &mut self.touched);
        Ok(answer)
    }
}

/// A response as the layer below takes it.
pub(super) fn content(response: &Response, token: Token) -> Content<'_> {
    Content { code: response.code, token, options: &response.options, payload: &response.payload }
}

fn too_large(limit: usize) -> Response {
    let mut response = Response::new(Code::REQUEST_ENTITY_TOO_LARGE);
    response.options.push_uint(OptionNumber::SIZE1, limit as u64);
    response
}

/// One block of a response: the one that begins where the wanted one does, no larger than it and
/// `size`. 4.00 if the body ends before.
fn piece(response: &Response, wanted: BlockValue, size: BlockSize) -> Response {
    let size = size.min(wanted.size);
    let start = wanted.offset();
    let length = response.payload.len();
    if start >= length {
        return Response::new(Code::BAD_REQUEST);
    }
    let end = length.min(start + size.bytes());
    let number = u32::try_from(start / size.bytes()).unwrap_or(u32::MAX);
    let block = BlockValue { number, more: end < length, size };
    let mut options = response.options.clone();
    options.set_uint(OptionNumber::BLOCK2, block.to_uint());
    if start == 0 {
        options.set_uint(OptionNumber::SIZE2, length as u64);
    }
    Response { code: response.code, options, payload: response.payload.slice(start..end) }
}

/// FNV-1a over a body, as its entity tag: equal bodies get equal tags, and another state of the
/// resource another one.
fn digest(body: &[u8]) -> u64 {
    body.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}
