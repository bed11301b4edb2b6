//! Operations as futures: sent now, or kept for devices that sleep.

use super::sink::{Outcome, Waiter};
use super::{Answer, RequestError, ServerHandle, WithSink};
use crate::cancellation::Cancellation;
use crate::driver::{Closed, Handle};
use lwm2m_server::{
    Begun, CommandId, CommandOptions, Operation, OperationError, OperationId, Response, Server,
    SubmitError,
};
use lwm2m_time::Instant;
use std::time::Duration;
use tokio::sync::oneshot;

/// A request whose caller still waits. Cancels the operation when it is dropped before the answer
/// has come.
struct CancelGuard<'a> {
    handle: &'a Handle<WithSink>,
    cancellation: Cancellation<OperationId>,
}

impl CancelGuard<'_> {
    /// Notes that the answer has come, so that there is nothing to cancel.
    fn disarm(self) {
        let _ = self.cancellation.abandon();
    }
}

impl Drop for CancelGuard<'_> {
    fn drop(&mut self) {
        let Some(id) = self.cancellation.abandon() else { return };
        self.handle.post(move |with_sink, _| {
            with_sink.sink.operations.remove(&id);
            with_sink.engine.cancel(id);
        });
    }
}

/// What has become of an operation when its caller's time is over.
enum Late {
    /// The device has answered in the last moment.
    Answered,
    /// It goes on as a command.
    Kept(CommandId),
    /// It was cancelled.
    GivenUp(RequestError),
}

impl ServerHandle {
    /// Sends an operation to the device that registered as `endpoint`, and waits for its answer.
    ///
    /// # Errors
    /// See [`RequestError`]. The operation is cancelled after `timeout`, and when the future is
    /// dropped.
    pub async fn request(
        &self,
        endpoint: &str,
        operation: Operation,
        timeout: Duration,
    ) -> Result<Response, RequestError> {
        let cancellation = Cancellation::new();
        let guard = CancelGuard { handle: &self.handle, cancellation: cancellation.clone() };
        let endpoint = endpoint.to_owned();
        let begin = move |server: &mut Server, now: Instant| {
            server.submit(now, &endpoint, operation).map(Some)
        };
        let (reply, mut outcome) = oneshot::channel();
        let answered = async {
            self.submit(cancellation, reply, begin).await?;
            (&mut outcome).await.map_err(|_| Closed)?
        };
        match tokio::time::timeout(timeout, answered).await {
            Ok(outcome) => {
                guard.disarm();
                outcome
            }
            Err(_) => match self.give_up(guard, timeout, None).await? {
                Late::GivenUp(error) => Err(error),
                Late::Answered | Late::Kept(_) => outcome.await.map_err(|_| Closed)?,
            },
        }
    }

    /// As [`request`](Self::request), but what a device in queue mode does not answer within
    /// `timeout` goes on as a command, with these options. So does, at once, what is for a device that
    /// sleeps, or for which commands wait.
    ///
    /// # Errors
    /// See [`RequestError`]. The operation is cancelled when the future is dropped.
    pub async fn perform(
        &self,
        endpoint: &str,
        operation: Operation,
        options: CommandOptions,
        timeout: Duration,
    ) -> Result<Answer<CommandId>, RequestError> {
        let cancellation = Cancellation::new();
        let guard = CancelGuard { handle: &self.handle, cancellation: cancellation.clone() };
        let (kept, mut is_kept) = oneshot::channel();
        let begin = begin(endpoint.to_owned(), operation.clone(), options.clone(), kept);
        let (reply, mut outcome) = oneshot::channel();
        let begun = async {
            self.submit(cancellation, reply, begin).await?;
            tokio::select! {
                biased;
                Ok(id) = &mut is_kept => Ok(Answer::Later(id)),
                outcome = &mut outcome => outcome.map_err(|_| Closed)?.map(Answer::Now),
            }
        };
        let late = match tokio::time::timeout(timeout, begun).await {
            Ok(Ok(Answer::Later(id))) => Late::Kept(id),
            Ok(outcome) => {
                guard.disarm();
                return self.or_later(endpoint, operation, options, outcome).await;
            }
            Err(_) => {
                let keep = (endpoint.to_owned(), operation, options);
                match self.give_up(guard, timeout, Some(keep)).await? {
                    // It may have been kept in the last moment.
                    Late::GivenUp(error) => {
                        is_kept.try_recv().map_or(Late::GivenUp(error), Late::Kept)
                    }
                    late => late,
                }
            }
        };
        match late {
            Late::Answered => outcome.await.map_err(|_| Closed)?.map(Answer::Now),
            Late::Kept(id) => self.kept(id).await.map(|it| Answer::Later(it.id)),
            Late::GivenUp(error) => Err(error),
        }
    }

