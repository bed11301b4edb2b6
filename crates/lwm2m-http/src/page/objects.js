// The objects of a device: a list of them, and the instances of the one that is chosen.
import { html, useEffect, useState } from "./lib.js";
import { href, go } from "./router.js";
import { objectsOf } from "./device_state.js";
import { Instance } from "./instance.js";
import { CreateDialog, MoreDialog } from "./operations.js";
import { useUser } from "./login.js";
import { Badge, Button, Choice, Empty, Field } from "./ui.js";

// Objects that the server keeps to itself say little; the Device object says the most.
const FIRST = 3;

export function Objects({ device, part }) {
  const objects = objectsOf(device.registration);
  const ids = objects.map(([id]) => id);
  const wanted = Number(part);
  const chosen = part !== undefined && ids.includes(wanted) ? wanted : ids.includes(FIRST) ? FIRST : ids[0];
  useEffect(() => { if (chosen !== undefined) device.loadCached(chosen); }, [device, chosen]);
  if (!device.registration) return device.error ? null : html`<p class="faint" role="status">Loading…</p>`;
  if (chosen === undefined) return html`<${Empty} title="The device has no objects">It registered without any; look at its settings.</${Empty}>`;
  const to = (id) => ["devices", device.endpoint, "objects", String(id)];
  const nameOf = (id) => device.definitions.get(id)?.name ?? `Object ${id}`;
  return html`<div class="objects">
    <nav class="object-list" aria-label="Objects">${objects.map(([id, instances]) => html`<a key=${id} href=${href(to(id))}
      aria-current=${id === chosen ? "page" : undefined}><span class="path">${id}</span><span>${nameOf(id)}</span>
      ${instances.length > 1 && html`<span class="count">${instances.length}</span>`}</a>`)}</nav>
    <div class="object-choice"><${Choice} label="Object" value=${String(chosen)} onChange=${(event) => go(to(event.currentTarget.value))}
      options=${objects.map(([id]) => [String(id), `${nameOf(id)} (${id})`])} /></div>
    <${ObjectView} key=${chosen} device=${device} id=${chosen} instances=${objects.find(([id]) => id === chosen)[1]} />
  </div>`;
}

function ObjectView({ device, id, instances }) {
  const user = useUser();
  const [dialog, setDialog] = useState(null);
  const definition = device.definitions.get(id);
  const path = `/${id}`;
  const mayCreate = user.mayOperate && definition?.instancetype !== "single";
  const close = () => setDialog(null);
  const observation = device.observed(path);
  return html`<section class="object" aria-labelledby="object-name">
    <header class="object-head">
      <h2 id="object-name">${definition?.name ?? `Object ${id}`} <span class="path">${path}</span></h2>
      ${observation && html`<${Badge} kind="live">observed</${Badge}>`}
      <div class="actions">
        ${mayCreate && html`<${Button} onClick=${() => setDialog("create")}>New instance…</${Button}>`}
        <${Button} kind="quiet" aria-label="More… for ${path}" onClick=${() => setDialog("more")}>More…</${Button}>
      </div>
    </header>
    ${!definition && html`<p class="faint">The server has no definition of this object, so its resources have numbers only.</p>`}
    <${Options} device=${device} />
    ${instances.length ? instances.map((instance) => html`<${Instance} key=${instance} device=${device} object=${id} id=${instance} definition=${definition} />`)
      : html`<${Empty} title="No instances">The device has the object, and nothing in it yet.</${Empty}>`}
    ${dialog === "create" && html`<${CreateDialog} device=${device} object=${id} definition=${definition} usedIds=${instances} onClose=${close} />`}
    ${dialog === "more" && html`<${MoreDialog} device=${device} path=${path} name=${definition?.name} onClose=${close} />`}
  </section>`;
}

const FORMATS = ["TLV", "SENML_JSON", "SENML_CBOR", "TEXT", "OPAQUE", "CBOR"];

// How operations on this page are sent.
function Options({ device }) {
  const set = (name) => (event) => { device.options = { ...device.options, [name]: event.currentTarget.value }; device.changed(); };
  const { format, timeout } = device.options;
  const said = [format && format.replace("_", " "), timeout && `${timeout} s`].filter(Boolean).join(", ");
  return html`<details class="options"><summary>Format and time-out${said ? `: ${said}` : ""}</summary>
    <div class="fields">
      <${Choice} label="Format" value=${format} onChange=${set("format")}
        options=${[["", "what suits the device"], ["none", "the device chooses"], ...FORMATS.map((it) => [it, it.replace("_", " ")])]} />
      <${Field} label="Wait at most (seconds)" type="number" min="1" max="300" value=${timeout} placeholder="5" onInput=${set("timeout")} />
    </div>
  </details>`;
}

