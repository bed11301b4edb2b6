//! The races of giving up an operation, model-checked: every interleaving of a caller that goes away
//! and an engine that begins, completes and ends the operation.

#[path = "../../src/cancellation.rs"]
mod cancellation;

use cancellation::Cancellation;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

const OPERATION: u32 = 7;

/// The engine's side of one operation.
#[derive(Default)]
struct Engine {
    /// The operation is under way, and its caller is on the list of those that wait.
    waiting: bool,
    begun: u32,
    ended: u32,
}

impl Engine {
    fn submit(&mut self, cancellation: &Cancellation<u32>) {
        if cancellation.is_abandoned() {
            return;
        }
        self.begun += 1;
        match cancellation.begin(OPERATION) {
            true => self.waiting = true,
            false => self.ended += 1,
        }
    }

    /// The answer of the device.
    fn complete(&mut self, answered: &AtomicBool) {
        if std::mem::take(&mut self.waiting) {
            self.ended += 1;
            answered.store(true, Ordering::Release);
        }
    }

    fn cancel(&mut self) {
        if std::mem::take(&mut self.waiting) {
            self.ended += 1;
        }
    }
}

#[test]
fn operation_whose_caller_goes_ends_once_and_leaves_nothing_behind() {
    for completes in [false, true] {
        loom::model(move || {
            let cancellation = Cancellation::new();
            let answered = Arc::new(AtomicBool::new(false));
            let engine = Arc::new(Mutex::new(Engine::default()));
            let thread = {
                let (cancellation, answered) = (cancellation.clone(), Arc::clone(&answered));
                let engine = Arc::clone(&engine);
                thread::spawn(move || {
                    engine.lock().unwrap().submit(&cancellation);
                    if completes {
                        engine.lock().unwrap().complete(&answered);
                    }
                })
            };
            // The caller goes, unless the answer is there already. What it posts to the engine is
            // handled after the submission, which is in the queue before it.
            let posted = match answered.load(Ordering::Acquire) {
                true => None,
                false => cancellation.abandon(),
            };
            thread.join().unwrap();
            let mut engine = engine.lock().unwrap();
            if let Some(id) = posted {
                assert_eq!(id, OPERATION);
                engine.cancel();
            }
            assert!(!engine.waiting, "the operation is left behind");
            assert_eq!(engine.begun, engine.ended);
        });
    }
}

#[test]
fn operation_of_a_caller_that_has_gone_is_never_begun() {
    loom::model(|| {
        let (cancellation, mut engine) = (Cancellation::new(), Engine::default());
        assert_eq!(cancellation.abandon(), None);
        engine.submit(&cancellation);
        assert_eq!((engine.begun, engine.ended), (0, 0));
    });
}
