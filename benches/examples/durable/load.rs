//! Devices that ask over UDP, each one request after the other.

use lwm2m_coap::{Code, MessageBuilder, MessageType, MessageView, Request, Token};
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// After which time a device sends its request again.
const RESEND: Duration = Duration::from_secs(2);

/// A device.
pub(crate) struct Device {
    socket: UdpSocket,
    number: u16,
}

impl Device {
    pub(crate) fn connect(to: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(to)?;
        socket.set_read_timeout(Some(RESEND))?;
        Ok(Self { socket, number: 0 })
    }

    /// Sends a request, and waits for its answer.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Code, Box<dyn Error>> {
        self.number = self.number.wrapping_add(1);
        let token = Token::new(&self.number.to_be_bytes()).ok_or("a short token")?;
        let mut datagram = Vec::new();
        let kind = MessageType::Confirmable;
        MessageBuilder::new(&mut datagram, kind, request.code, self.number, token)
            .options(&request.options)
            .payload(&request.payload);
        self.socket.send(&datagram)?;
        let mut buffer = [0; 2_048];
        loop {
            let Ok(length) = self.socket.recv(&mut buffer) else {
                self.socket.send(&datagram)?;
                continue;
            };
            let Ok(answer) = MessageView::parse(&buffer[..length]) else { continue };
            if answer.kind() == MessageType::Confirmable {
                let [high, low] = answer.message_id().to_be_bytes();
                self.socket.send(&[0x60, 0, high, low])?;
            }
            if answer.token() == token && answer.code().is_response() {
                return Ok(answer.code());
            }
        }
    }
}

/// A Register.
pub(crate) fn register(endpoint: &str) -> Request {
    let request = Request::post().path(["rd"]).content_format(40);
    let name = format!("ep={endpoint}");
    let query = [name.as_str(), "lt=86400", "lwm2m=1.1", "b=U"];
    query.iter().fold(request, |it, part| it.query(part)).payload("</1/0>,</3/0>,</3303/0>")
}

/// A Send of one number.
pub(crate) fn send(value: u32) -> Request {
    let payload = format!(r#"[{{"n":"/3303/0/5700","v":{value}.5}}]"#);
    Request::post().path(["dp"]).content_format(110).payload(payload)
}

/// What many devices did at once.
pub(crate) struct Done {
    times: Vec<Duration>,
    span: Duration,
}

impl Done {
    /// Lets each of so many devices ask again and again for a span; `request` is given the number of the
    /// device, and how often it asked before.
    pub(crate) fn by(
        to: SocketAddr,
        devices: u32,
        span: Duration,
        registers_first: bool,
        request: impl Fn(u32, u32) -> Request + Copy + Send + 'static,
    ) -> Result<Self, Box<dyn Error>> {
        let begin = Instant::now();
        let run = move |device: u32| -> Result<Vec<Duration>, String> {
            let mut times = Vec::new();
            let mut it = Device::connect(to).map_err(|error| error.to_string())?;
            if registers_first {
                let name = format!("sender-{device}");
                it.ask(&register(&name)).map_err(|error| error.to_string())?;
            }
            while begin.elapsed() < span {
                let asked = Instant::now();
                let count = u32::try_from(times.len()).unwrap_or(u32::MAX);
                let code = it.ask(&request(device, count)).map_err(|error| error.to_string())?;
                if !code.is_success() {
                    return Err(format!("the server answered {code}"));
                }
                times.push(asked.elapsed());
            }
            Ok(times)
        };
        let threads = (0..devices).map(|device| {
            let small = std::thread::Builder::new().stack_size(256 << 10);
            small.spawn(move || run(device))
        });
        let mut times = Vec::new();
        for thread in threads.collect::<Result<Vec<_>, _>>()? {
            times.extend(thread.join().map_err(|_| "a device panicked")??);
        }
        times.sort_unstable();
        Ok(Self { times, span: begin.elapsed() })
    }

    /// A row of the table: how many a second, and how long they took.
    pub(crate) fn print(&self, what: &str) {
        let at = |percent: usize| {
            let place = (self.times.len() * percent / 100).min(self.times.len().saturating_sub(1));
            self.times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
        };
        let rate = self.times.len() as f64 / self.span.as_secs_f64();
        println!("{what:<44} {rate:>9.0}/s   p50 {:>7.2}   p99 {:>7.2} ms", at(50), at(99));
    }
}
