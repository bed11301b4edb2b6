// What happened to devices: the events that the server keeps.
import { html, useEffect, useLoad, useNow, useRef, useState } from "./lib.js";
import { get, queryOf } from "./api.js";
import { href } from "./router.js";
import { listen } from "./events.js";
import { Ago, Button, Empty, Failure, Table } from "./ui.js";

const LIMIT = 200;
const WORDS = {
  REGISTRATION: "registered", UPDATED: "changed its registration", DEREGISTRATION: "left", REQUEST_RESPONSE: "answered a command",
  OBSERVED: "is observed", OBSERVATION_REFUSED: "refused an observation",
};

// Redraws at most once a second, however many events come.
function useEvents(endpoint) {
  const [count, setCount] = useState(0);
  const timer = useRef(0);
  useEffect(() => {
    const stop = listen(endpoint, (name) => {
      if (name === "NOTIFICATION" || name === "SEND") return;
      timer.current ||= setTimeout(() => { timer.current = 0; setCount((it) => it + 1); }, 1_000);
    });
    return () => { stop(); clearTimeout(timer.current); };
  }, []);
  return count;
}

export function Happenings({ query }) {
  const count = useEvents(undefined);
  const loaded = useLoad(() => get(`api/events${queryOf({ ep: query.ep, limit: LIMIT })}`), [query.ep, count]);
  return html`<div><header class="view-head"><h1>Events</h1><${Button} onClick=${loaded.reload}>Refresh</${Button}></header>
    <p class="faint">The newest ${LIMIT} of what happened to devices, the newest first.</p><${List} ...${loaded} withDevice /></div>`;
}

export function HappeningsOf({ device }) {
  const loaded = useLoad(() => get(`api/events${queryOf({ ep: device.endpoint, limit: LIMIT })}`), [device]);
  const first = useRef(true);
  useEffect(() => { if (!first.current) loaded.reload(); first.current = false; }, [device.registration?.lastUpdate, device.isGone, device.waiting]);
  return html`<section><h2 class="hidden">Events</h2><${List} ...${loaded} /></section>`;
}

function List({ value, error, loading, withDevice }) {
  const now = useNow();
  if (error && !value) return html`<${Failure} error=${error} />`;
  if (!value) return loading && html`<p class="faint" role="status">Loading…</p>`;
  const rows = [...value].reverse().map((it) => ({ key: it.number, cells: [
    html`<${Ago} at=${it.time} now=${now} />`,
    withDevice && html`<a href=${href(["devices", it.ep])}>${it.ep}</a>`,
    WORDS[it.event] ?? it.event.toLowerCase(),
    details(it),
  ].filter((_, index) => withDevice || index !== 1) }));
  const columns = ["When", "Device", "Event", "Details"].filter((_, index) => withDevice || index !== 1);
  return html`<${Table} label="Events" columns=${columns} rows=${rows} empty=${html`<${Empty} title="Nothing has happened yet">
    Registrations, their ends, and results of commands are listed here.</${Empty}>`} />`;
}

function details({ address, reason, requestId, state, code, res, paths }) {
  return [address && `from ${address}`, reason && `reason: ${reason}`, requestId && `command ${requestId}`, state, res ?? paths?.join(", "), code].filter(Boolean).join(" · ");
}
