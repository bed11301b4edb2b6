//! Block-wise transfer in the client role: RFC 7959.

use super::chunk::Chunk;
use crate::event::{FailReason, ProtocolFault};
use crate::message::{BlockSize, BlockValue, Code, OptionNumber, Options};
use crate::request::Request;
use crate::response::Response;
use alloc::borrow::Cow;
use alloc::vec::Vec;
use bytes::Bytes;

/// How often a download restarts because the representation changed.
const MAX_RESTARTS: u8 = 3;

/// The progress of the bodies of a request and its response.
#[derive(Clone, Debug)]
pub(super) enum Transfer {
    /// One message carries the whole request, and there is no response yet.
    Whole,
    /// The request body is sent in blocks (Block1).
    Upload(Upload),
    /// The response body arrives in blocks (Block2).
    Download(Download),
}

/// What a response leads to.
#[derive(Debug)]
pub(super) enum Step {
    /// Send the next message of the transfer.
    Continue(Transfer),
    /// The response is complete.
    Complete(Response),
    /// The response cannot be completed.
    Failed(FailReason),
}

/// A request body that is sent in blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upload {
    pub(super) offset: usize,
    pub(super) chunk: Chunk,
    /// Request-Tag, which distinguishes this body from others (RFC 9175 section 3).
    pub(super) tag: u64,
}

/// A response body that arrives in blocks.
#[derive(Clone, Debug)]
pub(super) struct Download {
    /// The first response, with code and options of the whole body.
    head: Response,
    pub(super) body: Vec<u8>,
    size: BlockSize,
    restarts: u8,
}

/// The bounds of a transfer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The largest block size to ask for.
    pub(super) preferred: BlockSize,
    /// Whether the peer is on a connection, where SZX 7 means BERT.
    pub(super) connected: bool,
    pub(super) max_body: usize,
    /// The Request-Tag of the next upload.
    pub(super) tag: u64,
}

impl Transfer {
    /// The bytes of the incomplete response body.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Download(download) => download.body.len(),
            Self::Whole | Self::Upload(_) => 0,
        }
    }

    /// The options and the payload of the next message.
    pub(super) fn message<'a>(&self, request: &'a Request) -> (Cow<'a, Options>, Bytes) {
        let (options, payload) = match self {
            Self::Whole => return (Cow::Borrowed(&request.options), request.payload.clone()),
            Self::Upload(upload) => upload.message(request),
            Self::Download(download) => download.message(request),
        };
        (Cow::Owned(options), payload)
    }

    /// Handles a response.
    pub(super) fn answer(self, request: &Request, response: Response, limits: &Limits) -> Step {
        match self {
            Self::Download(download) => download.answer(response, limits),
            Self::Upload(upload) => upload.answer(request, response, limits),
            Self::Whole => match smaller_blocks(request, &response, None, limits) {
                Some(size) => {
                    Step::Continue(Self::Upload(Upload::new(Chunk::of(size), limits.tag)))
                }
                None => first_answer(response, limits),
            },
        }
    }
}

/// Handles a response that is complete or has the first block of a body.
pub(super) fn first_answer(response: Response, limits: &Limits) -> Step {
    // There are no blocks left to continue with.
    if response.code == Code::CONTINUE {
        return Step::Failed(FailReason::Protocol(ProtocolFault::Block));
    }
    let Some(block) = block(&response.options, OptionNumber::BLOCK2, limits) else {
        return Step::Complete(without_blocks(response));
    };
    match block {
        Ok(BlockValue { number: 0, more: false, .. }) => Step::Complete(without_blocks(response)),
        Ok(block) if block.number == 0 => Download::begin(response, block, 0, limits),
        _ => Step::Failed(FailReason::Protocol(ProtocolFault::Block)),
    }
}

impl Upload {
    pub(super) const fn new(chunk: Chunk, tag: u64) -> Self {
        Self { offset: 0, chunk, tag }
    }

    fn message(&self, request: &Request) -> (Options, Bytes) {
        let block = self.chunk.block(self.offset, request.payload.len());
        let mut options = request.options.clone();
        options.set_uint(OptionNumber::BLOCK1, block.to_uint());
        if self.offset == 0 {
            options.set_uint(OptionNumber::SIZE1, request.payload.len() as u64);
        }
        options.push_uint(OptionNumber::REQUEST_TAG, self.tag);
        let end = request.payload.len().min(self.offset + self.chunk.bytes);
        (options, request.payload.slice(self.offset.min(end)..end))
    }

    /// Continues, if block numbers suffice.
    fn next(self, request: &Request) -> Step {
        if self.chunk.can_number(request.payload.len()) {
            Step::Continue(Transfer::Upload(self))
        } else {
            Step::Failed(FailReason::TooLarge)
        }
    }

    fn answer(mut self, request: &Request, response: Response, limits: &Limits) -> Step {
        if let Some(size) = smaller_blocks(request, &response, Some(&self), limits) {
            return Self::new(Chunk::of(size), self.tag).next(request);
        }
        let sent = self.chunk.block(self.offset, request.payload.len());
        let echoed = block(&response.options, OptionNumber::BLOCK1, limits);
        if response.code != Code::CONTINUE && (!sent.more || !response.code.is_success()) {
            return first_answer(response, limits);
        }
        match echoed {
            Some(Ok(block)) if block.number == sent.number && sent.more => {
                self.offset += self.chunk.bytes;
                if block.size < self.chunk.size {
                    self.chunk = Chunk::of(block.size);
                }
                self.next(request)
            }
            // The peer gave its final response before the last block.
            None if response.code != Code::CONTINUE => first_answer(response, limits),
            _ => Step::Failed(FailReason::Protocol(ProtocolFault::Block)),
        }
    }
}

