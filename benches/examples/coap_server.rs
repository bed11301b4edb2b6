//! A server on the crate `coap`, for `cargo xtask speed`: it answers every request with four bytes.
//!
//! Usage: `coap_server ADDRESS`; one thread, as the servers that it is compared with.

use coap::Server;
use coap_lite::{CoapRequest, ResponseType};
use std::net::SocketAddr;

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).ok_or_else(|| std::io::Error::other("no address"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { Server::new_udp(address)?.run(answer).await })
}

async fn answer(mut request: Box<CoapRequest<SocketAddr>>) -> Box<CoapRequest<SocketAddr>> {
    if let Some(response) = &mut request.response {
        response.set_status(ResponseType::Content);
        response.message.payload = b"test".to_vec();
    }
    request
}
