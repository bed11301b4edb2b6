//! Servers and tokens that the user has named: a file in the user's configuration folder, which only
//! its owner can read.

use super::Connection;
use super::client::Client;
use super::table::Table;
use clap::Args;
use lwm2m_app::Failure;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// The server where nobody names one.
const SERVER: &str = "http://127.0.0.1:8080";
const FILE: &str = "contexts.json";

/// What `login` takes. The token comes from --token, LWM2M_TOKEN or standard input.
#[derive(Args, Debug)]
pub(crate) struct Login {
    /// The name of the context
    #[arg(long, default_value = "default")]
    name: String,
}

/// What `context` takes.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The context that is to be the current one
    name: Option<String>,
    /// Forget it instead
    #[arg(long, requires = "name")]
    remove: bool,
}

/// Where a server is, and what proves who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) server: String,
    pub(super) token: Option<String>,
    pub(super) ca: Option<PathBuf>,
    pub(super) allow_http: bool,
}

/// The file.
#[derive(Serialize, Deserialize, Default, Debug)]
struct Contexts {
    current: Option<String>,
    contexts: BTreeMap<String, Context>,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Context {
    server: String,
    token: Option<String>,
    #[serde(default)]
    ca: Option<PathBuf>,
    #[serde(default)]
    allow_http: bool,
}

/// What flags, environment and the file say about the server, in this order. A token of the file goes to
/// the server of its context only.
pub(super) fn access(connection: &Connection) -> Result<Access, Failure> {
    chosen(connection, &Contexts::read(&path()?)?)
}

fn chosen(connection: &Connection, file: &Contexts) -> Result<Access, Failure> {
    let name = connection.context.as_ref().or(file.current.as_ref());
    let context = name.and_then(|name| file.contexts.get(name));
    if let (Some(name), None) = (&connection.context, context) {
        return Err(unknown(name));
    }
    let of_flag = connection.server.as_deref().map(normal);
    let context =
        context.filter(|it| of_flag.as_ref().is_none_or(|server| *server == it.server)).cloned();
    let context = context.unwrap_or_else(|| Context {
        server: normal(SERVER),
        token: None,
        ca: None,
        allow_http: false,
    });
    Ok(Access {
        server: of_flag.unwrap_or(context.server),
        token: connection.token.clone().or(context.token),
        ca: connection.ca.clone().or(context.ca),
        allow_http: connection.allow_http || context.allow_http,
    })
}

/// Adds a context after the server has confirmed its token, and makes it the current one.
///
/// # Errors
/// The server cannot be reached or refuses the token, or the file cannot be written.
pub(super) fn login(arguments: &Login, connection: &Connection) -> Result<(), Failure> {
    let file = path()?;
    let mut contexts = Contexts::read(&file)?;
    let mut access = chosen(connection, &contexts)?;
    if connection.token.is_none() {
        access.token = Some(asked(&access.server)?);
    }
    let who = Client::new(&access)?.get("/api/session")?;
    if who["name"].is_null() {
        return Err(Failure::usage(format!("{} does not know the token", access.server)));
    }
    let Access { server, token, ca, allow_http } = access;
    let ca = ca.map(std::path::absolute).transpose().map_err(Failure::usage)?;
    contexts.contexts.insert(arguments.name.clone(), Context { server, token, ca, allow_http });
    contexts.current = Some(arguments.name.clone());
    contexts.write(&file)?;
    let (name, scope) = (super::text(&who, "name"), super::text(&who, "scope"));
    lwm2m_app::print_line(format_args!(
        "logged in as {name} ({scope}); kept in {}",
        file.display()
    ));
    Ok(())
}

/// Lists the contexts, or changes which one is current.
///
/// # Errors
/// There is no such context, or the file cannot be written.
pub(super) fn run(arguments: &Arguments, connection: &Connection) -> Result<(), Failure> {
    let file = path()?;
    let mut contexts = Contexts::read(&file)?;
    match &arguments.name {
        None => contexts.print(connection.json),
        Some(name) if !contexts.contexts.contains_key(name) => return Err(unknown(name)),
        Some(name) if arguments.remove => {
            contexts.contexts.remove(name);
            contexts.current = contexts.current.filter(|it| it != name);
            contexts.write(&file)?;
        }
        Some(name) => {
            contexts.current = Some(name.clone());
            contexts.write(&file)?;
        }
    }
    Ok(())
}

fn unknown(name: &str) -> Failure {
    Failure::usage(format!("there is no context `{name}`; `lwm2m context` lists those that are"))
}

/// The address of a server without a slash at its end.
fn normal(server: &str) -> String {
    server.trim_end_matches('/').to_owned()
}

/// Asks for the token on standard input.
fn asked(server: &str) -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        eprint!("token for {server}: ");
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(Failure::running)?;
    let token = line.trim().to_owned();
    let none = || Failure::usage("there is no token; give --token, LWM2M_TOKEN or standard input");
    if token.is_empty() { Err(none()) } else { Ok(token) }
}

