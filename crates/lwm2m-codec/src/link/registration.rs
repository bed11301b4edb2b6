//! The links of a registration: objects and object instances. OMA LwM2M Core, section 6.2.1.

use super::parse::located;
use super::{Link, LinkError};
use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use lwm2m_core::{ContentFormat, ObjectVersion};

/// A registered object.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct RegisteredObject {
    /// The parameter `ver`, if there is one.
    pub version: Option<ObjectVersion>,
    /// The IDs of the instances.
    pub instances: BTreeSet<u16>,
}

/// The interpreted links of a Register or Update.
#[derive(Clone, PartialEq, Debug)]
pub struct RegistrationLinks {
    /// The alternate path: the target of the link with `rt="oma.lwm2m"`, by default `/`.
    pub root_path: String,
    /// The content formats in `ct` of the root link, in order.
    pub content_formats: Vec<ContentFormat>,
    /// The objects by ID.
    pub objects: BTreeMap<u16, RegisteredObject>,
    /// All links as they were sent.
    pub sent: Vec<Link>,
}

/// Parses the payload of Register or Update. Ignores links outside of the alternate path, and links to
/// anything but objects and object instances.
///
/// # Errors
/// The payload is not UTF-8 or malformed, or a `ver` is not `major.minor`.
pub fn parse_registration(payload: &[u8]) -> Result<RegistrationLinks, LinkError> {
    let text = core::str::from_utf8(payload)
        .map_err(|error| LinkError::Utf8 { offset: error.valid_up_to() })?;
    let sent = located(text)?;
    let links = || sent.iter().map(|(_, link)| link);
    let root = links().find(|link| is_root(link));
    let root_path = root.map_or("/", |link| match link.target.trim_end_matches('/') {
        "" => "/",
        path => path,
    });
    let root_path = root_path.to_owned();
    let offered = root.or_else(|| links().find(|link| link.target == "/"));
    let content_formats = offered.and_then(|link| link.param("ct")).map_or_else(Vec::new, formats);
    let mut list = RegistrationLinks {
        root_path,
        content_formats,
        objects: BTreeMap::new(),
        sent: Vec::new(),
    };
    for (offset, link) in &sent {
        list.add(*offset, link)?;
    }
    list.sent = sent.into_iter().map(|(_, link)| link).collect();
    Ok(list)
}

fn is_root(link: &Link) -> bool {
    link.param("rt").is_some_and(|types| types.split(' ').any(|name| name == "oma.lwm2m"))
}

fn formats(list: &str) -> Vec<ContentFormat> {
    let numbers = list.split([' ', ',']).filter_map(|number| number.parse().ok());
    numbers.map(ContentFormat).collect()
}

impl RegistrationLinks {
    fn add(&mut self, offset: usize, link: &Link) -> Result<(), LinkError> {
        let Some(path) = link.path_below(&self.root_path) else { return Ok(()) };
        let (Some(id), 1..=2) = (path.object_id(), path.depth()) else { return Ok(()) };
        let object = self.objects.entry(id).or_default();
        object.instances.extend(path.instance_id());
        if let Some(version) = link.param("ver") {
            let version = version.parse().map_err(|_| LinkError::Version { offset })?;
            // The version of the object link overrides that of an instance link (since LwM2M 1.2.1).
            if path.depth() == 1 || object.version.is_none() {
                object.version = Some(version);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> RegistrationLinks {
        parse_registration(text.as_bytes()).unwrap()
    }

    #[test]
    fn objects_and_instances_are_collected() {
        let list = read("</1/0>,</1/1>,</3/0>,</5>");
        assert_eq!(list.root_path, "/");
        assert_eq!(list.objects.keys().copied().collect::<Vec<_>>(), [1, 3, 5]);
        assert_eq!(list.objects[&1].instances, BTreeSet::from([0, 1]));
        assert!(list.objects[&5].instances.is_empty());
        assert_eq!(list.sent.len(), 4);
        let formats = read("</>;rt=\"oma.lwm2m\";ct=\"60 110\",</3/0>").content_formats;
        assert_eq!(formats, [ContentFormat::CBOR, ContentFormat::SENML_JSON]);
        assert_eq!(read("</>;ct=11543,</3/0>").content_formats, [ContentFormat::JSON]);
    }

    // proves: LINK-05
    #[test]
    fn only_links_below_the_alternate_path_are_used() {
        let list = read("</root>;rt=\"oma.lwm2m\",</root/1/0>,</3/0>,</root/4/0/0>,</root/a>");
        assert_eq!(list.root_path, "/root");
        assert_eq!(list.objects.keys().copied().collect::<Vec<_>>(), [1]);
        assert_eq!(list.objects[&1].instances, BTreeSet::from([0]));
        let plain = read("</3/0/1>,</x/0>,</65535>,</70000/0>,</3/0/>");
        assert_eq!(plain.objects.keys().copied().collect::<Vec<_>>(), [3]);
        assert_eq!(plain.objects[&3].instances, BTreeSet::from([0]));
    }

    // proves: LINK-07
    #[test]
    fn ver_is_a_parameter_of_the_object_or_of_an_instance() {
        for text in ["</3>;ver=1.1,</3/0>", "</3/0>;ver=1.1", "</3>;ver=\"1.1\",</3/0>"] {
            let list = read(text);
            assert_eq!(list.objects[&3].version, Some(ObjectVersion::new(1, 1)), "{text}");
            assert_eq!(list.objects[&3].instances, BTreeSet::from([0]));
        }
        for (text, offset) in [("</3>;ver=1", 0), ("</1/0>, </3>;ver=x", 8), (" </3>;ver", 1)] {
            let error = parse_registration(text.as_bytes());
            assert_eq!(error, Err(LinkError::Version { offset }));
        }
        assert_eq!(parse_registration(b"</3>\xff"), Err(LinkError::Utf8 { offset: 4 }));
    }
}
