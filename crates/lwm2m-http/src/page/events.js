// One event stream at a time: of the fleet, or of the device that is shown.
import { Store } from "./lib.js";

const NAMES = [
  "REGISTRATION", "UPDATED", "DEREGISTRATION", "SLEEPING", "AWAKE", "NOTIFICATION",
  "OBSERVATION_ENDED", "SEND", "REQUEST_RESPONSE", "LAGGED",
];

// How long a page that nobody sees keeps its stream.
const UNSEEN = 60_000;

// Whether events arrive: "connecting", "live" or "lost".
export const connection = Object.assign(new Store(), { state: "off" });

function tell(state) {
  connection.state = state;
  connection.changed();
}

// Calls `on(name, data)` for each event until the returned function is called, and `on("OPEN")`
// whenever the stream (re)begins: what happened before is to be loaded then.
export function listen(endpoint, on) {
  const query = endpoint === undefined ? "" : `?ep=${encodeURIComponent(endpoint)}`;
  let stream;
  let timer;
  const open = () => {
    stream = new EventSource(`api/event${query}`);
    stream.onopen = () => { tell("live"); on("OPEN"); };
    stream.onerror = () => {
      tell("lost");
      // The browser tries again by itself, unless the server refused: a full one has room later.
      if (stream.readyState === EventSource.CLOSED) timer = setTimeout(open, 5_000);
    };
    for (const name of NAMES) stream.addEventListener(name, (event) => on(name, JSON.parse(event.data)));
  };
  // A browser has six connections for one server; pages that nobody looks at give theirs back.
  let rest;
  const seen = () => {
    clearTimeout(rest);
    if (document.hidden) rest = setTimeout(() => { clearTimeout(timer); stream.close(); }, UNSEEN);
    else if (stream.readyState === EventSource.CLOSED) { clearTimeout(timer); open(); }
  };
  document.addEventListener("visibilitychange", seen);
  tell("connecting");
  open();
  return () => {
    document.removeEventListener("visibilitychange", seen);
    clearTimeout(timer);
    clearTimeout(rest);
    stream.close();
    tell("off");
  };
}
