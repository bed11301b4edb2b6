//! Execute (OMA LwM2M Core 6.3.5): POST on a resource.

use crate::error::Refusal;
use crate::objects::store::Store;
use lwm2m_core::{Arguments, ContentFormat, Model, Path};

/// Runs the resource at `path` and returns the arguments that it was given.
pub(crate) fn execute(
    store: &mut Store,
    path: &Path,
    content_format: Option<u16>,
    payload: &[u8],
) -> Result<Arguments, Refusal> {
    let [object, instance, resource] = *path.ids() else { return Err(Refusal::MethodNotAllowed) };
    let definitions = store.definitions();
    let target = store.with_instance_mut(object, instance)?;
    let present = target.has_resource(instance, resource);
    let model = definitions.resource(object, resource).filter(|_| present);
    if !model.ok_or(Refusal::NotFound)?.operations.executable() {
        return Err(Refusal::MethodNotAllowed);
    }
    let is_text = content_format.is_none_or(|number| {
        ContentFormat(number).canonical() == ContentFormat::TEXT || payload.is_empty()
    });
    let text = core::str::from_utf8(payload).ok().filter(|_| is_text);
    let arguments: Arguments =
        text.ok_or(Refusal::BadRequest)?.parse().map_err(|_| Refusal::BadRequest)?;
    target.execute(instance, resource, &arguments)?;
    Ok(arguments)
}
