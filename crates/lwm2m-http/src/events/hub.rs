//! The task that turns events into frames and gives them to the streams.

use super::batch::Batch;
use super::frame;
use super::queue::{Limits, Queue};
use super::selection::Selection;
use lwm2m_net::{Clock, Events, ServerHandle};
use lwm2m_server::Event;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;

/// The shortest time between two deliveries. An event that comes alone leaves at once; those that
/// come after it wait for one another.
const INTERVAL: Duration = Duration::from_millis(50);

/// A batch of this many bytes leaves before its time.
const MAX_BATCH: usize = 1 << 20;

/// Bytes of frames that are written before other tasks have their turn.
const SHARE: usize = 1 << 16;

/// Where streams get their events. The task behind it runs while there are streams.
#[derive(Debug)]
pub(crate) struct Hub {
    server: ServerHandle,
    limits: Limits,
    joins: Mutex<Option<mpsc::Sender<Join>>>,
}

/// A stream that wants events.
struct Join {
    selection: Selection,
    queue: Weak<Queue>,
    joined: oneshot::Sender<()>,
}

impl Hub {
    pub(crate) fn new(server: ServerHandle, limits: Limits) -> Self {
        Self { server, limits, joins: Mutex::default() }
    }

    /// The queue of a new stream: the events from now on. Dropping it ends the subscription.
    pub(crate) async fn subscribe(&self, selection: Selection) -> Arc<Queue> {
        let queue = Arc::new(Queue::new(self.limits));
        let mut joins = self.joins.lock().await;
        loop {
            let sender = joins.get_or_insert_with(|| self.start());
            let (joined, answer) = oneshot::channel();
            let selection = selection.clone();
            let join = Join { selection, queue: Arc::downgrade(&queue), joined };
            if sender.send(join).await.is_ok() && answer.await.is_ok() {
                return queue;
            }
            // The task has ended meanwhile, because there were no streams.
            *joins = None;
        }
    }

    fn start(&self) -> mpsc::Sender<Join> {
        let (sender, joins) = mpsc::channel(1);
        let (events, clock) = (self.server.subscribe(), self.server.clock());
        tokio::spawn(Task::new(events, clock).run(joins));
        sender
    }
}

/// The streams that want the same events, and what they have not been given yet.
#[derive(Default)]
struct Group {
    batch: Batch,
    streams: Vec<Weak<Queue>>,
}

impl Group {
    fn queues(&self) -> impl Iterator<Item = Arc<Queue>> {
        self.streams.iter().filter_map(Weak::upgrade)
    }

    /// Gives the streams what has been collected. Returns whether any of them is still there.
    fn deliver(&mut self) -> bool {
        if let Some(frames) = self.batch.take() {
            self.queues().for_each(|queue| queue.push(frames.clone()));
        }
        self.streams.retain(|stream| stream.strong_count() > 0);
        !self.streams.is_empty()
    }
}

struct Task {
    events: Events,
    writer: frame::Writer,
    groups: HashMap<Selection, Group>,
    delivered: Instant,
}

impl Task {
    fn new(events: Events, clock: Clock) -> Self {
        let delivered = Instant::now();
        let (writer, groups) = (frame::Writer::new(clock), HashMap::new());
        Self { events, writer, groups, delivered }
    }

    async fn run(mut self, mut joins: mpsc::Receiver<Join>) {
        loop {
            tokio::select! {
                join = joins.recv() => match join {
                    Some(join) => self.join(join).await,
                    None => break,
                },
                event = self.events.recv() => match event {
                    Ok(event) => {
                        self.write(&event);
                        // Before that, events wait in the channel, where they cost least.
                        tokio::time::sleep_until(self.delivered + INTERVAL).await;
                        self.drain().await;
                    }
                    Err(RecvError::Lagged(missed)) => self.miss(missed),
                    Err(RecvError::Closed) => break,
                },
            }
            if self.groups.is_empty() {
                break;
            }
        }
        self.groups.values().flat_map(Group::queues).for_each(|queue| queue.close());
    }

    /// Adds a stream. What happened before goes to the others first.
    async fn join(&mut self, join: Join) {
        self.drain().await;
        self.groups.entry(join.selection).or_default().streams.push(join.queue);
        // The stream may have been given up; then the next delivery finds out.
        let _ = join.joined.send(());
    }

    /// Writes and delivers the events that wait.
    async fn drain(&mut self) {
        let mut written = 0;
        loop {
            match self.events.try_recv() {
                Ok(event) => written += self.write(&event),
                Err(TryRecvError::Lagged(missed)) => self.miss(missed),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
            if written >= SHARE {
                written = 0;
                tokio::task::yield_now().await;
            }
        }
        self.deliver();
    }

    /// Writes an event, if some stream wants it, and returns the bytes of its frame.
    fn write(&mut self, event: &Event) -> usize {
        if let Event::Remembered(number) = event {
            self.writer.number = Some(*number);
        }
        let Some(endpoint) = frame::endpoint(event) else { return 0 };
        let groups = self.groups.iter_mut();
        let mut groups = groups
            .filter(|(selection, _)| selection.wants(endpoint, event))
            .map(|(_, group)| group);
        let Some(first) = groups.next() else { return 0 };
        // Written once, and copied for the others.
        let frame = first.batch.add(|text| self.writer.write(text, event));
        let mut largest = 0;
        for group in groups {
            group.batch.add(|text| text.extend_from_slice(frame));
            largest = largest.max(group.batch.len());
        }
        let written = frame.len();
        let largest = largest.max(first.batch.len());
        if largest >= MAX_BATCH {
            self.deliver();
        }
        written
    }

    fn deliver(&mut self) {
        self.groups.retain(|_, group| group.deliver());
        self.delivered = Instant::now();
    }

    /// Tells all streams that events were lost on the way to the hub.
    fn miss(&mut self, missed: u64) {
        self.deliver();
        self.groups.values().flat_map(Group::queues).for_each(|queue| queue.miss(missed));
    }
}
