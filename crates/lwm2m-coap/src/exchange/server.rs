//! Requests of peers and the responses to them: RFC 7252 section 5.2.

use super::assemble::{Assembled, smaller};
use super::bodies::CachedResponse;
use super::check::{self, ExchangeOptions, Refused};
use super::chunk::Chunk;
use super::key::{RequestKey, digest};
use super::server_exchange::ServerExchange;
use super::state::Exchanges;
use crate::delivery::{Content, DeliveryOf, Incoming, Source};
use crate::error::Error;
use crate::event::{Event, GoneReason};
use crate::ids::{ExchangeId, Observer, PeerId};
use crate::message::{BlockSize, BlockValue, Code, OptionNumber, Parts, Token};
use crate::request::Request;
use crate::response::Response;
use crate::transport::{Capacity, Transport};
use bytes::Bytes;
use lwm2m_time::Instant;

/// The most bytes that Block1, Block2, Size2 and ETag add to the options of a response.
const BLOCK_OPTIONS: usize = 32;

/// The response to a request with an option that is refused, which it names (RFC 7252 section 5.4.1).
fn refusal(code: Code, option: OptionNumber) -> Response {
    Response::new(code).payload(alloc::format!("{option:?} is not supported here"))
}

impl Exchanges {
    /// Handles a request: reports it to the application, or answers it.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        source: Source,
        parts: &Parts<'_>,
    ) {
        self.bodies.serve(source.sender);
        let incoming = transport.protection.unprotect(source.peer, parts);
        let token = incoming.token;
        let capacity = transport.capacity(source.peer);
        let conditional = self.config.conditional_requests;
        let checked = check::request(&incoming.options, capacity.connected, conditional);
        let exchange_options = match checked {
            Ok(exchange_options) => exchange_options,
            Err(Refused { code, option }) => {
                transport.messaging.statistics.refused += 1;
                // RFC 7252 section 5.4.1: a non-confirmable request is rejected silently.
                if code != Code::BAD_OPTION || source.confirmable {
                    answer(now, transport, source, token, &refusal(code, option));
                }
                return;
            }
        };
        let judged = self.judge(now, transport, source, incoming, &exchange_options);
        if let Err(answer) = &judged {
            let statistics = &mut transport.messaging.statistics;
            match answer.code {
                Code::REQUEST_ENTITY_TOO_LARGE => statistics.oversized += 1,
                Code::REQUEST_ENTITY_INCOMPLETE | Code::BAD_REQUEST => statistics.bad_blocks += 1,
                _ => {}
            }
        }
        match judged {
            Ok(()) => transport.expect_reply(now, source),
            Err(response) if exchange_options.silences(response.code) => {
                transport.expect_no_reply(source)
            }
            Err(response) => answer(now, transport, source, token, &response),
        }
    }

    /// Reports a request to the application.
    ///
    /// # Errors
    /// The response, if the endpoint answers the request itself.
    fn judge(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        source: Source,
        incoming: Incoming<'_>,
        exchange_options: &ExchangeOptions,
    ) -> Result<(), Response> {
        let peer = source.peer;
        let capacity = transport.capacity(peer);
        self.serve_block(now, peer, capacity, &incoming, exchange_options)?;
        if exchange_options.block1.is_none_or(|block| block.number == 0) {
            // Checking the first block suffices: later blocks need it.
            self.check_freshness(now, transport, peer, &incoming)?;
        }
        let mut request = Request {
            code: incoming.code,
            options: incoming.options,
            payload: Bytes::new(),
            confirmable: source.confirmable,
        };
        let payload = incoming.payload;
        let Assembled { streamed, complete } =
            self.assemble(now, peer, capacity, &mut request, payload, exchange_options)?;
        self.check_load(transport, peer)?;
        let observable = matches!(request.code, Code::GET | Code::FETCH);
        if observable && exchange_options.observe == Some(1) {
            self.observer_gone(
                transport,
                Observer { peer, token: incoming.token },
                GoneReason::Cancelled,
            );
        }
        // A request for a later block does not register: RFC 7959 section 3.4.
        let from_the_start = exchange_options.block2.is_none_or(|block| block.number == 0);
        let exchange = ServerExchange {
            peer,
            expires: now + self.config.transmission.exchange_lifetime,
            token: incoming.token,
            source: Some(source),
            sender: source.sender,
            key: RequestKey::new(request.code, &request.options, &request.payload),
            options: *exchange_options,
            registers: observable && exchange_options.observe == Some(0) && from_the_start,
            streamed,
            complete,
        };
        self.wait(exchange, request);
        Ok(())
    }

    fn wait(&mut self, exchange: ServerExchange, mut request: Request) {
        let (peer, token) = (exchange.peer, exchange.token);
        if exchange.options.block1.is_some() || exchange.options.block2.is_some() {
            let streamed = exchange.streamed.is_some();
            request.options.retain(|number| match number {
                OptionNumber::BLOCK1 => streamed,
                number => number != OptionNumber::BLOCK2,
            });
        }
        let id = self.id();
        self.waiting.insert(id, exchange);
        self.with_peer(peer, |peer| peer.waiting += 1);
        self.events.push_back(Event::Request { exchange: ExchangeId(id), peer, request, token });
    }

    fn check_freshness(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        peer: PeerId,
        incoming: &Incoming<'_>,
    ) -> Result<(), Response> {
        let checked = self.freshness.check(now, peer, incoming.code, &incoming.options);
        transport.messaging.statistics.challenged += u64::from(checked.is_err());
        checked
    }

    /// The 5.03 that answers requests while a bound is reached.
    pub(crate) fn overload(&self) -> Response {
        Response::new(Code::SERVICE_UNAVAILABLE).max_age(self.config.retry_after)
    }

    /// Whether another request of a peer may wait. A peer may have at most as many requests waiting
    /// as there are free slots, so that floods leave room for others.
    fn check_load(&self, transport: &mut Transport, peer: PeerId) -> Result<(), Response> {
        let own = self.peers.get(&peer).map_or(0, |peer| peer.waiting);
        let room = self.config.max_exchanges.saturating_sub(self.waiting.len());
        if own >= room.min(self.config.max_exchanges_per_peer) {
            transport.messaging.statistics.dropped_overload += 1;
            return Err(self.overload());
        }
        Ok(())
    }

    /// Answers a request for a later block of a cached response.
    fn serve_block(
        &mut self,
        now: Instant,
        peer: PeerId,
        capacity: Capacity,
        incoming: &Incoming<'_>,
        exchange_options: &ExchangeOptions,
    ) -> Result<(), Response> {
        let Some(wanted) = exchange_options.block2.filter(|block| block.number > 0) else {
            return Ok(());
        };
        let largest = capacity.largest_block().min(wanted.size);
        let (code, options, payload) = (incoming.code, &incoming.options, incoming.payload);
        let cached =
            self.bodies.cached(now, peer, |key| key.is_continued_by(code, options, payload));
        match cached {
            Some(response) => {
                let options = response.options.as_encoded().len() + BLOCK_OPTIONS;
                let too_long = || Response::new(Code::INTERNAL_SERVER_ERROR);
                let chunk = capacity.chunk(options, largest).ok_or_else(too_long)?;
                Err(piece(response, wanted, chunk))
            }
            // The application may render the body again, but must not repeat an unsafe request.
            None if matches!(code, Code::GET | Code::FETCH) => Ok(()),
            None => Err(Response::new(Code::REQUEST_ENTITY_INCOMPLETE)),
        }
    }

    /// Notes the response that a request will get.
    pub(crate) fn promise(&self, transport: &mut Transport, id: ExchangeId, response: &Response) {
        let Some(exchange) = self.waiting.get(&id.0) else { return };
        if let Some(source) = exchange.source {
            transport.promise(source, Content::new(response, exchange.token));
        }
    }

    pub(crate) fn respond(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        id: ExchangeId,
        response: Response,
    ) -> Result<(), Error> {
        if !response.code.is_response() {
            return Err(Error::Code);
        }
        let mut exchange = self.waiting.remove(&id.0).ok_or(Error::UnknownExchange(id))?;
        self.bodies.serve(exchange.sender);
        let (answer, observes) = match self.prepare(now, transport, &exchange, response) {
            Ok(prepared) => prepared,
            Err(error) => {
                self.waiting.insert(id.0, exchange);
                return Err(error);
            }
        };
        let next = exchange.streamed.take().and_then(|streamed| streamed.next);
        if let Some(next) = next.filter(|_| answer.code == Code::CONTINUE) {
            self.bodies.keep_assembly(now, exchange.peer, *next, &mut self.touched);
        }
        let is_final = answer.code != Code::CONTINUE && exchange.sender.curtail(&answer).is_none();
        if let Some(complete) = exchange.complete.take().filter(|_| is_final) {
            self.keep_answer(now, exchange.peer, *complete, &answer);
        }
        if let Some(sequence) = observes {
            let observer = Observer { peer: exchange.peer, token: exchange.token };
            let size = exchange.options.block2.map(|block| block.size);
            self.register(now, transport, observer, exchange.key, size, sequence);
        }
        match exchange.source {
            Some(source) if exchange.options.silences(answer.code) => {
                transport.expect_no_reply(source);
            }
            Some(source) => self::answer(now, transport, source, exchange.token, &answer),
            None if exchange.options.silences(answer.code) => {}
            None => {
                let content = Content::new(&answer, exchange.token);
                // Without a free message ID the response is lost, like a lost datagram.
                let _ = transport.send(now, exchange.peer, true, content, DeliveryOf::Response);
            }
        }
        self.with_peer(exchange.peer, |peer| peer.waiting -= 1);
        Ok(())
    }

    /// The message that answers a request, and the sequence number if it accepts an observation.
    fn prepare(
        &mut self,
        now: Instant,
        transport: &Transport,
        exchange: &ServerExchange,
        mut response: Response,
    ) -> Result<(Response, Option<u32>), Error> {
        let ServerExchange { peer, token, ref key, options, registers, .. } = *exchange;
        let observer = Observer { peer, token };
        let accepts = response.options.remove(OptionNumber::OBSERVE)
            && registers
            && response.code.is_success()
            && transport.connections.takes_requests(peer)
            && self.has_room_for_observer(observer);
        let sequence = accepts.then(|| self.next_sequence(observer));
        if let Some(sequence) = sequence {
            response.options.push_uint(OptionNumber::OBSERVE, sequence.into());
        }
        let mut answer = self.cut(now, transport, peer, key, options.block2, response)?;
        if let Some(block) = options.block1 {
            let block = match answer.code {
                Code::CONTINUE => smaller(transport.capacity(peer), block),
                _ => block,
            };
            answer.options.set_uint(OptionNumber::BLOCK1, block.to_uint());
        }
        Ok((answer, sequence))
    }

    /// Cuts the wanted block, by default the first, out of a response that is too large for one
    /// message. Caches the response so that the peer can fetch the other blocks.
    pub(super) fn cut(
        &mut self,
        now: Instant,
        transport: &Transport,
        peer: PeerId,
        key: &RequestKey,
        wanted: Option<BlockValue>,
        mut response: Response,
    ) -> Result<Response, Error> {
        let options = response.options.as_encoded().len();
        let capacity = transport.capacity(peer);
        // Only representations have later blocks.
        let represents = response.code.is_success() && response.code != Code::VALID;
        let wanted = wanted.filter(|block| block.number == 0 || represents);
        let largest = capacity.largest_block();
        let first = BlockValue { number: 0, more: false, size: largest };
        let block = wanted.unwrap_or(first);
        let size = block.size.min(largest);
        let length = response.payload.len();
        let whole = match wanted {
            Some(_) if size != BlockSize::Bert => size.bytes(),
            _ => capacity.largest_whole(),
        };
        if block.number == 0
            && length <= whole
            && BLOCK_OPTIONS + options + length <= capacity.content
        {
            self.bodies.forget_cached(peer, key);
            if wanted.is_some() {
                let only = BlockValue { size, ..first };
                response.options.set_uint(OptionNumber::BLOCK2, only.to_uint());
            }
            return Ok(response);
        }
        let chunk = capacity.chunk(options + BLOCK_OPTIONS, size).ok_or(Error::OptionsTooLong)?;
        if !chunk.can_number(length) {
            return Err(Error::BodyTooLarge);
        }
        if response.options.etag().is_none() {
            response.options.push(OptionNumber::ETAG, &digest(&response.payload).to_be_bytes());
        }
        let answer = piece(&response, block, chunk);
        response.options.remove(OptionNumber::OBSERVE);
        let cached = CachedResponse { key: key.clone(), response };
        self.bodies.cache(now, peer, cached, &mut self.touched);
        Ok(answer)
    }
}

/// Sends a response. Without a free message ID, the response to a non-confirmable request is lost,
/// like a lost datagram.
fn answer(
    now: Instant,
    transport: &mut Transport,
    source: Source,
    token: Token,
    response: &Response,
) {
    match source.sender.curtail(response) {
        Some(bare) => transport.refuse(now, source, Content::new(&bare, token)),
        None => _ = transport.reply(now, source, Content::new(response, token)),
    }
}

/// The chunk of a response that begins with the wanted block, or 4.00 if that is past the end.
fn piece(response: &Response, wanted: BlockValue, chunk: Chunk) -> Response {
    let start = wanted.offset();
    let length = response.payload.len();
    if start >= length {
        return Response::new(Code::BAD_REQUEST);
    }
    let end = length.min(start + chunk.bytes);
    let block = chunk.block(start, length);
    let mut options = response.options.clone();
    options.set_uint(OptionNumber::BLOCK2, block.to_uint());
    if start == 0 {
        options.set_uint(OptionNumber::SIZE2, length as u64);
    }
    Response { code: response.code, options, payload: response.payload.slice(start..end) }
}
