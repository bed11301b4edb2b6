//! Bodies of requests that arrive in blocks: RFC 7959 section 2.5. They are assembled here, or
//! handed out block by block where the application wants that.

use super::bodies::{Assembly, Gathered};
use super::check::ExchangeOptions;
use super::key::body_options;
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

impl Exchanges {
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
    ) -> Result<Option<Streamed>, Response> {
        let Some(block) = exchange_options.block1 else {
            request.payload = Bytes::copy_from_slice(payload);
            return Ok(None);
        };
        let (code, options) = (request.code, body_options(&request.options));
        let gathered = self.gathered(peer, code, &options, block)?;
        if !block.allows(payload.len()) {
            return Err(Response::new(Code::BAD_REQUEST));
        }
        let mut body = match gathered {
            Gathered::Kept(body) => body,
            Gathered::HandedOut(length) => {
                request.payload = Bytes::copy_from_slice(payload);
                let body = Gathered::HandedOut(length + payload.len());
                let next = block.more.then(|| Box::new(Assembly { code, options, body }));
                return Ok(Some(Streamed { next }));
            }
        };
        let announced = exchange_options.size1.unwrap_or(0);
        let max = self.config.max_body;
        if announced > max as u64 || body.len() + payload.len() > max {
            return Err(too_large(max));
        }
        body.extend_from_slice(payload);
        if block.more {
            let assembly = Assembly { code, options, body: Gathered::Kept(body) };
            self.bodies.keep_assembly(now, peer, assembly, &mut self.touched);
            return Err(next_block(capacity, block));
        }
        request.payload = body.into();
        Ok(None)
    }

    /// The body that a block continues, or begins if it is block 0.
    ///
    /// # Errors
    /// 4.08 if the block does not follow the one before.
    fn gathered(
        &mut self,
        peer: PeerId,
        code: Code,
        options: &Options,
        block: BlockValue,
    ) -> Result<Gathered, Response> {
        match self.bodies.take_assembly(peer, code, options) {
            _ if block.number == 0 => Ok(match self.streaming.chooses(code, options) {
                true => Gathered::HandedOut(0),
                false => Gathered::Kept(Vec::new()),
            }),
            Some(assembly) if assembly.body.len() == block.offset() => Ok(assembly.body),
            _ => Err(Response::new(Code::REQUEST_ENTITY_INCOMPLETE)),
        }
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
