//! Write of a value that arrives block by block (OMA LwM2M Core 6.3.3, RFC 7959 section 2.5).

use super::write::check_target;
use crate::error::Refusal;
use crate::objects::Block;
use crate::objects::store::Store;
use lwm2m_coap::{BlockValue, Code, OptionNumber, Options, Request};
use lwm2m_core::{ContentFormat, Path};

/// Whether a request writes bytes to a resource that takes them block by block. In any other format
/// the value can only be decoded as a whole.
pub(crate) fn is_streamed(code: Code, options: &Options, takes: impl Fn(u16, u16) -> bool) -> bool {
    if code != Code::PUT || options.content_format() != Some(ContentFormat::OPAQUE.0) {
        return false;
    }
    let segments = options.uri_path().filter(|segment| !segment.is_empty());
    let path = Path::from_segments(segments);
    path.is_ok_and(|path| match *path.ids() {
        [object, _, resource] => takes(object, resource),
        _ => false,
    })
}

/// Hands a block of a server, which goes by its short server ID, to its object; `true` if the value is complete.
pub(crate) fn write_block(
    store: &mut Store,
    path: &Path,
    server: u16,
    request: &Request,
    block: BlockValue,
) -> Result<bool, Refusal> {
    let [object, instance, resource] = *path.ids() else { return Err(Refusal::MethodNotAllowed) };
    check_target(store, path, resource)?;
    let size = request.options.get_uint(OptionNumber::SIZE1);
    let (offset, bytes, more) = (block.offset(), &request.payload[..], block.more);
    let block = Block { offset, bytes, more, size, server: Some(server) };
    store.with_instance_mut(object, instance)?.write_block(instance, resource, block)?;
    Ok(!more)
}
