// Operations that wait for their devices, and their results.
import { html, useEffect, useLoad, useNow, useRef } from "./lib.js";
import { call, get, queryOf } from "./api.js";
import { href, replace } from "./router.js";
import { useUser } from "./login.js";
import { refusal } from "./device_state.js";
import { fail } from "./shell.js";
import { Bulks } from "./bulk.js";
import { Ago, Badge, Button, Choice, Empty, Failure, Table, moment } from "./ui.js";

const STATES = {
  waiting: ["quiet", "waits for the device"],
  sent: ["live", "at the device"],
  done: ["good", "done"],
  failed: ["bad", "failed"],
  expired: ["bad", "expired"],
  unknown: ["bad", "outcome unknown"],
  superseded: ["quiet", "superseded"],
};
const LIMIT = 200;

export function Commands({ query }) {
  const { state = "" } = query;
  const loaded = useLoad(() => get(`api/commands${queryOf({ state, limit: LIMIT })}`), [state]);
  return html`<div><header class="view-head"><h1>Commands</h1><${Button} onClick=${loaded.reload}>Refresh</${Button}></header>
    <p class="faint">Operations that the server keeps for devices that sleep or do not answer, and how they ended.</p>
    <${Bulks} />
    <form class="filters" onSubmit=${(event) => event.preventDefault()}><${Choice} label="State" value=${state} onChange=${(event) => replace(["commands"], { state: event.currentTarget.value })}
      options=${[["", "All"], ...Object.entries(STATES).map(([name, [, text]]) => [name, text])]} /></form>
    <${List} ...${loaded} withDevice /></div>`;
}

export function CommandsOf({ device }) {
  const loaded = useLoad(() => get(`api/commands${queryOf({ ep: device.endpoint, limit: LIMIT })}`), [device]);
  // What waits has changed: an event came.
  const first = useRef(true);
  useEffect(() => { if (!first.current) loaded.reload(); first.current = false; }, [device.waiting]);
  return html`<section><h2 class="hidden">Commands</h2><${List} ...${loaded} /></section>`;
}

function List({ value, error, loading, reload, withDevice }) {
  const user = useUser();
  const now = useNow();
  if (error) return html`<${Failure} error=${error} />`;
  if (!value) return loading && html`<p class="faint" role="status">Loading…</p>`;
  const remove = (id) => async () => { await call("DELETE", `api/commands/${id}`); reload(); };
  const rows = [...value].reverse().map((it) => {
    const [kind, text] = STATES[it.state] ?? ["", it.state];
    const waits = it.state === "waiting" || it.state === "sent";
    return { key: it.id, cells: [
      withDevice && html`<a href=${href(["devices", it.ep, "commands"])}>${it.ep}</a>`,
      html`${it.operation} <span class="path">${it.path}</span>`,
      html`<${Badge} kind=${kind}>${text}</${Badge}>`,
      html`<${Ago} at=${it.created} now=${now} />`,
      waits ? html`until ${moment(it.expires)}` : result(it),
      user.mayOperate && html`<${Button} kind="small" aria-label="${waits ? "Cancel" : "Remove"} ${it.operation} ${it.path}" onClick=${remove(it.id)} onError=${fail}>${waits ? "Cancel" : "Remove"}</${Button}>`,
    ].slice(withDevice ? 0 : 1) };
  });
  const columns = ["Device", "Operation", "State", "Ordered", "Result", ""].slice(withDevice ? 0 : 1);
  return html`<${Table} label="Commands" columns=${columns} rows=${rows} empty=${html`<${Empty} title="No commands">
    Operations on a device that listens are done at once and leave none.</${Empty}>`} />`;
}

function result({ response, error }) {
  if (error) return error;
  if (!response) return "";
  return response.success ? response.status : refusal(response);
}