/// The file, or with `LWM2M_CONFIG_DIR` the one in that folder.
fn path() -> Result<PathBuf, Failure> {
    use etcetera::BaseStrategy;
    if let Some(folder) = std::env::var_os("LWM2M_CONFIG_DIR") {
        return Ok(PathBuf::from(folder).join(FILE));
    }
    let base = etcetera::choose_base_strategy()
        .map_err(|_| Failure::usage("there is no home for a context file; set LWM2M_CONFIG_DIR"))?;
    Ok(base.config_dir().join("lwm2m").join(FILE))
}

impl Contexts {
    fn read(file: &Path) -> Result<Self, Failure> {
        let text = match fs::read(file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(failure(file, &error)),
        };
        serde_json::from_slice(&text).map_err(|error| failure(file, &error))
    }

    /// Writes a new file beside the old one and renames it, so that it is never half written nor readable
    /// by others.
    fn write(&self, file: &Path) -> Result<(), Failure> {
        let new = file.with_extension(format!("{}.new", std::process::id()));
        let write = || -> io::Result<()> {
            fs::create_dir_all(file.parent().unwrap_or_else(|| Path::new(".")))?;
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut written = options.open(&new)?;
            serde_json::to_writer_pretty(&mut written, self)?;
            written.write_all(b"\n")?;
            fs::rename(&new, file)
        };
        write().map_err(|error| failure(file, &error))
    }

    fn print(&self, as_json: bool) {
        let mut table = Table::new(&["", "name", "server"]);
        for (name, context) in &self.contexts {
            let is_current = self.current.as_ref() == Some(name);
            match as_json {
                true => lwm2m_app::print_line(
                    json!({"name": name, "server": context.server, "current": is_current}),
                ),
                false => {
                    let mark = if is_current { "*" } else { "" };
                    table.row([mark.to_owned(), name.clone(), context.server.clone()]);
                }
            }
        }
        if !as_json {
            table.print();
        }
    }
}

fn failure(file: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format!("cannot use the context file {}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contexts() -> Contexts {
        let context = Context {
            server: "https://a.example".to_owned(),
            token: Some("lwm2m_a".to_owned()),
            ca: None,
            allow_http: false,
        };
        Contexts { current: Some("a".to_owned()), contexts: [("a".to_owned(), context)].into() }
    }

    #[test]
    fn a_token_goes_to_the_server_of_its_context_only() {
        let token = |server: Option<&str>, token: Option<&str>| {
            let [server, token] = [server, token].map(|it| it.map(str::to_owned));
            let connection = Connection { server, token, ..Connection::default() };
            chosen(&connection, &contexts()).unwrap().token
        };
        assert_eq!(token(None, None).as_deref(), Some("lwm2m_a"));
        assert_eq!(token(Some("https://a.example/"), None).as_deref(), Some("lwm2m_a"));
        assert_eq!(token(Some("https://b.example"), None), None);
        assert_eq!(token(Some("https://b.example"), Some("lwm2m_b")).as_deref(), Some("lwm2m_b"));
    }

    #[test]
    fn a_context_that_is_not_there_is_an_error() {
        let connection = Connection { context: Some("b".to_owned()), ..Connection::default() };
        let error = chosen(&connection, &contexts()).unwrap_err().to_string();
        assert!(error.contains("`b`") && error.contains("lwm2m context"), "{error}");
    }
}