    /// Keeps an operation whose device fell asleep instead of answering, if it may be sent twice.
    async fn or_later(
        &self,
        endpoint: &str,
        operation: Operation,
        options: CommandOptions,
        outcome: Result<Answer<CommandId>, RequestError>,
    ) -> Result<Answer<CommandId>, RequestError> {
        let silent = matches!(outcome, Err(RequestError::Operation(OperationError::Timeout)));
        let sleeps = self.directory.get(endpoint).is_some_and(|it| it.is_asleep);
        match silent && sleeps && operation.is_idempotent() {
            true => self.command(endpoint, operation, options).await.map(|it| Answer::Later(it.id)),
            false => outcome,
        }
    }

    /// Ends waiting for an operation. It goes on as a command if `keep` tells how and its device is in
    /// queue mode.
    async fn give_up(
        &self,
        guard: CancelGuard<'_>,
        after: Duration,
        keep: Option<(String, Operation, CommandOptions)>,
    ) -> Result<Late, Closed> {
        let Some(id) = guard.cancellation.abandon() else {
            return Ok(Late::GivenUp(RequestError::Elapsed(after)));
        };
        self.handle.with(move |with_sink, now| end_waiting(with_sink, now, id, after, keep)).await
    }

    /// Submits an operation, unless it is given up before. `begin` returns nothing if there will be no
    /// outcome to wait for.
    async fn submit(
        &self,
        cancellation: Cancellation<OperationId>,
        reply: oneshot::Sender<Outcome>,
        begin: impl FnOnce(&mut Server, Instant) -> Result<Option<OperationId>, SubmitError>
        + Send
        + 'static,
    ) -> Result<(), Closed> {
        let submit = move |with_sink: &mut WithSink, now| {
            if cancellation.is_abandoned() {
                return;
            }
            match begin(&mut with_sink.engine, now) {
                Ok(Some(id)) if cancellation.begin(id) => {
                    with_sink.sink.operations.insert(id, Waiter::Caller(reply));
                }
                Ok(Some(id)) => with_sink.engine.cancel(id),
                Ok(None) => {}
                // The caller may have gone.
                Err(error) => drop(reply.send(Err(error.into()))),
            }
        };
        self.handle.run(submit).await
    }
}

/// What begins an operation, or keeps it and tells so.
fn begin(
    endpoint: String,
    operation: Operation,
    options: CommandOptions,
    kept: oneshot::Sender<CommandId>,
) -> impl FnOnce(&mut Server, Instant) -> Result<Option<OperationId>, SubmitError> {
    move |server, now| match server.begin(now, &endpoint, operation, options)? {
        Begun::Sent(id) => Ok(Some(id)),
        Begun::Kept(id) => {
            if kept.send(id).is_err() {
                // The caller has gone, and was promised nothing.
                server.remove_command(now, id);
            }
            Ok(None)
        }
    }
}

/// Ends waiting for an operation, on the engine's thread.
fn end_waiting(
    with_sink: &mut WithSink,
    now: Instant,
    id: OperationId,
    after: Duration,
    keep: Option<(String, Operation, CommandOptions)>,
) -> Late {
    let (server, sink) = (&mut with_sink.engine, &mut with_sink.sink);
    if sink.operations.remove(&id).is_none() {
        return Late::Answered;
    }
    let queues = |endpoint: &str| server.registration(endpoint).is_some_and(|it| it.queue_mode);
    if let Some((_, operation, options)) = keep.filter(|(endpoint, ..)| queues(endpoint)) {
        return match server.keep_operation(now, id, operation, options) {
            Ok(command) => Late::Kept(command),
            Err(error) => {
                server.cancel(id);
                Late::GivenUp(error.into())
            }
        };
    }
    let target = server.waits_for(id);
    server.cancel(id);
    Late::GivenUp(match target {
        Some(target) => RequestError::Queued { after, target },
        None => RequestError::Elapsed(after),
    })
}
