// Credentials of devices: list, add, remove. Keys that are stored are not shown.
import { html, useLoad, useState, useEffect } from "./lib.js";
import { call, get } from "./api.js";
import { href } from "./router.js";
import { useUser } from "./login.js";
import { NewCredential } from "./new_credential.js";
import { Badge, Button, Confirm, Empty, Failure, Field, Table } from "./ui.js";

const CLIENTS = "api/security/clients";
// More rows than this are found by the search only.
const ROWS = 500;

const MODES = { psk: "pre-shared key", rpk: "raw public key", x509: "certificate" };

const identityOf = ({ tls }) => tls?.details?.identity ?? (tls?.details?.identityHex && `0x${tls.details.identityHex}`) ?? "";

export function Credentials({ query }) {
  const user = useUser();
  const loaded = useLoad(() => get(CLIENTS), []);
  const [search, setSearch] = useState("");
  const [adds, setAdds] = useState(Boolean(query.new));
  const all = loaded.value ?? [];
  const found = all.filter(({ endpoint }) => endpoint.toLowerCase().includes(search.toLowerCase()));
  const empty = html`<${Empty} title=${search ? "No credential matches" : "No device has credentials"}>
    Devices without credentials register without security, if the server lets them.</${Empty}>`;
  return html`<div><header class="view-head"><h1>Credentials</h1><span class="faint">${loaded.value && all.length}</span>
      ${user.mayAdminister && html`<div class="actions"><${Button} kind="primary" onClick=${() => setAdds(true)}>New credential</${Button}></div>`}</header>
    <p class="faint">By these a device proves its endpoint name. What the operator wrote into the server's file of credentials cannot be changed here.</p>
    ${adds && html`<${NewCredential} onDone=${loaded.reload} onClose=${() => setAdds(false)} endpoint=${query.ep} />`}
    ${all.length > 10 && html`<div class="filters"><${Field} label="Search by name" type="search" value=${search} onInput=${(event) => setSearch(event.currentTarget.value)} /></div>`}
    <${Failure} error=${loaded.error} />
    ${loaded.value && html`<${List} all=${found.slice(0, ROWS)} empty=${empty} reload=${loaded.reload} />`}
    ${found.length > ROWS && html`<p class="faint">The first ${ROWS} of ${found.length}; search for the others.</p>`}
  </div>`;
}

function List({ all, empty, reload }) {
  const user = useUser();
  const [removes, setRemoves] = useState(null);
  const rows = all.map((it) => ({ key: it.endpoint, cells: [
    html`<a href=${href(["devices", it.endpoint])}>${it.endpoint}</a>`,
    html`<${Badge}>${MODES[it.tls?.mode] ?? it.tls?.mode}</${Badge}>`,
    identityOf(it),
    user.mayAdminister && html`<${Button} kind="small" aria-label="Remove… ${it.endpoint}" onClick=${() => setRemoves(it.endpoint)}>Remove…</${Button}>`,
  ] }));
  return html`<${Table} label="Credentials" columns=${["Endpoint", "Mode", "Identity", ""]} rows=${rows} empty=${empty} />
    ${removes && html`<${Remove} endpoint=${removes} onDone=${reload} onClose=${() => setRemoves(null)} />`}`;
}

function Remove({ endpoint, onDone, onClose }) {
  // A device that comes by bootstrap goes with all of its keys: else it would be told one that does not hold.
  const name = encodeURIComponent(endpoint);
  const remove = () => call("DELETE", `api/devices/${name}`).catch((error) => {
    if (error.status !== 404) throw error;
    return call("DELETE", `${CLIENTS}/${name}`);
  });
  return html`<${Confirm} title="Remove the credential of ${endpoint}?" verb="Remove" action=${remove} onDone=${onDone} onClose=${onClose}>
    <p>The registration and the session of the device end, and its values are forgotten. It cannot come back by this key.</p></${Confirm}>`;
}

// The credential of the device that is shown.
export function CredentialOf({ device }) {
  const user = useUser();
  const { endpoint } = device;
  const loaded = useLoad(() => get(`${CLIENTS}/${encodeURIComponent(endpoint)}`), [endpoint]);
  const [dialog, setDialog] = useState(null);
  const [revealed, setRevealed] = useState(null);
  const [error, setError] = useState(null);
  useEffect(() => setRevealed(null), [loaded.value]);
  const done = () => loaded.reload();
  const reveal = async () => setRevealed(await get(`${CLIENTS}/${encodeURIComponent(endpoint)}?reveal`));
  const none = loaded.error?.status === 404;
  const it = none ? null : loaded.value;
  return html`<section><h2 class="hidden">Credentials</h2>
    ${loaded.error && !none && html`<${Failure} error=${loaded.error} />`}
    ${none && html`<${Empty} title="The device has no credential">Anybody who can reach the server may register by this name, unless the server refuses endpoints without credentials.</${Empty}>`}
    ${it && html`<dl class="facts"><div><dt>Mode</dt><dd>${MODES[it.tls?.mode] ?? it.tls?.mode}</dd></div>
      ${identityOf(it) && html`<div><dt>Identity</dt><dd>${identityOf(it)}</dd></div>`}
      ${(revealed ?? it).tls?.details?.key && html`<div><dt>Key</dt><dd><code>${(revealed ?? it).tls.details.key}</code></dd></div>`}</dl>`}
    <${Failure} error=${error} />
    ${user.mayAdminister && html`<div class="actions start">
      <${Button} kind="primary" onClick=${() => setDialog("new")}>${it ? "Replace…" : "New credential"}</${Button}>
      ${it?.tls?.mode === "psk" && !revealed && html`<${Button} onClick=${reveal} onError=${setError}>Show the key</${Button}>`}
      ${it && html`<${Button} kind="danger" onClick=${() => setDialog("remove")}>Remove…</${Button}>`}</div>`}
    ${dialog === "new" && html`<${NewCredential} endpoint=${endpoint} onDone=${done} onClose=${() => setDialog(null)} />`}
    ${dialog === "remove" && html`<${Remove} endpoint=${endpoint} onDone=${done} onClose=${() => setDialog(null)} />`}
  </section>`;
}
