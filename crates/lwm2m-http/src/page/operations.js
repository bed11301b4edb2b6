// What is done less often with an object, an instance or a resource.
import { html, useState } from "./lib.js";
import { InstanceEditor } from "./editor.js";
import { useUser } from "./login.js";
import { fail, tell } from "./shell.js";
import { Button, Confirm, Dialog, Failure, Field, Form } from "./ui.js";

export function CreateDialog({ device, object, definition, usedIds, onClose }) {
  const create = async (resources, id) => {
    const [path, body] = id ? [`/${object}/${id}`, { kind: "instance", id: Number(id), resources }] : [`/${object}`, { kind: "instance", resources }];
    const answer = await device.operate("create", "POST", path, { data: body });
    if (answer) tell(`The instance is made${answer.location ? `: ${answer.location}` : ""}.`, "good");
    onClose();
  };
  return html`<${Dialog} title="New instance of ${definition?.name ?? `object ${object}`}" onClose=${onClose}>
    <${InstanceEditor} object=${object} definition=${definition} takesId usedIds=${usedIds} submit="Create" onSubmit=${create} onCancel=${onClose} />
  </${Dialog}>`;
}

const ATTRIBUTES = [
  ["pmin", "At most every (seconds)", "pmin: two reports are at least this far apart"],
  ["pmax", "At least every (seconds)", "pmax: a report comes even if nothing changed"],
  ["gt", "When it rises above", "gt: reports when the value crosses it"],
  ["lt", "When it falls below", "lt: reports when the value crosses it"],
  ["st", "When it changes by", "st: reports a change of at least this size"],
];

export function MoreDialog({ device, path, name, definition, onClose }) {
  const user = useUser();
  const depth = path.split("/").length - 1;
  return html`<${Dialog} title="${name ?? "Object"} ${path}" onClose=${onClose} wide>
    ${depth < 2 && html`<section class="dialog-part"><h3>Read</h3><p>Reads all instances at once.</p>
      <${ReadAll} device=${device} path=${path} onClose=${onClose} /></section>`}
    ${user.mayOperate && html`<${Attributes} device=${device} path=${path} depth=${depth} onClose=${onClose} />`}
    <${Discover} device=${device} path=${path} />
    ${user.mayOperate && depth === 2 && html`<${WriteSeveral} device=${device} path=${path} definition=${definition} onClose=${onClose} />`}
    ${user.mayOperate && depth === 2 && html`<${Delete} device=${device} path=${path} onClose=${onClose} />`}
  </${Dialog}>`;
}

function ReadAll({ device, path, onClose }) {
  const [error, setError] = useState(null);
  const read = async () => { await device.read(path); onClose(); };
  return html`<${Button} onClick=${read} onError=${setError}>Read ${path}</${Button}><${Failure} error=${error} />`;
}

// Observe with conditions, or only set them.
function Attributes({ device, path, depth, onClose }) {
  const observation = device.observed(path);
  const fields = depth === 3 ? ATTRIBUTES : ATTRIBUTES.slice(0, 2);
  const given = (form) => Object.fromEntries(fields.map(([name]) => [name, form.get(name)]).filter(([, value]) => value !== ""));
  const submit = async (form) => {
    const attributes = given(form);
    if (form.get("only")) {
      if (!Object.keys(attributes).length) throw new Error("Fill in at least one condition.");
      await device.operate("write-attributes", "PUT", path, { suffix: "/attributes", query: attributes });
      tell(`The conditions of ${path} are set.`, "good");
    } else await device.observe(path, attributes);
    onClose();
  };
  const stop = async () => { await device.stop(observation); onClose(); };
  return html`<section class="dialog-part"><h3>Observe</h3>
    <p>The device then reports new values by itself. Without conditions it decides when.</p>
    <${Form} submit=${observation ? "Observe anew" : "Observe"} onSubmit=${submit}>
      <div class="fields">${fields.map(([name, label, hint]) => html`<${Field} label=${label} name=${name} hint=${hint} type="number" step="any"
        defaultValue=${observation?.attributes?.[name]} />`)}</div>
      <label class="check"><input type="checkbox" name="only" /> Only set the conditions (Write-Attributes), do not observe</label>
    </${Form}>
    ${observation && html`<${Button} onClick=${stop} onError=${fail}>Stop observing ${path}</${Button}>`}
  </section>`;
}

function Discover({ device, path }) {
  const [links, setLinks] = useState(null);
  const [error, setError] = useState(null);
  const ask = async () => {
    setError(null);
    const answer = await device.operate("discover", "GET", path, { suffix: "/discover" });
    setLinks(answer?.objectLinks ?? []);
  };
  const said = (attributes) => Object.entries(attributes).map(([name, value]) => (value === null ? name : `${name}=${value}`)).join("; ");
  return html`<section class="dialog-part"><h3>Discover</h3>
    <p>Asks the device what is there, and with which attributes.</p>
    <${Button} onClick=${ask} onError=${setError}>Discover ${path}</${Button}><${Failure} error=${error} />
    ${links && html`<ul class="links">${links.map(({ url, attributes }) => html`<li><span class="path">${url}</span> <span class="faint">${said(attributes)}</span></li>`)}</ul>`}
  </section>`;
}

function WriteSeveral({ device, path, definition, onClose }) {
  const id = Number(path.split("/")[2]);
  const write = async (resources, _, form) => {
    if (!resources.length) throw new Error("Fill in at least one value.");
    const query = form.get("replace") ? {} : { replace: "false" };
    const answer = await device.operate("write", "PUT", path, { query, data: { kind: "instance", id, resources } });
    if (answer) {
      tell(`${path} is written.`, "good");
      device.read(path).catch(() => {});
    }
    onClose();
  };
  return html`<section class="dialog-part"><details><summary><h3>Write several resources</h3></summary>
    <${InstanceEditor} object=${path.split("/")[1]} definition=${definition} submit="Write" onSubmit=${write}>
      <label class="check"><input type="checkbox" name="replace" /> Replace the instance: what is left empty is deleted</label>
    </${InstanceEditor}></details></section>`;
}

function Delete({ device, path, onClose }) {
  const [asks, setAsks] = useState(false);
  const remove = async () => {
    const answer = await device.operate("delete", "DELETE", path);
    if (answer) tell(`${path} is deleted.`, "good");
  };
  return html`<section class="dialog-part"><h3>Delete</h3>
    <${Button} kind="danger" onClick=${() => setAsks(true)}>Delete ${path}…</${Button}>
    ${asks && html`<${Confirm} title="Delete ${path}?" verb="Delete" action=${remove} onDone=${onClose} onClose=${() => setAsks(false)}>
      <p>The device removes the instance and all its values. This cannot be undone.</p></${Confirm}>`}
  </section>`;
}