/// The smaller block size that a 4.13 proposes to restart the upload with: RFC 7959 section 2.9.3.
fn smaller_blocks(
    request: &Request,
    response: &Response,
    upload: Option<&Upload>,
    limits: &Limits,
) -> Option<BlockSize> {
    if response.code != Code::REQUEST_ENTITY_TOO_LARGE {
        return None;
    }
    let size = block(&response.options, OptionNumber::BLOCK1, limits)?.ok()?.size;
    let sent = match upload {
        Some(upload) if upload.offset > 0 => return None,
        Some(upload) => upload.chunk.bytes,
        None => request.payload.len(),
    };
    (size.bytes() < sent).then_some(size)
}

impl Download {
    fn begin(head: Response, block: BlockValue, restarts: u8, limits: &Limits) -> Step {
        let announced = head.options.get_uint(OptionNumber::SIZE2);
        if announced.is_some_and(|size| size > limits.max_body as u64) {
            return Step::Failed(FailReason::TooLarge);
        }
        let size = block.size.min(limits.preferred);
        let download = Self { head, body: Vec::new(), size, restarts };
        let payload = download.head.payload.clone();
        download.append(&payload, block, limits)
    }

    fn message(&self, request: &Request) -> (Options, Bytes) {
        let mut options = request.options.clone();
        options.remove(OptionNumber::OBSERVE);
        let number = u32::try_from(self.body.len() / self.size.bytes()).unwrap_or(u32::MAX);
        let block = BlockValue { number, more: false, size: self.size };
        options.set_uint(OptionNumber::BLOCK2, block.to_uint());
        // A short FETCH body is repeated, because it selects the representation. The peer remembers a
        // longer one.
        let repeat = request.code == Code::FETCH && request.payload.len() <= self.size.bytes();
        (options, if repeat { request.payload.clone() } else { Bytes::new() })
    }

    fn answer(self, response: Response, limits: &Limits) -> Step {
        const FAULT: Step = Step::Failed(FailReason::Protocol(ProtocolFault::Block));
        if !response.code.is_success() {
            return Step::Complete(without_blocks(response));
        }
        let Some(Ok(block)) = block(&response.options, OptionNumber::BLOCK2, limits) else {
            return FAULT;
        };
        if response.code != self.head.code || response.options.etag() != self.head.options.etag() {
            return self.restart(response, block, limits);
        }
        if block.offset() != self.body.len() {
            return FAULT;
        }
        let payload = response.payload;
        self.append(&payload, block, limits)
    }

    /// Restarts the download, because the representation changed.
    fn restart(mut self, response: Response, block: BlockValue, limits: &Limits) -> Step {
        if self.restarts >= MAX_RESTARTS {
            return Step::Failed(FailReason::Protocol(ProtocolFault::Changing));
        }
        // A restart that was requested is already counted.
        let asked = self.body.is_empty();
        let restarts = self.restarts + u8::from(!asked);
        if block.number == 0 {
            let mut head = response;
            // The restarted response still begins the observation.
            if let Some(sequence) = self.head.options.observe() {
                head.options.set_uint(OptionNumber::OBSERVE, sequence.into());
            }
            return Self::begin(head, block, restarts, limits);
        }
        if asked {
            return Step::Failed(FailReason::Protocol(ProtocolFault::Block));
        }
        self.body.clear();
        Step::Continue(Transfer::Download(Self { restarts, ..self }))
    }

    fn append(mut self, payload: &[u8], block: BlockValue, limits: &Limits) -> Step {
        if !block.allows(payload.len()) {
            return Step::Failed(FailReason::Protocol(ProtocolFault::Block));
        }
        if self.body.len() + payload.len() > limits.max_body {
            return Step::Failed(FailReason::TooLarge);
        }
        self.body.extend_from_slice(payload);
        if block.more {
            self.size = self.size.min(block.size);
            return Step::Continue(Transfer::Download(self));
        }
        Step::Complete(without_blocks(Response { payload: self.body.into(), ..self.head }))
    }
}

/// Decodes a Block option, if there is one. `Some(Err(()))` if its value is invalid.
fn block(
    options: &Options,
    number: OptionNumber,
    limits: &Limits,
) -> Option<Result<BlockValue, ()>> {
    let read = if limits.connected { BlockValue::read } else { BlockValue::from_bytes };
    options.get(number).map(|value| read(value).ok_or(()))
}

/// Removes the options of block-wise transfer from a complete response.
fn without_blocks(mut response: Response) -> Response {
    let carries = |number| {
        matches!(number, OptionNumber::BLOCK1 | OptionNumber::BLOCK2 | OptionNumber::SIZE2)
    };
    if response.options.iter().any(|(number, _)| carries(number)) {
        response.options.retain(|number| !carries(number));
    }
    response
}
