//! `lwm2m coap`: sends a request to any CoAP server, as curl does to web servers, or runs one.

mod print;

use crate::convert::input;
use crate::serve;
use clap::{Args, Subcommand, ValueEnum};
use lwm2m_app::secured::Secured;
use lwm2m_app::{Failure, LogLevel, log};
use lwm2m_coap::uri::{Scheme, Uri};
use lwm2m_coap::{Code, Config, Request, Response};
use lwm2m_core::ContentFormat;
use lwm2m_net::Sockets;
use lwm2m_net::coap::{Answer, CoapClient, Security};
use lwm2m_net::uri::Remote;
use print::Style;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// What `coap` takes.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    question: Option<Question>,
    #[command(flatten)]
    secured: Secured,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Runs a CoAP server with the resources of the ETSI plugtests
    Serve(serve::Arguments),
}

#[derive(Args, Debug)]
struct Question {
    /// The method
    #[arg(value_enum)]
    method: Method,
    /// The resource, for example coap://127.0.0.1/.well-known/core
    uri: String,
    /// The payload; `-` reads standard input
    payload: Option<String>,
    /// Notation of the payload
    #[arg(long, value_enum, default_value_t = input::InputKind::Binary)]
    input: input::InputKind,
    /// Format of the payload: a name such as senml-cbor, or a number
    #[arg(long, short, value_name = "FORMAT", value_parser = format)]
    content_format: Option<ContentFormat>,
    /// Format of the answer (Accept): a name such as senml-cbor, or a number
    #[arg(long, short, value_name = "FORMAT", value_parser = format)]
    accept: Option<ContentFormat>,
    /// Send a non-confirmable message
    #[arg(long)]
    non: bool,
    /// Print each answer with its code and options as a line of JSON
    #[arg(long)]
    json: bool,
    /// File for the bytes of the payload
    #[arg(long, short, value_name = "FILE", conflicts_with = "json")]
    output: Option<PathBuf>,
    /// Leave Uri-Host out where the URI has a name: some servers dislike it
    #[arg(long)]
    no_uri_host: bool,
    /// Log every datagram in hex
    #[arg(long, short)]
    verbose: bool,
    /// With observe: number of notifications after which it ends
    #[arg(long, value_name = "NUMBER")]
    count: Option<usize>,
    /// Seconds to wait for the answer, and with observe for each notification [default: 95 for the
    /// answer, no limit for notifications]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Get,
    Post,
    Put,
    Delete,
    Fetch,
    Ipatch,
    /// GET with Observe
    Observe,
}

fn format(text: &str) -> Result<ContentFormat, String> {
    ContentFormat::from_name(text).ok_or_else(|| {
        "there is no format of that name; use a name such as senml-cbor, or a number".to_owned()
    })
}

impl Method {
    const fn code(self) -> Code {
        match self {
            Self::Get | Self::Observe => Code::GET,
            Self::Post => Code::POST,
            Self::Put => Code::PUT,
            Self::Delete => Code::DELETE,
            Self::Fetch => Code::FETCH,
            Self::Ipatch => Code::IPATCH,
        }
    }
}

/// Runs `lwm2m coap`.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match (&arguments.command, &arguments.question) {
        (Some(Command::Serve(arguments)), _) => serve::run(arguments),
        (None, Some(question)) => run_question(question, &arguments.secured),
        (None, None) => {
            Err(Failure::usage("name a method and a URI, for example `get coap://127.0.0.1/test`"))
        }
    }
}

fn run_question(arguments: &Question, secured: &Secured) -> Result<(), Failure> {
    log::start(if arguments.verbose { LogLevel::Trace } else { LogLevel::Warn });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::running)?.block_on(ask(arguments, secured))
}

async fn ask(arguments: &Question, secured: &Secured) -> Result<(), Failure> {
    let request = request(arguments)?;
    let server = lwm2m_net::uri::resolve(&arguments.uri).await.map_err(Failure::usage)?;
    let client = client(&arguments.uri, server, secured).await?;
    let mut answers = client.request(server, request).await.map_err(Failure::usage)?;
    let mut left = arguments.count.unwrap_or(usize::MAX);
    let (style, mut out) = arguments.output()?;
    let mut first = true;
    while let Some(response) = next(arguments, server.address, &mut answers, first).await? {
        if !response.code.is_success() {
            return Err(refused(&response, style, &mut *out)?);
        }
        print::answer(&response, style, &mut *out)?;
        left = left.saturating_sub(usize::from(!first));
        first = false;
        if left == 0 {
            break;
        }
    }
    Ok(())
}

/// The failure of an answer with an error code. Its text is for people, so it never goes into a file
/// or a pipe that waits for a payload.
fn refused(response: &Response, style: Style, out: &mut dyn Write) -> Result<Failure, Failure> {
    match style {
        Style::Json => print::answer(response, style, out)?,
        Style::Line | Style::Raw if !response.payload.is_empty() => {
            print::answer(response, Style::Line, &mut std::io::stderr())?;
        }
        Style::Line | Style::Raw => {}
    }
    Ok(Failure::running(format!("the server answered {}", response.code)))
}

