//! What outlives a restart: commands and wished observations. Nothing is acknowledged before it is
//! durable.

use super::sink::{Outcome, Waiter};
use super::{Answer, RequestError, ServerHandle, WithSink};
use crate::cancellation::Cancellation;
use crate::driver::{Closed, Handle};
use lwm2m_link::Lsn;
use lwm2m_server::{
    Command, CommandId, CommandOptions, Invalid, Operation, OperationId, Response, Server,
    SubmitError, Target, WishOptions,
};
use lwm2m_time::Instant;
use std::time::Duration;
use tokio::sync::oneshot;

impl ServerHandle {
    /// Runs `f` on the engine. When it has succeeded, waits until everything is durable that the
    /// server has promised so far.
    ///
    /// # Errors
    /// That of `f`, or the store could not keep it.
    pub async fn promise<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Server, Instant) -> Result<R, SubmitError> + Send + 'static,
    ) -> Result<R, RequestError> {
        let run = |server: &mut Server, now| f(server, now).map(|it| (it, server.promised()));
        let (result, promised) = self.with(run).await??;
        self.written(promised).await?;
        Ok(result)
    }

    /// Keeps an operation until its device can be reached, and then its result; see
    /// [`Server::command`]. Returns the command when it is durable.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn command(
        &self,
        endpoint: &str,
        operation: Operation,
        options: CommandOptions,
    ) -> Result<Command, RequestError> {
        let endpoint = endpoint.to_owned();
        let id = self.with(move |server, now| server.command(now, &endpoint, operation, options));
        self.kept(id.await??).await
    }

    /// A command that was just made, when it is durable.
    pub(super) async fn kept(&self, id: CommandId) -> Result<Command, RequestError> {
        self.promise(|_, _| Ok(())).await?;
        // A failed write has removed it, even if the store has recovered since.
        let command = self.with(move |server, _| server.command_by_id(id).cloned()).await?;
        command.ok_or_else(|| SubmitError::NotKept.into())
    }

    /// Waits until a command has ended, but no longer than `patience`. Returns it as it is then;
    /// `None` if there is no such command.
    ///
    /// # Errors
    /// [`Closed`] if the server has been shut down.
    pub async fn ended(
        &self,
        id: CommandId,
        patience: Duration,
    ) -> Result<Option<Command>, Closed> {
        let (end, ended) = oneshot::channel();
        let _guard = EndGuard { handle: &self.handle, id };
        let waits = self.handle.with(move |with_sink, _| {
            let command = with_sink.engine.command_by_id(id);
            let waits = command.is_some_and(|it| !it.has_ended());
            if waits {
                with_sink.sink.await_end(id, end);
            }
            waits
        });
        if waits.await? {
            // The command is looked at either way.
            let _ = tokio::time::timeout(patience, ended).await;
        }
        self.with(move |server, _| server.command_by_id(id).cloned()).await
    }

    /// Takes a command back, or forgets its result; see [`Server::remove_command`]. Returns whether
    /// there was one.
    ///
    /// # Errors
    /// The server has been shut down, or the store could not keep it.
    pub async fn remove_command(&self, id: CommandId) -> Result<bool, RequestError> {
        self.promise(move |server, now| Ok(server.remove_command(now, id))).await
    }

    /// Wants something observed until [`cease`](Self::cease); see [`Server::wish`]. Waits for the first
    /// answer of the device, unless that sleeps or is not connected: then an
    /// [`Event::Completed`](lwm2m_server::Event::Completed) tells it later. When the future is dropped,
    /// the wish may stay.
    ///
    /// # Errors
    /// See [`RequestError`]. After [`RequestError::Wished`] the wish stays, and the first values are
    /// told as those of a notification.
    pub async fn wish(
        &self,
        endpoint: &str,
        target: Target,
        options: WishOptions,
        timeout: Duration,
    ) -> Result<Answer<OperationId>, RequestError> {
        let name = || (endpoint.to_owned(), target.clone());
        let cancellation = Cancellation::new();
        let guard =
            WishGuard { handle: &self.handle, cancellation: cancellation.clone(), of: name() };
        let (reply, mut outcome) = oneshot::channel();
        let wishing = wish(name(), options, cancellation, reply);
        let (id, is_reachable, promised) = self.handle.with(wishing).await??;
        self.written(promised).await?;
        if !is_reachable {
            return Ok(Answer::Later(id));
        }
        let answered = tokio::time::timeout(timeout, &mut outcome).await;
        let _ = guard.cancellation.abandon();
        match answered {
            Ok(outcome) => outcome.map_err(|_| Closed)?.map(Answer::Now),
            Err(_) => {
                let of = name();
                let end =
                    move |with_sink: &mut WithSink, _| end_waiting(with_sink, id, &of, timeout);
                match self.handle.with(end).await? {
                    Some(late) => late,
                    None => outcome.await.map_err(|_| Closed)?.map(Answer::Now),
                }
            }
        }
    }

    /// Takes a wish back, or ends an observation, without telling the device, which learns it by the
    /// Reset to its next notification. Returns whether there was one.
    ///
    /// # Errors
    /// The server has been shut down, or the store could not keep it.
    pub async fn cease(&self, endpoint: &str, target: Target) -> Result<bool, RequestError> {
        let endpoint = endpoint.to_owned();
        self.promise(move |server, now| {
            let wished = server.cease(now, &endpoint, &target);
            Ok(wished || server.cancel_observations(now, &endpoint, &target) > 0)
        })
        .await
    }

    /// As [`cease`](Self::cease), but tells the device and returns its answer; `None` if that sleeps,
    /// is not there, or does not know of the observation.
    ///
    /// # Errors
    /// See [`RequestError`]. The observation has ended unless the error says that there was none.
    pub async fn cease_actively(
        &self,
        endpoint: &str,
        target: Target,
        timeout: Duration,
    ) -> Result<Option<Response>, RequestError> {
        let operation = Operation::CancelObservation { target: target.clone() };
        match self.request(endpoint, operation, timeout).await {
            Err(RequestError::Submit(error)) => {
                if self.cease(endpoint, target.clone()).await? {
                    return Ok(None);
                }
                Err(match error {
                    SubmitError::UnknownEndpoint => error,
                    _ => Invalid::NotObserved(target).into(),
                }
                .into())
            }
            outcome => {
                self.promise(|_, _| Ok(())).await?;
                outcome.map(Some)
            }
        }
    }
}

