//! `lwm2m why` and `lwm2m rejected`

use super::client::{encoded, query};
use super::table::{Table, plain, time};
use super::{Session, text};
use clap::Args;
use lwm2m_app::Failure;
use serde_json::Value as Json;

/// What `why` takes.
#[derive(Args, Debug)]
pub(crate) struct Why {
    /// The endpoint name
    endpoint: String,
}

/// What `rejected` takes.
#[derive(Args, Debug)]
pub(crate) struct Rejected {
    /// The most to list [default: all]
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
}

pub(super) fn why(it: &Why, session: &Session) -> Result<(), Failure> {
    let why = session.client.get(&format!("/api/clients/{}/why", encoded(&it.endpoint)))?;
    session.print(&why, |why| {
        let [state, sentence, remedy] =
            ["state", "why", "remedy"].map(|name| plain(text(why, name)));
        lwm2m_app::print_line(format_args!("{state}: {sentence}; to do: {remedy}"));
    });
    Ok(())
}

pub(super) fn rejected(it: &Rejected, session: &Session) -> Result<(), Failure> {
    let limit = it.limit.map(|it| it.to_string());
    let all = session.client.get(&format!("/api/rejected{}", query([("limit", limit)])))?;
    let mut table = Table::new(&["last", "count", "address", "name", "why"]);
    for it in all.as_array().into_iter().flatten() {
        match session.json {
            true => lwm2m_app::print_line(it),
            false => table.row(row(it)),
        }
    }
    if !session.json {
        table.print();
    }
    Ok(())
}

fn row(it: &Json) -> [String; 5] {
    let [address, name, why] = ["address", "name", "why"].map(|name| text(it, name).to_owned());
    [time(it["last"].as_i64().unwrap_or_default()), it["count"].to_string(), address, name, why]
}
