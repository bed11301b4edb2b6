// One operation on all devices that the filters of the fleet select, and how far such commands have come.
import { html, useEffect, useLoad, useNow, useState } from "./lib.js";
import { call, get, queryOf } from "./api.js";
import { useUser } from "./login.js";
import { go } from "./router.js";
import { fail, tell } from "./shell.js";
import { Ago, Badge, Button, Choice, Dialog, Field, Form, Table } from "./ui.js";
import { fromInput, typeOf, typeWord } from "./values.js";

const OPERATIONS = [["read", "Read"], ["write", "Write"], ["execute", "Execute"]];
const HINTS = { read: "An object, instance or resource: /3/0", write: "A resource: /3303/0/5700", execute: "A resource: /3/0/4 is Reboot" };
// While one is carried out, it is looked at every two seconds.
const EVERY = 2_000;

// What the definition says of a resource; nothing if there is none.
async function definitionOf(path) {
  const [, object, , resource] = path.split("/");
  const versions = await get(`api/models/${object}`).catch(() => []);
  return versions.at(-1)?.resourcedefs.find(({ id }) => id === Number(resource));
}

async function contentOf(path, text) {
  const definition = await definitionOf(path);
  if (!definition) throw new Error("The server has no definition of this resource, so it does not know the type of the value.");
  const type = typeOf(definition);
  try {
    return { id: definition.id, kind: "singleResource", type, value: fromInput(text, type) };
  } catch (error) {
    throw new Error(`${definition.name} is ${typeWord(type)}. ${error.message}`);
  }
}

export function BulkDialog({ filter, onClose }) {
  const [operation, setOperation] = useState("read");
  const given = Object.entries(filter).filter(([, value]) => value);
  const submit = async (form) => {
    const path = form.get("path").trim();
    const order = { operation, path };
    if (operation === "write") order.content = await contentOf(path, form.get("value"));
    if (operation === "execute" && form.get("arguments")) order.arguments = form.get("arguments");
    // Without a filter `prefix=` says that all are meant.
    const query = queryOf({ ...filter, ttl: form.get("ttl") });
    await call("POST", `api/bulk${query ? `${query}&prefix=` : "?prefix="}`, order);
    tell("The command is taken; its progress is on this page.", "good");
    onClose();
    go(["commands"]);
  };
  return html`<${Dialog} title="Command for many devices" onClose=${onClose}>
    <p>For ${given.length ? html`the devices that match <strong>${given.map((it) => it.join(": ")).join(", ")}</strong>` : html`<strong>all devices</strong>`}.
      Those that sleep get it when they wake up.</p>
    <${Form} submit="Send" onSubmit=${submit} onCancel=${onClose}>
      <${Choice} label="Operation" value=${operation} options=${OPERATIONS} onChange=${(event) => setOperation(event.currentTarget.value)} />
      <${Field} label="Path" name="path" required pattern="/[0-9]+(/[0-9]+)*" hint=${HINTS[operation]} autofocus />
      ${operation === "write" && html`<${Field} label="Value" name="value" />`}
      ${operation === "execute" && html`<${Field} label="Arguments" name="arguments" hint="Most need none." />`}
      <${Choice} label="Give up" name="ttl" value="86400" options=${[["3600", "after an hour"], ["86400", "after a day"], ["604800", "after a week"]]} />
    </${Form}>
  </${Dialog}>`;
}

// The commands for many, above the list of all; nothing if there are none.
export function Bulks() {
  const user = useUser();
  const now = useNow();
  const loaded = useLoad(async () => Promise.all((await get("api/bulk")).map(({ id }) => get(`api/bulk/${id}`))), []);
  const all = loaded.value ?? [];
  const waits = all.some(({ state, states }) => state === "ordering" || states.waiting || states.sent);
  useEffect(() => {
    const timer = waits && setTimeout(loaded.reload, EVERY);
    return () => clearTimeout(timer);
  }, [loaded.value]);
  if (!all.length) return null;
  const remove = (id) => async () => { await call("DELETE", `api/bulk/${id}`); loaded.reload(); };
  const rows = all.map((it) => ({ key: it.id, cells: [
    html`${it.order.operation} <span class="path">${it.order.path}</span>`,
    new URLSearchParams(it.query).toString().replace(/(^|&)(ttl=\d+|prefix=)(?=&|$)/g, "").replace(/^&/, "") || "all devices",
    html`<${Progress} ...${it} />`,
    it.refused ? html`${it.refused}: ${it.reasons.join("; ")}` : "",
    html`<${Ago} at=${it.created} now=${now} />`,
    user.mayOperate && html`<${Button} kind="small" aria-label="Remove: ${it.order.operation} ${it.order.path}" onClick=${remove(it.id)} onError=${fail}>Remove</${Button}>`,
  ] }));
  return html`<section class="part"><h2>Commands for many devices</h2>
    <${Table} label="Commands for many devices" columns=${["Operation", "Devices", "Progress", "Not taken", "Ordered", ""]} rows=${rows} /></section>`;
}

function Progress({ state, commands, states }) {
  const done = states.done ?? 0;
  const rest = Object.entries(states).filter(([name]) => name !== "done").map(([name, count]) => `${count} ${name}`);
  return html`<progress max=${Math.max(commands, 1)} value=${commands - (states.waiting ?? 0) - (states.sent ?? 0)} aria-label="Progress"></progress>
    <div>${state === "ordering" && html`<${Badge} kind="live">ordering</${Badge}> `}${done} of ${commands} done${rest.length ? `, ${rest.join(", ")}` : ""}</div>`;
}