/// Forgets, when it is dropped, who no longer waits for the end of a command.
struct EndGuard<'a> {
    handle: &'a Handle<WithSink>,
    id: CommandId,
}

impl Drop for EndGuard<'_> {
    fn drop(&mut self) {
        let id = self.id;
        self.handle.post(move |with_sink, _| with_sink.sink.forget_callers(id));
    }
}

/// A caller that waits for the first answer to a wish. When it goes, the answer becomes a
/// notification.
struct WishGuard<'a> {
    handle: &'a Handle<WithSink>,
    cancellation: Cancellation<OperationId>,
    of: (String, Target),
}

impl Drop for WishGuard<'_> {
    fn drop(&mut self) {
        let Some(id) = self.cancellation.abandon() else { return };
        let (endpoint, target) = self.of.clone();
        self.handle.post(move |with_sink, _| detach(with_sink, id, &endpoint, &target));
    }
}

/// Notes that nobody waits for the first answer to a wish.
fn detach(with_sink: &mut WithSink, id: OperationId, endpoint: &str, target: &Target) {
    if with_sink.sink.operations.remove(&id).is_some() {
        with_sink.engine.detach(endpoint, target);
    }
}

/// What makes a wish and notes who waits for its first answer. Tells the number of the operation,
/// whether the device can be reached, and when it is durable.
fn wish(
    (endpoint, target): (String, Target),
    options: WishOptions,
    cancellation: Cancellation<OperationId>,
    reply: oneshot::Sender<Outcome>,
) -> impl FnOnce(&mut WithSink, Instant) -> Result<(OperationId, bool, Lsn), SubmitError> {
    move |with_sink, now| {
        let (server, sink) = (&mut with_sink.engine, &mut with_sink.sink);
        let id = server.wish(now, &endpoint, target.clone(), options)?;
        let is_reachable = server.is_reachable(&endpoint);
        match is_reachable {
            true if cancellation.begin(id) => _ = sink.operations.insert(id, Waiter::Caller(reply)),
            true => server.detach(&endpoint, &target),
            false => _ = sink.operations.insert(id, Waiter::Subscribers),
        }
        Ok((id, is_reachable, server.promised()))
    }
}

/// Ends waiting for the first answer to a wish. `None` if it has come.
fn end_waiting(
    with_sink: &mut WithSink,
    id: OperationId,
    (endpoint, target): &(String, Target),
    after: Duration,
) -> Option<Result<Answer<OperationId>, RequestError>> {
    let (server, sink) = (&mut with_sink.engine, &mut with_sink.sink);
    let waiter = sink.operations.get_mut(&id)?;
    let queues = server.registration(endpoint).is_some_and(|it| it.queue_mode);
    if queues || !server.is_reachable(endpoint) {
        *waiter = Waiter::Subscribers;
        return Some(Ok(Answer::Later(id)));
    }
    detach(with_sink, id, endpoint, target);
    Some(Err(RequestError::Wished(after)))
}
