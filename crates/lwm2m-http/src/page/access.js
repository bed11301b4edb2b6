// Users of the page and tokens of programs.
import { html, useLoad, useState } from "./lib.js";
import { call, get } from "./api.js";
import { useUser } from "./login.js";
import { Badge, Button, Choice, Confirm, Copyable, Dialog, Empty, Failure, Field, Form, Table, moment } from "./ui.js";

const SCOPES = [["viewer", "Viewer: lists, reads, follows events"], ["operator", "Operator: also writes, executes, observes"], ["admin", "Admin: also credentials; without a prefix everything"]];
const endOf = ({ kind }) => (kind === "session" ? "End…" : "Remove…");

const DAY = 86_400;
const ENDS = [["", "never"], [String(DAY), "after a day"], [String(30 * DAY), "after 30 days"], [String(365 * DAY), "after a year"]];

const Scope = ({ scope, prefix }) => html`<${Badge}>${scope}</${Badge}>${prefix !== null && html` <span class="faint">devices ${prefix}…</span>`}`;

export function Access() {
  return html`<div><header class="view-head"><h1>Users and tokens</h1></header><${Users} /><${Tokens} /></div>`;
}

function Users() {
  const me = useUser();
  const loaded = useLoad(() => get("api/users"), []);
  const [dialog, setDialog] = useState(null);
  const rows = (loaded.value ?? []).map((it) => ({ key: it.name, cells: [
    html`${it.name}${it.name === me.name && html` <${Badge} kind="live">you</${Badge}>`}`,
    html`<${Scope} ...${it} />`,
    html`<div class="actions start"><${Button} kind="small" aria-label="Change… ${it.name}" onClick=${() => setDialog({ user: it })}>Change…</${Button}>
      <${Button} kind="small" aria-label="Remove… ${it.name}" onClick=${() => setDialog({ removes: it.name })}>Remove…</${Button}></div>`,
  ] }));
  const close = () => setDialog(null);
  return html`<section class="part"><header class="part-head"><h2>Users</h2><${Button} onClick=${() => setDialog({ user: null })}>New user</${Button}></header>
    <p class="faint">They log in to this page by a password. A session lasts twelve hours.</p><${Failure} error=${loaded.error} />
    ${loaded.value && html`<${Table} label="Users" columns=${["Name", "May", ""]} rows=${rows} empty=${html`<${Empty} title="No users yet">Make one for each person who uses the page.</${Empty}>`} />`}
    ${dialog && "user" in dialog && html`<${UserDialog} user=${dialog.user} onDone=${loaded.reload} onClose=${close} />`}
    ${dialog?.removes && html`<${Confirm} title="Remove ${dialog.removes}?" verb="Remove" onDone=${loaded.reload} onClose=${close}
      action=${() => call("DELETE", `api/users/${encodeURIComponent(dialog.removes)}`)}><p>Their sessions end at once.</p></${Confirm}>`}
  </section>`;
}

function UserDialog({ user, onDone, onClose }) {
  const submit = async (form) => {
    const name = user?.name ?? form.get("name").trim();
    const prefix = form.get("prefix").trim();
    await call("PUT", `api/users/${encodeURIComponent(name)}`, { scope: form.get("scope"), password: form.get("password"), ...(prefix ? { prefix } : {}) });
    onDone();
    onClose();
  };
  return html`<${Dialog} title=${user ? `Change ${user.name}` : "New user"} onClose=${onClose}>
    <${Form} onSubmit=${submit} onCancel=${onClose}>
      ${!user && html`<${Field} label="Name" name="name" required autofocus autocomplete="off" />`}
      <${Choice} label="May" name="scope" value=${user?.scope ?? "viewer"} options=${SCOPES} />
      <${Field} label="Only devices whose names begin with" name="prefix" defaultValue=${user?.prefix ?? ""} placeholder="all devices" />
      <${Field} label="Password" name="password" type="password" minlength="12" required autocomplete="new-password" hint="12 characters or more. Setting it ends the user's sessions." />
    </${Form}></${Dialog}>`;
}

function Tokens() {
  const loaded = useLoad(() => get("api/tokens"), []);
  const [dialog, setDialog] = useState(null);
  const rows = (loaded.value ?? []).map((it) => ({ key: it.id, cells: [
    it.name, it.kind === "session" ? "session of this page" : it.kind, html`<${Scope} ...${it} />`, moment(it.created), it.expires ? moment(it.expires) : "never",
    html`<${Button} kind="small" aria-label=${`${endOf(it)} ${it.name}`} onClick=${() => setDialog({ removes: it })}>${endOf(it)}</${Button}>`,
  ] }));
  const close = () => setDialog(null);
  return html`<section class="part"><header class="part-head"><h2>Tokens and sessions</h2><${Button} onClick=${() => setDialog({ adds: true })}>New token</${Button}></header>
    <p class="faint">Programs send a token in the header Authorization.</p><${Failure} error=${loaded.error} />
    ${loaded.value && html`<${Table} label="Tokens" columns=${["Name", "Kind", "May", "Made", "Ends", ""]} rows=${rows} empty=${html`<${Empty} title="No tokens" />`} />`}
    ${dialog?.adds && html`<${TokenDialog} onDone=${loaded.reload} onClose=${close} />`}
    ${dialog?.removes && html`<${Confirm} title="Remove ${dialog.removes.name}?" verb="Remove" onDone=${loaded.reload} onClose=${close}
      action=${() => call("DELETE", `api/tokens/${dialog.removes.id}`)}><p>What uses it is refused at once, and sessions that began by it end.</p></${Confirm}>`}
  </section>`;
}

function TokenDialog({ onDone, onClose }) {
  const [made, setMade] = useState(null);
  const submit = async (form) => {
    const [prefix, ends] = [form.get("prefix").trim(), form.get("ends")];
    const body = { name: form.get("name").trim(), scope: form.get("scope"), ...(prefix ? { prefix } : {}), ...(ends ? { expires_in: Number(ends) } : {}) };
    setMade(await call("POST", "api/tokens", body));
    onDone();
  };
  if (made) {
    return html`<${Dialog} title="Keep this now" onClose=${onClose} wide><div class="once"><p role="status">The token <strong>${made.name}</strong> is shown here and nowhere else.</p>
      <${Copyable} label="Token" text=${made.token} /><${Copyable} label="Try it" text=${`curl -H 'Authorization: Bearer ${made.token}' ${location.origin}/api/clients`} />
      <div class="form-end"><${Button} kind="primary" onClick=${onClose}>I have kept it</${Button}></div></div></${Dialog}>`;
  }
  return html`<${Dialog} title="New token" onClose=${onClose}>
    <${Form} submit="Make" onSubmit=${submit} onCancel=${onClose}>
      <${Field} label="Name" name="name" required autofocus hint="What it is for: billing, backup." />
      <${Choice} label="May" name="scope" value="viewer" options=${SCOPES} />
      <${Field} label="Only devices whose names begin with" name="prefix" placeholder="all devices" />
      <${Choice} label="Ends" name="ends" value="" options=${ENDS} />
    </${Form}></${Dialog}>`;
}
