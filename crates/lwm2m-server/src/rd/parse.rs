//! The query parameters and object list of Register and Update (OMA LwM2M Core 6.2).

use crate::config::Config;
use crate::devices::ObjectLists;
use crate::rd::Refusal;
use crate::registration::{ObjectList, Registration, RegistrationId};
use lwm2m_coap::Request;
use lwm2m_core::{BindingMode, ContentFormat, Version};
use lwm2m_credentials::is_endpoint_name;
use lwm2m_link::Identity;
use lwm2m_time::Instant;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A parsed Register.
pub(crate) struct Register {
    /// The endpoint name, if the device sent it.
    pub(crate) endpoint: Option<String>,
    pub(crate) lifetime: Duration,
    pub(crate) version: Version,
    pub(crate) binding: BindingMode,
    pub(crate) queue_mode: bool,
    pub(crate) sms: Option<String>,
    pub(crate) additional: BTreeMap<String, String>,
    pub(crate) list: Arc<ObjectList>,
}

/// Query parameters: those that LwM2M defines, and the others.
#[derive(Default)]
struct Parameters {
    known: BTreeMap<&'static str, String>,
    additional: BTreeMap<String, String>,
}

/// An Update, parsed as far as that is possible without the version of the registration.
pub(crate) struct UpdateRequest {
    parameters: Parameters,
    pub(crate) list: Option<Arc<ObjectList>>,
}

/// The parameters of an Update.
pub(crate) struct UpdateParameters {
    pub(crate) lifetime: Option<Duration>,
    pub(crate) binding: Option<BindingMode>,
    pub(crate) queue_mode: Option<bool>,
    pub(crate) sms: Option<String>,
}

impl UpdateParameters {
    /// Whether there is any.
    pub(crate) const fn are_some(&self) -> bool {
        self.lifetime.is_some()
            || self.binding.is_some()
            || self.queue_mode.is_some()
            || self.sms.is_some()
    }
}

const KNOWN: [&str; 7] = ["ep", "lt", "lwm2m", "b", "Q", "sms", "pid"];

/// Parses a Register.
pub(crate) fn register(
    request: &Request,
    config: &Config,
    lists: &ObjectLists,
) -> Result<Register, Refusal> {
    let mut parameters = Parameters::read(request, config)?;
    let version = parameters.version(config)?;
    let lifetime = match (parameters.lifetime()?, version) {
        (Some(lifetime), _) => lifetime,
        (None, Version::V1_0) => config.default_lifetime,
        (None, _) => return Err(Refusal::Missing("lt")),
    };
    let (binding, queue_mode) = parameters.binding(version)?.unwrap_or_default();
    let endpoint = parameters.known.remove("ep");
    if endpoint.is_none() && version < Version::V1_1 {
        return Err(Refusal::Missing("ep"));
    }
    if version >= Version::V1_2 && parameters.known.contains_key("pid") {
        return Err(Refusal::Profile);
    }
    Ok(Register {
        endpoint,
        lifetime,
        version,
        binding,
        queue_mode: queue_mode || parameters.queue_flag(),
        sms: parameters.known.remove("sms"),
        additional: parameters.additional,
        list: object_list(request, config, lists)?.ok_or(Refusal::NoObjects)?,
    })
}

impl Register {
    /// The registration that this Register leads to.
    pub(crate) fn into_registration(
        self,
        id: RegistrationId,
        endpoint: String,
        address: SocketAddr,
        identity: Identity,
        now: Instant,
    ) -> Registration {
        Registration {
            id,
            endpoint: endpoint.into(),
            lifetime: self.lifetime,
            version: self.version,
            binding: self.binding,
            queue_mode: self.queue_mode,
            sms: self.sms,
            list: self.list,
            additional: self.additional,
            address,
            identity,
            registered_at: now,
            updated_at: now,
        }
    }
}

impl UpdateRequest {
    /// Parses an Update. Parameters that LwM2M does not define are ignored.
    pub(crate) fn read(
        request: &Request,
        config: &Config,
        lists: &ObjectLists,
    ) -> Result<Self, Refusal> {
        let parameters = Parameters::read(request, config)?;
        Ok(Self { parameters, list: object_list(request, config, lists)? })
    }

    /// The parameters, as a client of `version` means them.
    pub(crate) fn parameters(&self, version: Version) -> Result<UpdateParameters, Refusal> {
        let parameters = &self.parameters;
        if version >= Version::V1_2 && parameters.known.contains_key("pid") {
            return Err(Refusal::Profile);
        }
        let binding = parameters.binding(version)?;
        // A client sends its binding mode as a whole: `b` without `Q` ends queue mode.
        let queue_mode = match (binding, parameters.queue_flag()) {
            (_, true) => Some(true),
            (Some((_, queue_mode)), false) => Some(queue_mode),
            (None, false) => None,
        };
        Ok(UpdateParameters {
            lifetime: parameters.lifetime()?,
            binding: binding.map(|(binding, _)| binding),
            queue_mode,
            sms: parameters.known.get("sms").cloned(),
        })
    }
}

impl Parameters {
    fn read(request: &Request, config: &Config) -> Result<Self, Refusal> {
        let length: usize = request.options.uri_query().map(|parameter| parameter.len() + 1).sum();
        if length > config.max_query {
            return Err(Refusal::QueryTooLong);
        }
        let mut parameters = Self::default();
        request.options.uri_query().try_for_each(|parameter| parameters.add(parameter))?;
        Ok(parameters)
    }

