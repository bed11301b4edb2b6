//! One bootstrap: commands to a device, one at a time, and Bootstrap-Finish at the end.

use crate::config::{Command, Config};
use crate::event::{Content, SessionError};
use lwm2m_coap::{Code, PeerId, Request, RequestId, Response};
use lwm2m_codec::Reading;
use lwm2m_codec::link::{self, Link, LinkError};
use lwm2m_core::{ContentFormat, Node, Path};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A bootstrap that is under way.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) endpoint: String,
    pub(crate) peer: PeerId,
    /// The format that the device wants.
    pub(crate) format: ContentFormat,
    /// The commands that are still to be sent.
    pub(crate) commands: VecDeque<Command>,
    /// The request that waits for an answer, and its command; none is Bootstrap-Finish.
    pub(crate) current: Option<(RequestId, Option<Command>)>,
}

impl Session {
    /// Gives the accounts that are still to be written numbers that the account of this bootstrap server,
    /// which has no short server ID, does not have.
    pub(crate) fn keep_bootstrap_account(&mut self, links: &[Link]) {
        let own = links.iter().filter(|link| link.param("ssid").is_none());
        let own = own.filter_map(|link| account_id(&link.path()?));
        let mut taken: BTreeSet<u16> = own.collect();
        let (mut moved, mut kept) = (Vec::new(), BTreeSet::new());
        for command in &mut self.commands {
            let Command::Write(path, _) = command else { continue };
            match account_id(path) {
                Some(id) if taken.contains(&id) => moved.push(path),
                Some(id) => _ = kept.insert(id),
                None => {}
            }
        }
        taken.append(&mut kept);
        for path in moved {
            let Some(free) = (0..u16::MAX).find(|id| !taken.contains(id)) else { return };
            taken.insert(free);
            *path = Path::instance(SECURITY, free);
        }
    }
}

/// The Security object.
const SECURITY: u16 = 0;

/// The number of an account, of which a path is the instance.
fn account_id(path: &Path) -> Option<u16> {
    match path.ids() {
        [SECURITY, id] => Some(*id),
        _ => None,
    }
}

/// The request of a command; of none, Bootstrap-Finish.
pub(crate) fn request(
    command: Option<&Command>,
    format: ContentFormat,
) -> Result<Request, SessionError> {
    let Some(command) = command else { return Ok(Request::post().path(["bs"])) };
    let request = match command {
        Command::Discover(_) | Command::KeepBootstrapAccount => {
            Request::get().accept(ContentFormat::LINK.0)
        }
        Command::Read(_) => Request::get().accept(format.0),
        Command::Delete(_) => Request::delete(),
        Command::Write(path, node) => {
            let payload = lwm2m_codec::encode(format, path, node);
            let payload = payload.map_err(|_| SessionError::NotSent(*path))?;
            Request::put().content_format(format.0).payload(payload)
        }
    };
    Ok(request.path(command.path().ids().iter().map(u16::to_string)))
}

/// What a device answered to a command, if it carried it out.
pub(crate) fn content(
    command: &Command,
    format: ContentFormat,
    config: &Config,
    response: &Response,
) -> Result<Content, SessionError> {
    let path = command.path();
    let expected = match command {
        Command::Discover(_) | Command::KeepBootstrapAccount | Command::Read(_) => Code::CONTENT,
        Command::Delete(_) => Code::DELETED,
        Command::Write(..) => Code::CHANGED,
    };
    if response.code != expected {
        return Err(SessionError::Refused(*path, response.code));
    }
    match command {
        Command::Discover(_) | Command::KeepBootstrapAccount => {
            let links = links(&response.payload, config.max_values)?;
            Ok(Content::Links(links))
        }
        Command::Read(_) => {
            let format = response.options.content_format().map_or(format, ContentFormat);
            let model = config.registry.model(&[]);
            let reading = Reading::answer(&model).at_most(config.max_values);
            let node = reading.decode(format, path, &response.payload)?;
            Ok(Content::Node(node))
        }
        Command::Delete(_) => Ok(Content::Deleted),
        Command::Write(..) => Ok(Content::Written),
    }
}

fn links(payload: &[u8], most: usize) -> Result<Vec<Link>, SessionError> {
    let text = core::str::from_utf8(payload);
    let text = text.map_err(|error| LinkError::Utf8 { offset: error.valid_up_to() })?;
    Ok(link::parse_at_most(text, most)?)
}

/// All values that the commands write, as one tree; `None` if one of them does not go with its
/// path.
pub(crate) fn pack(commands: &[Command]) -> Option<Node> {
    let mut tree = Node::Root(BTreeMap::new());
    for command in commands {
        let Command::Write(path, node) = command else { continue };
        if node.depth() != path.depth() {
            return None;
        }
        for (leaf, value) in node.leaves(path) {
            tree.insert(&Path::ROOT, &leaf, value.clone());
        }
    }
    Some(tree)
}
