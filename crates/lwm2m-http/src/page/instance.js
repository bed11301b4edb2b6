// An instance of an object as a card: its resources, by name.
import { html, useState } from "./lib.js";
import { useUser } from "./login.js";
import { fail } from "./shell.js";
import { MoreDialog } from "./operations.js";
import { Resource } from "./resource.js";
import { Badge, Button } from "./ui.js";

export function Instance({ device, object, id, definition }) {
  const user = useUser();
  const [all, setAll] = useState(false);
  const [more, setMore] = useState(false);
  const path = `/${object}/${id}`;
  const observation = device.observed(path);
  const resources = resourcesOf(device, path, definition);
  const wasRead = resources.some(({ value }) => value);
  const matters = ({ value, definition: it }) => value || !it || it.operations === "E" || (it.operations === "W" && it.mandatory) || (!wasRead && it.mandatory);
  const shown = all ? resources : resources.filter(matters);
  const busy = device.busy.get(path);
  const failure = device.failures.get(path);
  return html`<article class="card ${device.isGone ? "stale" : ""}" aria-labelledby="name-${object}-${id}">
    <header class="card-head">
      <h3 id="name-${object}-${id}">Instance ${id} <span class="path">${path}</span></h3>
      ${device.fresh.has(path) && html`<${Badge} kind="new">new</${Badge}>`}
      ${observation && html`<${Observed} observation=${observation} />`}
      ${busy && html`<span class="busy" role="status">${busy === "read" ? "reading…" : `${busy}…`}</span>`}
      <div class="actions">
        <${Button} kind="primary" onClick=${() => device.read(path)}>Read all</${Button}>
        ${user.mayOperate && (observation ? html`<${Button} onClick=${() => device.stop(observation)} onError=${fail}>Stop</${Button}>`
          : html`<${Button} onClick=${() => device.observe(path)}>Observe all</${Button}>`)}
        <${Button} kind="quiet" aria-label="More… for ${path}" onClick=${() => setMore(true)}>More…</${Button}>
      </div>
    </header>
    ${failure && html`<p class="failure" role="alert">${failure}</p>`}
    <div class="resources">
      ${shown.map((it) => html`<${Resource} key=${it.id} device=${device} object=${object} path="${path}/${it.id}" id=${it.id}
        definition=${it.definition} value=${it.value} />`)}
    </div>
    ${shown.length < resources.length && html`<p class="card-foot"><button type="button" class="button quiet" onClick=${() => setAll(true)}>
      Show ${resources.length - shown.length} more resources</button></p>`}
    ${all && html`<p class="card-foot"><button type="button" class="button quiet" onClick=${() => setAll(false)}>Show fewer</button></p>`}
    ${more && html`<${MoreDialog} device=${device} path=${path} name=${definition?.name} definition=${definition} onClose=${() => setMore(false)} />`}
  </article>`;
}

export function Observed({ observation }) {
  const { state, code, attributes } = observation;
  const said = Object.entries(attributes ?? {}).map(([name, value]) => (value === null ? name : `${name}=${value}`)).join(" ");
  const words = { observed: ["live", "observed"], waiting: ["quiet", "waits for the device"], refused: ["bad", `refused: ${code}`] };
  const [kind, text] = words[state];
  return html`<${Badge} kind=${kind} title=${said || undefined}>${text}${said ? ` ${said}` : ""}</${Badge}>`;
}

// What the definition lists, and what the device has beyond it.
function resourcesOf(device, path, definition) {
  const all = new Map((definition?.resourcedefs ?? []).map((it) => [it.id, { id: it.id, definition: it }]));
  for (const [at, value] of device.values) {
    if (!at.startsWith(`${path}/`)) continue;
    const id = Number(at.slice(path.length + 1));
    all.set(id, { ...all.get(id), id, value });
  }
  return [...all.values()].sort((a, b) => a.id - b.id);
}