    fn add(&mut self, parameter: &[u8]) -> Result<(), Refusal> {
        // Option values are not percent-encoded (RFC 7252 section 6.4).
        let text = core::str::from_utf8(parameter).map_err(|_| Refusal::QueryNotUtf8)?;
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        match KNOWN.into_iter().find(|known| *known == name) {
            Some(known) => {
                let before = self.known.insert(known, value.to_owned());
                before.map_or(Ok(()), |_| Err(Refusal::Duplicate(known)))
            }
            None => {
                self.additional.entry(name.to_owned()).or_insert_with(|| value.to_owned());
                Ok(())
            }
        }
    }

    fn version(&self, config: &Config) -> Result<Version, Refusal> {
        let Some(text) = self.known.get("lwm2m") else { return Ok(Version::V1_0) };
        let version = unquoted(text).parse().map_err(|_| Refusal::Version)?;
        config.versions.contains(&version).then_some(version).ok_or(Refusal::Version)
    }

    fn lifetime(&self) -> Result<Option<Duration>, Refusal> {
        let Some(text) = self.known.get("lt") else { return Ok(None) };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds: Option<u32> = text.parse().ok().filter(|_| digits);
        let lifetime = seconds.map(|seconds| Duration::from_secs(seconds.into()));
        lifetime.map(Some).ok_or(Refusal::Bad("lt"))
    }

    /// The binding mode, and whether its letters name queue mode.
    fn binding(&self, version: Version) -> Result<Option<(BindingMode, bool)>, Refusal> {
        let Some(text) = self.known.get("b") else { return Ok(None) };
        let binding = BindingMode::parse(unquoted(text), version);
        binding.map(Some).map_err(|_| Refusal::Bad("b"))
    }

    fn queue_flag(&self) -> bool {
        self.known.contains_key("Q")
    }
}

/// Checks an endpoint name.
pub(crate) fn legal_endpoint(endpoint: String, config: &Config) -> Result<String, Refusal> {
    let legal = is_endpoint_name(&endpoint) && endpoint.len() <= config.max_endpoint_name;
    legal.then_some(endpoint).ok_or(Refusal::Bad("ep"))
}

/// The object list; `None` without a payload. A missing Content-Format is accepted.
///
/// A list that some device has is not parsed again. All checks are made either way, because a list
/// may have come from a server with other bounds.
fn object_list(
    request: &Request,
    config: &Config,
    lists: &ObjectLists,
) -> Result<Option<Arc<ObjectList>>, Refusal> {
    if request.payload.is_empty() {
        return Ok(None);
    }
    if request.payload.len() > config.max_object_list {
        return Err(Refusal::ListTooLong);
    }
    let format = request.options.content_format();
    if format.is_some_and(|format| format != ContentFormat::LINK.0) {
        return Err(Refusal::ContentFormat);
    }
    let list = match lists.find(&request.payload) {
        Some(list) => list,
        None => Arc::new(ObjectList::parse(&request.payload)?),
    };
    if list.link_count() > config.max_links {
        return Err(Refusal::ListTooLong);
    }
    if list.max_attributes() > config.max_link_attributes {
        return Err(Refusal::TooManyAttributes);
    }
    if list.objects.is_empty() { Err(Refusal::NoObjects) } else { Ok(Some(list)) }
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &[&str], list: &str) -> Request {
        let request = Request::post().path(["rd"]).payload(list.to_owned());
        query.iter().fold(request, |request, parameter| request.query(parameter))
    }

    fn register_with(query: &[&str], list: &str, config: &Config) -> Option<Refusal> {
        register(&asked(query, list), config, &ObjectLists::default()).err()
    }

    #[test]
    fn since_1_1_the_name_may_be_that_of_the_identity() {
        let config = Config::default();
        let register = |version| register_with(&["lt=60", version], "</3/0>", &config);
        assert_eq!(register("lwm2m=1.0"), Some(Refusal::Missing("ep")));
        assert_eq!((register("lwm2m=1.1"), register("lwm2m=1.2")), (None, None));
    }

    #[test]
    fn profiles_are_refused_since_1_2_and_unknown_before() {
        let read = |query: &[&str], version| {
            let (config, lists) = (Config::default(), ObjectLists::default());
            let request = UpdateRequest::read(&asked(query, ""), &config, &lists)?;
            request.parameters(version).map(drop)
        };
        assert_eq!(read(&["pid=1"], Version::V1_1), Ok(()));
        assert_eq!(read(&["pid=1"], Version::V1_2), Err(Refusal::Profile));
        assert_eq!(read(&["lt=60"], Version::V1_2), Ok(()));
    }

    #[test]
    fn the_bounds_of_a_register_are_the_largest_that_is_taken() {
        let config = Config::default().max_query(19).max_links(3).max_link_attributes(2);
        let config = config.max_object_list(40).max_endpoint_name(4);
        let query = |ep| register_with(&[ep, "lt=60", "lwm2m=1.1"], "</3/0>", &config);
        assert_eq!((query("ep"), query("ep=x")), (None, Some(Refusal::QueryTooLong)));
        let list = |list: &str| register_with(&["ep", "lt=60", "lwm2m=1.1"], list, &config);
        assert_eq!(list("</1/0>,</3/0>,</4/0>"), None);
        assert_eq!(list("</1/0>,</3/0>,</4/0>,</5>"), Some(Refusal::ListTooLong));
        assert_eq!(list("</3/0>;a;b"), None);
        assert_eq!(list("</3/0>;a;b;c"), Some(Refusal::TooManyAttributes));
        let of_length = |length: usize| format!("</3/0>;a=\"{}\"", "x".repeat(length - 11));
        assert_eq!(list(&of_length(40)), None);
        assert_eq!(list(&of_length(41)), Some(Refusal::ListTooLong));
        let name = |name: &str| legal_endpoint(name.to_owned(), &config).err();
        assert_eq!((name("four"), name("fifth")), (None, Some(Refusal::Bad("ep"))));
    }
}
