// The list of devices: live, searched by the server, with as many rows in the page as are visible.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState, useStore, useNow } from "./lib.js";
import { listen } from "./events.js";
import { FleetList, stateOf } from "./fleet_list.js";
import { href, replace } from "./router.js";
import { BulkDialog } from "./bulk.js";
import { useUser } from "./login.js";
import { Ago, Badge, Button, Choice, Empty, Failure, Field } from "./ui.js";

const AHEAD = 8;

const STATES = { listening: ["good", "Listening"], awake: ["good", "Awake"], asleep: ["quiet", "Asleep"], gone: ["bad", "Gone"] };

export const State = ({ device }) => {
  const [kind, text] = STATES[stateOf(device)];
  return html`<${Badge} kind=${kind}>${text}</${Badge}>`;
};

export function Fleet({ query }) {
  const { q = "", state = "", object = "", secure = "", sort = "" } = query;
  const list = useMemo(() => new FleetList({ q, state, object, secure, sort }), [q, state, object, secure, sort]);
  const user = useUser();
  const [commands, setCommands] = useState(false);
  useStore(list);
  useEffect(() => {
    list.more();
    return listen(undefined, (name, data) => list.on(name, data));
  }, [list]);
  const filtered = q || state || object || secure;
  return html`<div class="fleet">
    <header class="view-head"><h1>Devices</h1><${Count} list=${list} />
      ${user.mayOperate && list.rows.length > 0 && html`<div class="actions"><${Button} onClick=${() => setCommands(true)}>Command for all of these…</${Button}></div>`}</header>
    <${Filters} query=${{ q, state, object, secure, sort }} />
    <${Failure} error=${list.error} />
    ${list.rows.length ? html`<${Rows} list=${list} />` : !list.loading && !list.error && html`<${NoDevices} filtered=${filtered} />`}
    ${commands && html`<${BulkDialog} filter=${{ q, state, object, secure }} onClose=${() => setCommands(false)} />`}
  </div>`;
}

function Count({ list }) {
  const number = list.rows.length.toLocaleString("en");
  const text = list.complete ? number : list.rows.length ? `${number} loaded, more below` : "";
  return html`<span class="faint" role="status" data-count=${list.rows.length}>${list.loading && !list.rows.length ? "Loading…" : text}</span>`;
}

function NoDevices({ filtered }) {
  if (filtered) return html`<${Empty} title="No device matches"><a href="#/devices">Show all devices</a></${Empty}>`;
  return html`<${Empty} title="No device has registered yet">
    <p>Start a simulated one, and it appears here:</p>
    <p><code>lwm2m-clientd --server coap://${location.hostname}:5683 --endpoint my-device</code></p>
    <p>The addresses for devices are on the page <a href="#/server">Server</a>; keys are made under <a href="#/credentials">Credentials</a>.</p>
  </${Empty}>`;
}

function Filters({ query }) {
  const [text, setText] = useState(query.q);
  const timer = useRef(0);
  useEffect(() => setText(query.q), [query.q]);
  const set = (change) => replace(["devices"], { ...query, q: text, ...change });
  const type = (event) => {
    const q = event.currentTarget.value;
    setText(q);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => replace(["devices"], { ...query, q }), 200);
  };
  const submit = (event) => { event.preventDefault(); clearTimeout(timer.current); set({}); };
  return html`<form class="filters" role="search" onSubmit=${submit}>
    <${Field} label="Search by name" type="search" value=${text} onInput=${type} placeholder="part of the endpoint name" />
    <${Choice} label="State" value=${query.state} onChange=${(event) => set({ state: event.currentTarget.value })}
      options=${[["", "All"], ["listening", "Listening"], ["awake", "Awake"], ["asleep", "Asleep"]]} />
    <${Choice} label="Security" value=${query.secure} onChange=${(event) => set({ secure: event.currentTarget.value })}
      options=${[["", "All"], ["true", "Secured"], ["false", "Not secured"]]} />
    <${Field} label="Has object" value=${query.object} placeholder="3303" inputmode="numeric" pattern="[0-9]+(/[0-9]+)?"
      onChange=${(event) => event.currentTarget.checkValidity() && set({ object: event.currentTarget.value.trim() })} />
    <${Choice} label="Sort by" value=${query.sort} onChange=${(event) => set({ sort: event.currentTarget.value })}
      options=${[["", "Name"], ["-updated", "Last seen"], ["updated", "Silent the longest"], ["-registered", "Newest"]]} />
  </form>`;
}

