//! Lists that are written piece by piece while they are sent.
//!
//! The list of 100,000 devices is 80 MB of JSON. The whole server writes one piece at a time, and
//! other tasks have their turn between pieces.

use super::answer;
use crate::state::ApiState;
use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream;
use serde::Serialize;
use std::convert::Infallible;

/// A piece ends with the entry that reaches so many bytes.
const ENOUGH: usize = 1 << 16;

/// A list that is read in pages.
pub(crate) trait Pages: Send + 'static {
    /// What is around the entries: those of an array, or of an object.
    const BRACKETS: [u8; 2] = *b"[]";

    /// Writes the next entries until the piece [is full](Piece::is_full). Returns whether more may
    /// follow.
    fn write(&mut self, state: &ApiState, piece: &mut Piece) -> impl Future<Output = bool> + Send;
}

/// A piece of a JSON array or object.
pub(crate) struct Piece {
    text: Vec<u8>,
    /// What comes before the next entry.
    separator: u8,
}

impl Piece {
    /// Appends an entry of an array.
    pub(crate) fn push(&mut self, entry: &impl Serialize) {
        self.text.push(self.separator);
        answer::write(&mut self.text, entry);
        self.separator = b',';
    }

    /// Appends an entry of an object.
    pub(super) fn push_member(&mut self, name: &str, value: &impl Serialize) {
        self.push(&name);
        self.text.push(b':');
        answer::write(&mut self.text, value);
    }

    /// Whether no more entries are to be appended.
    pub(crate) const fn is_full(&self) -> bool {
        self.text.len() >= ENOUGH
    }
}

/// Answers with all entries.
pub(crate) async fn list(state: ApiState, pages: impl Pages) -> Response {
    let mut list = open(state, pages);
    let first = list.next().await.unwrap_or_default();
    if list.separator.is_none() {
        return answer::stream(Body::from(first));
    }
    let rest = stream::unfold(list, async |mut list| Some((list.next().await?, list)));
    let first = stream::once(async { first });
    let pieces = futures_util::StreamExt::chain(first, rest);
    answer::stream(Body::from_stream(futures_util::StreamExt::map(pieces, Ok::<_, Infallible>)))
}

fn open<P: Pages>(state: ApiState, pages: P) -> List<P> {
    let [opening, _] = P::BRACKETS;
    List { state, pages, separator: Some(opening) }
}

/// A list that is being sent.
struct List<P> {
    state: ApiState,
    pages: P,
    /// What comes before the next entry; `None` after the end.
    separator: Option<u8>,
}

impl<P: Pages> List<P> {
    /// The next piece; `None` after the end.
    async fn next(&mut self) -> Option<Bytes> {
        let permit = self.state.begin_page().await;
        let mut piece = Piece { text: Vec::with_capacity(ENOUGH), separator: self.separator? };
        let more = self.pages.write(&self.state, &mut piece).await;
        let Piece { mut text, separator } = piece;
        if !more {
            let [opening, closing] = P::BRACKETS;
            text.extend(Some(separator).filter(|separator| *separator == opening));
            text.push(closing);
        }
        self.separator = more.then_some(separator);
        drop(permit);
        tokio::task::yield_now().await;
        Some(text.into())
    }
}
