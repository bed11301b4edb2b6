//! Closures for an engine, on their way to it.

use lwm2m_time::Instant;
use tokio::sync::oneshot;

/// What another task wants done with an engine.
pub(super) trait Command<E>: Send {
    /// Does it.
    fn run(&mut self, engine: &mut E, now: Instant);

    /// Tells the result, when the outputs that follow from it have been taken. So who has the answer
    /// finds the events with their sink.
    fn finish(self: Box<Self>);
}

/// A closure whose caller waits for the result.
struct Asked<F, R> {
    f: Option<F>,
    result: Option<R>,
    reply: oneshot::Sender<R>,
}

impl<E, R: Send, F: FnOnce(&mut E, Instant) -> R + Send> Command<E> for Asked<F, R> {
    fn run(&mut self, engine: &mut E, now: Instant) {
        self.result = self.f.take().map(|f| f(engine, now));
    }

    fn finish(self: Box<Self>) {
        let Self { result: Some(result), reply, .. } = *self else { return };
        // The caller may have given up.
        let _ = reply.send(result);
    }
}

/// A closure for whose result nobody waits.
struct Told<F>(Option<F>);

impl<E, F: FnOnce(&mut E, Instant) + Send> Command<E> for Told<F> {
    fn run(&mut self, engine: &mut E, now: Instant) {
        if let Some(f) = self.0.take() {
            f(engine, now);
        }
    }

    fn finish(self: Box<Self>) {}
}

/// A command, and the result that it will have.
pub(super) fn asked<E, R: Send + 'static>(
    f: impl FnOnce(&mut E, Instant) -> R + Send + 'static,
) -> (Box<dyn Command<E>>, oneshot::Receiver<R>) {
    let (reply, answer) = oneshot::channel();
    (Box::new(Asked { f: Some(f), result: None, reply }), answer)
}

/// A command without a result.
pub(super) fn told<E>(f: impl FnOnce(&mut E, Instant) + Send + 'static) -> Box<dyn Command<E>> {
    Box::new(Told(Some(f)))
}