// Only the rows in sight are in the page; the height of the list is that of all that are loaded.
function Rows({ list }) {
  const box = useRef(null);
  const [view, setView] = useState({ first: 0, count: 30, height: 44 });
  const now = useNow();
  const measure = () => {
    const element = box.current;
    if (!element) return;
    const height = parseFloat(getComputedStyle(element).getPropertyValue("--row")) || 44;
    const first = Math.max(0, Math.floor(element.scrollTop / height) - AHEAD);
    const count = Math.ceil(element.clientHeight / height) + 2 * AHEAD;
    setView((old) => (old.first === first && old.count === count && old.height === height ? old : { first, count, height }));
    if (element.scrollTop + 3 * element.clientHeight > list.rows.length * height) list.more();
  };
  useLayoutEffect(measure, [list, list.rows.length]);
  useEffect(() => {
    addEventListener("resize", measure);
    return () => removeEventListener("resize", measure);
  }, []);
  const rows = list.rows.slice(view.first, view.first + view.count);
  const total = list.rows.length * view.height;
  return html`<div class="grid" role="table" aria-label="Devices" aria-rowcount=${list.complete ? list.rows.length + 1 : -1}>
    <div class="grid-head" role="row" aria-rowindex="1">
      ${["Endpoint", "State", "Last seen", "Address", "LwM2M", "Lifetime"].map((name) => html`<span role="columnheader">${name}</span>`)}
    </div>
    <div class="grid-body" role="rowgroup" ref=${box} onScroll=${measure} tabindex="0">
      <div class="grid-space" role="presentation" style=${{ height: `${total}px` }}>
        ${rows.map((device, index) => html`<${Row} key=${device.endpoint} device=${device} now=${now}
          index=${view.first + index} top=${(view.first + index) * view.height} />`)}
      </div>
      ${list.loading && html`<p class="grid-more" role="status">Loading…</p>`}
      ${list.error && html`<${Button} onClick=${() => list.more()}>Try again</${Button}>`}
    </div>
  </div>`;
}

function Row({ device, index, top, now }) {
  const { endpoint, address, secure, lwM2mVersion, lifetime, lastUpdate, isNew, gone } = device;
  return html`<div class="grid-row ${gone ? "gone" : ""}" role="row" aria-rowindex=${index + 2} style=${{ transform: `translateY(${top}px)` }}>
    <span role="cell" class="cell-name"><a href=${href(["devices", endpoint])}>${endpoint}</a>${isNew && !gone && html` <${Badge} kind="new">new</${Badge}>`}</span>
    <span role="cell" class="cell-state"><${State} device=${device} /></span>
    <span role="cell" class="cell-seen"><${Ago} at=${lastUpdate} now=${now} /></span>
    <span role="cell" class="cell-address">${address}${secure && html` <${Badge} title="The device proved who it is">secured</${Badge}>`}</span>
    <span role="cell" class="cell-version">${lwM2mVersion}</span>
    <span role="cell" class="cell-lifetime">${duration(lifetime)}</span>
  </div>`;
}

export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "";
  const units = [[86_400, "d"], [3_600, "h"], [60, "min"]];
  const [size, name] = units.find(([size]) => seconds >= size && seconds % size === 0) ?? [1, "s"];
  return `${seconds / size} ${name}`;
}
