// The last messages of a device, as they go by.
import { html, useEffect, useLoad, useRef, useState } from "./lib.js";
import { get, ofDevice } from "./api.js";
import { useUser } from "./login.js";
import { Badge, Button, Empty, Failure, Field } from "./ui.js";

const LIMIT = 200;
const EVERY = 1_000;

// Asks again and again for what is new, while it is wanted and the page is looked at.
function useMessages(endpoint, live) {
  const [state, setState] = useState({ messages: [] });
  const last = useRef(0);
  useEffect(() => { last.current = 0; setState({ messages: [] }); }, [endpoint]);
  useEffect(() => {
    let timer = 0;
    let current = true;
    const ask = async () => {
      try {
        if (!document.hidden) {
          const added = await get(ofDevice(endpoint, "/messages", { limit: LIMIT, after: last.current || undefined }));
          if (!current) return;
          last.current = added.at(-1)?.number ?? last.current;
          setState(({ messages }) => ({ messages: added.length ? [...messages, ...added].slice(-LIMIT) : messages, loaded: true }));
        }
      } catch (error) {
        if (!current) return;
        setState((old) => ({ ...old, error, loaded: true }));
      }
      if (live) timer = setTimeout(ask, EVERY);
    };
    ask();
    return () => { current = false; clearTimeout(timer); };
  }, [endpoint, live]);
  return state;
}

export function MessageLog({ device }) {
  const user = useUser();
  const [live, setLive] = useState(true);
  const [find, setFind] = useState("");
  const { messages, error, loaded } = useMessages(device.endpoint, live);
  const found = messages.filter((it) => !find || words(it).toLowerCase().includes(find.toLowerCase()));
  return html`<section><h2 class="hidden">Messages</h2>
    <div class="part-head filters">
      <${Field} label="Find in messages" type="search" value=${find} placeholder="Read, /3/0/9, 4.04…" onInput=${(event) => setFind(event.target.value)} />
      <div class="actions">
        <${Button} onClick=${() => setLive(!live)} aria-pressed=${live}>${live ? "Pause" : "Go on"}</${Button}>
        ${user.mayAdminister && html`<a class="button" href=${ofDevice(device.endpoint, "/capture.pcapng")} download>For Wireshark</a>`}
      </div></div>
    ${error && html`<${Failure} error=${error} />`}
    <${Quirks} endpoint=${device.endpoint} />
    ${!loaded && html`<p class="faint" role="status">Loading…</p>`}
    ${loaded && !error && !found.length && html`<${Empty} title=${messages.length ? "No message is like that" : "Nothing has been said yet"}>The last messages that the
      server and this device exchange are shown here as they go by.</${Empty}>`}
    ${found.length > 0 && html`<ol class="log" aria-label="Messages, the newest first">${[...found].reverse().map((it, index) => html`<${Message} key=${`${it.number} ${found.length - index}`} it=${it} />`)}</ol>`}
    ${found.length > 0 && html`<p class="faint">Keys and passwords are hidden here.${user.mayAdminister && " The file for Wireshark has them all."}</p>`}
  </section>`;
}

// Where the device deviates from the standard.
function Quirks({ endpoint }) {
  const quirks = useLoad(() => get(ofDevice(endpoint, "/quirks")), [endpoint]).value;
  if (!quirks?.length) return null;
  const count = ({ place, count }) => (place === "registration" ? "in its registration" : `in ${count} ${count === 1 ? "message" : "messages"}`);
  return html`<details class="boxed"><summary>${quirks.length === 1 ? "One deviation" : `${quirks.length} deviations`} from the standard, which the server forgives</summary>
    <ul>${quirks.map((it) => html`<li>${it.what} <span class="faint">${count(it)}</span></li>`)}</ul></details>`;
}

const words = (it) => JSON.stringify([it.operation, it.path, it.code, it.values, it.text, it.error, it.query]);

function Message({ it }) {
  const sent = it.way === "sent";
  const bad = it.error || /^[45]/.test(it.code ?? "");
  return html`<li class=${`log-row ${bad ? "bad" : ""}`}>
    <time class="log-time" dateTime=${new Date(it.at).toISOString()} title=${new Date(it.at).toLocaleString()}>${clock(it.at)}</time>
    <span class=${`log-way ${it.way}`} title=${sent ? "To the device" : "From the device"}><span aria-hidden="true">${sent ? "→" : "←"}</span><span class="hidden">${sent ? "to the device" : "from the device"}</span></span>
    <div class="log-what">
      <p><strong>${it.operation ?? "Message"}</strong> <span class="path">${it.path}</span> ${code(it)}</p>
      <${Content} it=${it} />
    </div>
    <small class="log-wire">${wire(it)}</small>
  </li>`;
}

const METHODS = { "0.01": "GET", "0.02": "POST", "0.03": "PUT", "0.04": "DELETE", "0.05": "FETCH", "0.06": "PATCH", "0.07": "iPATCH" };

function code(it) {
  if (!it.code || it.code === "0.00") return null;
  const method = METHODS[it.code];
  return html`<${Badge} kind=${method ? "" : /^[45]/.test(it.code) ? "bad" : "good"}>${method ?? it.code}</${Badge}>`;
}

function Content({ it }) {
  return html`${it.values?.length > 0 && html`<ul class="log-values">${it.values.map((value) => html`<li>
      ${value.path !== it.path && html`<span class="path">${value.path}</span>`} ${value.name && html`<span>${value.name}</span>`}
      ${value.hidden ? html`<span class="faint">hidden</span>` : html`<span class="value">${shown(value.value)}</span>`}</li>`)}
      ${it.further && html`<li class="faint">and ${it.further} more</li>`}</ul>`}
    ${it.paths && html`<p class="path">${it.paths.join(", ")}</p>`}
    ${it.query && html`<p class="path">?${it.query.join("&")}</p>`}
    ${it.text && html`<p class="log-text">${it.text}</p>`}
    ${it.block && (it.block.more || it.block.number > 0) && html`<p class="faint">part ${it.block.number + 1} of a body</p>`}
    ${it.hidden && html`<p class="faint">${it.payload} bytes are hidden</p>`}
    ${it.quirks?.map((quirk) => html`<p class="faint">Forgiven: ${quirk}</p>`)}
    ${it.error && html`<p class="error">${it.error}</p>`}`;
}

const shown = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

const clock = (at) => new Date(at).toLocaleTimeString([], { hour12: false }) + `.${String(at % 1_000).padStart(3, "0")}`;

const wire = (it) => [it.type, it.mid !== undefined && `id ${it.mid}`, it.transport, it.secured ? "secured" : "in the clear", it.payload > 0 && `${it.payload} B`].filter(Boolean).join(" · ");
