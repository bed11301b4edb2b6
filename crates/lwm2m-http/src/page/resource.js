// A resource as a row: its name, its value, and what can be done with it.
import { html, useEffect, useRef, useState, useNow } from "./lib.js";
import { Chart } from "./chart.js";
import { Observed } from "./instance.js";
import { ResourceEditor } from "./editor.js";
import { MoreDialog } from "./operations.js";
import { useUser } from "./login.js";
import { fail, tell } from "./shell.js";
import { Ago, Button, Field, Form } from "./ui.js";
import { enumeration, isNumber, plain, rangeWords, typeOf, typeWord } from "./values.js";

// A value that is older is shown as such.
const OLD = 3_600_000;

export function Resource({ device, object, path, id, definition, value }) {
  const [open, setOpen] = useState(null);
  const [chart, setChart] = useState(false);
  const row = useRef(null);
  const type = typeOf(definition, value?.node);
  const name = definition?.name ?? `Resource ${id}`;
  const failure = device.failures.get(path);
  // Back to where the form was opened.
  const close = () => { setOpen(null); requestAnimationFrame(() => row.current?.querySelector("[data-opens]")?.focus()); };
  const write = async (node) => {
    const answer = await device.operate("write", "PUT", path, { data: node });
    close();
    if (!answer) return;
    tell(`${name} is written.`, "good");
    if (definition?.operations !== "W") device.read(path).catch(() => {});
  };
  const execute = async (form) => {
    const answer = await device.operate("execute", "POST", path, { data: form.get("arguments") });
    close();
    if (answer) tell(`${name} is executed.`, "good");
  };
  const units = device.unitsOf(path, definition);
  const common = { device, path, definition, name, type, units };
  return html`<div class="resource" ref=${row}>
    <div class="resource-name"><span class="path">${id}</span><div><span class="resource-title">${name}</span>
      <${Meta} definition=${definition} type=${type} /></div></div>
    <${Shown} ...${common} object=${object} value=${value} />
    <${Actions} ...${common} value=${value} open=${open} setOpen=${setOpen} chart=${chart} setChart=${setChart} />
    ${failure && open !== "write" && open !== "execute" && html`<p class="failure below" role="alert">${failure}</p>`}
    ${open === "write" && html`<div class="below"><${ResourceEditor} object=${object} id=${id} definition=${definition} node=${value?.node}
      onWrite=${write} onCancel=${close} /></div>`}
    ${open === "execute" && html`<div class="below"><${Form} kind="editor" submit="Execute" onSubmit=${execute} onCancel=${close}>
      <${Field} label="Arguments" name="arguments" hint="Most need none. Written as 0='text',1" autofocus /></${Form}></div>`}
    ${open === "more" && html`<${MoreDialog} device=${device} path=${path} name=${name} onClose=${close} />`}
    ${chart && html`<div class="below"><${Chart} device=${device} path=${path} name=${name} unit=${units} /></div>`}
  </div>`;
}

function Meta({ definition, type }) {
  const range = rangeWords(definition);
  const words = [typeWord(type), definition?.instancetype === "multiple" && "several", range].filter(Boolean);
  return words.length > 0 && html`<small class="faint">${words.join(" · ")}</small>`;
}

function Shown({ device, object, path, definition, type, units, value }) {
  const now = useNow();
  const busy = device.busy.get(path);
  const observation = device.observed(path);
  const fresh = useChanged(value?.changed);
  const isOld = value && now - value.at > OLD && !device.covered(path);
  const executes = definition?.operations === "E" || definition?.operations === "W";
  return html`<div class="resource-value">
    <div class="value ${fresh ? "changed" : ""} ${isOld ? "old" : ""} ${type === "OPAQUE" ? "bytes" : ""}">
      ${value ? html`<${Value} object=${object} definition=${definition} type=${type} units=${units} node=${value.node} />`
        : !executes && html`<span class="faint">not read yet</span>`}
    </div>
    <small class="faint">
      ${busy && html`<span class="busy" role="status">${busy === "read" ? "reading…" : `${busy}…`}</span>`}
      ${value && !busy && html`<${Ago} at=${value.at} now=${now} />`}
      ${observation && html` <${Observed} observation=${observation} />`}
      ${isOld && html` · may have changed since, read it again`}
    </small>
  </div>`;
}

function Value({ object, definition, type, units, node }) {
  const meanings = new Map(enumeration(object, definition));
  const one = (value) => {
    const text = plain(value, type);
    const meaning = meanings.get(String(value));
    return html`<span class="value-text">${text}${units && html`<span class="unit"> ${units}</span>`}${meaning && html` <span class="faint">${meaning}</span>`}</span>`;
  };
  if (node.kind !== "multiResource") return one(node.value);
  const entries = Object.entries(node.values);
  if (!entries.length) return html`<span class="faint">no values</span>`;
  return html`<ul class="values">${entries.map(([id, value]) => html`<li key=${id}><span class="path">${id}</span> ${one(value)}</li>`)}</ul>`;
}

// Whether something changed a moment ago.
function useChanged(at) {
  const [fresh, setFresh] = useState(false);
  useEffect(() => {
    if (!at || Date.now() - at > 1_500) return;
    setFresh(true);
    const timer = setTimeout(() => setFresh(false), 1_500);
    return () => clearTimeout(timer);
  }, [at]);
  return fresh;
}

function Actions({ device, path, definition, name, type, value, open, setOpen, chart, setChart }) {
  const user = useUser();
  const may = (what) => (definition ? definition.operations.includes(what) : what !== "E");
  const observation = device.observed(path);
  const charts = isNumber(type) && definition?.instancetype !== "multiple" && may("R");
  const observe = async () => {
    if (charts) setChart(true);
    await device.observe(path);
  };
  const toggle = (what) => setOpen(open === what ? null : what);
  return html`<div class="actions">
    ${may("R") && html`<${Button} kind="small" aria-label="Read ${name}" onClick=${() => device.read(path)}>Read</${Button}>`}
    ${may("W") && user.mayOperate && html`<button type="button" class="button small" data-opens aria-expanded=${open === "write"}
      aria-label="Write ${name}" onClick=${() => toggle("write")}>Write</button>`}
    ${may("E") && user.mayOperate && html`<button type="button" class="button small" data-opens aria-expanded=${open === "execute"}
      aria-label="Execute ${name}" onClick=${() => toggle("execute")}>Execute</button>`}
    ${may("R") && user.mayOperate && (observation
      ? html`<${Button} kind="small" aria-label="Stop observing ${name}" onClick=${() => device.stop(observation)} onError=${fail}>Stop</${Button}>`
      : html`<${Button} kind="small" aria-label="Observe ${name}" onClick=${observe}>Observe</${Button}>`)}
    ${charts && html`<button type="button" class="button small quiet" aria-expanded=${chart} aria-label="Chart of ${name}"
      onClick=${() => setChart(!chart)}>Chart</button>`}
    <button type="button" class="button small quiet" aria-label="More… for ${name}" onClick=${() => setOpen("more")}>More…</button>
  </div>`;
}