impl Question {
    /// Where answers go and how. People get lines, pipes and files the bytes of the payload;
    /// notifications are lines everywhere, so that they can be told apart.
    fn output(&self) -> Result<(Style, Box<dyn Write>), Failure> {
        let is_raw = self.method != Method::Observe && !std::io::stdout().is_terminal();
        let style = match (self.json, &self.output) {
            (true, _) => Style::Json,
            (false, Some(path)) => {
                let file = File::create(path).map_err(|error| {
                    Failure::usage(format!("cannot write {}: {error}", path.display()))
                })?;
                return Ok((Style::Raw, Box::new(file)));
            }
            (false, None) if is_raw => Style::Raw,
            (false, None) => Style::Line,
        };
        Ok((style, Box::new(std::io::stdout())))
    }
}

async fn client(uri: &str, server: Remote, secured: &Secured) -> Result<CoapClient, Failure> {
    let sockets = Sockets::client(server.address.is_ipv6());
    let seed = lwm2m_net::seed().map_err(Failure::running)?;
    let client = match security(uri, secured)? {
        Some(security) => {
            CoapClient::bind_secured(sockets, Config::default(), security, seed).await
        }
        None => CoapClient::bind(Sockets { dtls: None, ..sockets }, Config::default(), seed).await,
    };
    client.map_err(Failure::running)
}

/// The keys for the server of a URI; `None` for coap and coap+tcp.
pub(crate) fn security(uri: &str, secured: &Secured) -> Result<Option<Security>, Failure> {
    let uri = Uri::parse(uri).map_err(Failure::usage)?;
    if secured.tls13 && uri.scheme != Scheme::CoapsTcp {
        return Err(Failure::usage("--tls13 needs a coaps+tcp:// URI"));
    }
    if !uri.scheme.is_secured() {
        secured.check_unused()?;
        return Ok(None);
    }
    let (config, profile) = secured.client(&uri.host.to_string())?;
    Ok(Some(Security { config, profile: Arc::new(profile) }))
}

/// The next response or notification; `None` after the last.
async fn next(
    arguments: &Question,
    server: SocketAddr,
    answers: &mut Receiver<Answer>,
    first: bool,
) -> Result<Option<Response>, Failure> {
    let seconds = arguments.timeout.or_else(|| first.then_some(95));
    let mut out = std::io::stderr();
    let Some(seconds) = seconds else { return wait(server, answers, &mut out).await };
    let patience = Duration::from_secs(seconds.into());
    let late = |_| Failure::running(format!("no answer from {server} within {seconds} s"));
    tokio::time::timeout(patience, wait(server, answers, &mut out)).await.map_err(late)?
}

/// Waits for a response or notification, and tells when the server does not answer at first.
async fn wait(
    server: SocketAddr,
    answers: &mut Receiver<Answer>,
    out: &mut impl Write,
) -> Result<Option<Response>, Failure> {
    loop {
        return match answers.recv().await {
            None => Ok(None),
            Some(Answer::Response(response) | Answer::Notification(response)) => Ok(Some(response)),
            Some(Answer::Failed(reason)) => Err(Failure::running(format!("{server}: {reason}"))),
            Some(Answer::NoSession(why)) => Err(Failure::running(why)),
            Some(Answer::Unanswered(address)) => {
                // Without standard error there is nobody to tell.
                let _ = writeln!(out, "no answer yet from {address}, still trying");
                continue;
            }
        };
    }
}

fn request(arguments: &Question) -> Result<Request, Failure> {
    let uri = Uri::parse(&arguments.uri).map_err(Failure::usage)?;
    let mut request = Request::new(arguments.method.code());
    uri.push_options(&mut request.options);
    if !arguments.no_uri_host {
        uri.push_host(&mut request.options);
    }
    if arguments.method == Method::Observe {
        request = request.observe(0);
    }
    if let Some(format) = arguments.accept {
        request = request.accept(format.0);
    }
    if let Some(format) = arguments.content_format {
        request = request.content_format(format.0);
    }
    if arguments.non {
        request = request.non_confirmable();
    }
    if let Some(payload) = &arguments.payload {
        let bytes = input::read(Some(payload)).map_err(Failure::usage)?;
        request = request.payload(arguments.input.bytes(bytes).map_err(Failure::usage)?.0);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_coap::FailReason;

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_named_at_once_and_in_the_end() {
        let server = SocketAddr::from(([192, 0, 2, 1], 5683));
        let (reader, mut answers) = tokio::sync::mpsc::channel(2);
        reader.send(Answer::Unanswered(server)).await.unwrap();
        reader.send(Answer::Failed(FailReason::Unacknowledged { sent: 5 })).await.unwrap();
        let mut said = Vec::new();
        let failure = wait(server, &mut answers, &mut said).await.unwrap_err().to_string();
        assert_eq!(said, b"no answer yet from 192.0.2.1:5683, still trying\n");
        assert!(failure.contains("192.0.2.1:5683") && failure.contains("5 times"), "{failure}");
    }
}
