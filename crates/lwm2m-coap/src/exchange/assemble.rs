//! Bodies of requests that arrive in blocks: RFC 7959 section 2.5. They are assembled here, or
//! handed out block by block where the application wants that.

use super::bodies::{Assembly, Gathered};
use super::check::ExchangeOptions;
use super::key::{body_options, digest};
use super::state::Exchanges;
use super::streamed::Streamed;
use crate::ids::PeerId;
use crate::message::{BlockValue, Code, OptionNumber, Options};
use crate::request::Request;
use crate::response::Response;
use crate::transport::Capacity;
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use lwm2m_time::Instant;

/// What is known when a block is taken.
#[derive(Default)]
pub(super) struct Assembled {
    /// Set if the application takes the body block by block.
    pub(super) streamed: Option<Streamed>,
    /// A body of several blocks that is complete now, without its bytes.
    pub(super) complete: Option<Box<Assembly>>,
}

impl Exchanges {
    /// Remembers the answer to a body of several blocks, for a last block that is repeated. It counts
    /// towards the bounds of bodies.
    pub(super) fn keep_answer(
        &mut self,
        now: Instant,
        peer: PeerId,
        mut complete: Assembly,
        answer: &Response,
    ) {
        if let Gathered::HandedOut(length, last) = complete.body {
            complete.body = Gathered::Answered(length, last, Box::new(answer.clone()));
            self.bodies.keep_assembly(now, peer, complete, &mut self.touched);
        }
    }

    /// Assembles the body of a request. Answers all of its blocks but the last. Passes on each block
    /// of a body that the application takes block by block.
    pub(super) fn assemble(
        &mut self,
        now: Instant,
        peer: PeerId,
        capacity: Capacity,
        request: &mut Request,
        payload: &[u8],
        exchange_options: &ExchangeOptions,
    ) -> Result<Assembled, Response> {
        let Some(block) = exchange_options.block1 else {
            request.payload = Bytes::copy_from_slice(payload);
            return Ok(Assembled::default());
        };
        let (code, options) = (request.code, body_options(&request.options));
        if !block.allows(payload.len()) {
            self.bodies.take_assembly(peer, code, &options);
            return Err(Response::new(Code::BAD_REQUEST));
        }
        let Assembly { code, options, body, .. } =
            self.gathered(now, peer, capacity, code, options, block, payload)?;
        if let Some(format) = options.content_format() {
            request.options.set_uint(OptionNumber::CONTENT_FORMAT, format.into());
        }
        let after = Gathered::HandedOut(body.len() + payload.len(), digest(payload));
        let last = payload.len();
        // A connection loses nothing, so that nothing is repeated.
        let is_complete = !block.more && block.number > 0 && !capacity.connected;
        let mut body = match body {
            Gathered::Kept(body) => body,
            Gathered::HandedOut(..) | Gathered::Answered(..) => {
                request.payload = Bytes::copy_from_slice(payload);
                let assembly = Box::new(Assembly { code, options, body: after, last });
                return Ok(match block.more {
                    true => Assembled {
                        streamed: Some(Streamed { next: Some(assembly) }),
                        complete: None,
                    },
                    false => {
                        let complete = Some(assembly).filter(|_| is_complete);
                        Assembled { streamed: Some(Streamed { next: None }), complete }
                    }
                });
            }
        };
        let announced = exchange_options.size1.unwrap_or(0);
        let max = self.config.max_body;
        if announced > max as u64 || body.len() + payload.len() > max {
            return Err(too_large(max));
        }
        body.extend_from_slice(payload);
        if block.more {
            let assembly = Assembly { code, options, body: Gathered::Kept(body), last };
            self.bodies.keep_assembly(now, peer, assembly, &mut self.touched);
            return Err(next_block(capacity, block));
        }
        request.payload = body.into();
        let complete = is_complete.then(|| Box::new(Assembly { code, options, body: after, last }));
        Ok(Assembled { streamed: None, complete })
    }

    /// The body that a block continues, or begins if it is block 0.
    ///
    /// # Errors
    /// 4.08 if the block does not follow the one before. 2.31, or the answer to the whole body, if it
    /// repeats the one before under a new message ID.
    #[expect(clippy::too_many_arguments, reason = "the parts of a block")]
    fn gathered(
        &mut self,
        now: Instant,
        peer: PeerId,
        capacity: Capacity,
        code: Code,
        options: Options,
        block: BlockValue,
        payload: &[u8],
    ) -> Result<Assembly, Response> {
        let known = self.bodies.take_assembly(peer, code, &options);
        if block.number == 0 {
            let body = match self.streaming.chooses(code, &options) {
                true => Gathered::HandedOut(0, 0),
                false => Gathered::Kept(Vec::new()),
            };
            return Ok(Assembly { code, options, body, last: 0 });
        }
        let Some(mut assembly) = known else {
            return Err(Response::new(Code::REQUEST_ENTITY_INCOMPLETE));
        };
        if let Gathered::Answered(_, _, answer) = &assembly.body {
            let answer = Response::clone(answer);
            if !block.more && assembly.ends_with(block.offset(), payload) {
                self.bodies.keep_assembly(now, peer, assembly, &mut self.touched);
                return Err(answer);
            }
            return Err(Response::new(Code::REQUEST_ENTITY_INCOMPLETE));
        }
        if assembly.options.content_format().is_none() {
            assembly.options = options;
        }
        if assembly.body.len() == block.offset() {
            return Ok(assembly);
        }
        if block.more && assembly.ends_with(block.offset(), payload) {
            self.bodies.keep_assembly(now, peer, assembly, &mut self.touched);
            return Err(next_block(capacity, block));
        }
        Err(Response::new(Code::REQUEST_ENTITY_INCOMPLETE))
    }
}

/// 2.31 Continue, proposing a smaller block size if the blocks are too large.
fn next_block(capacity: Capacity, block: BlockValue) -> Response {
    let mut response = Response::new(Code::CONTINUE);
    response.options.push_uint(OptionNumber::BLOCK1, smaller(capacity, block).to_uint());
    response
}

/// A block, in a size that the peer should use from now on.
pub(super) fn smaller(capacity: Capacity, block: BlockValue) -> BlockValue {
    BlockValue { size: block.size.min(capacity.largest_block()), ..block }
}

fn too_large(limit: usize) -> Response {
    let mut response = Response::new(Code::REQUEST_ENTITY_TOO_LARGE);
    response.options.push_uint(OptionNumber::SIZE1, limit as u64);
    response
}
