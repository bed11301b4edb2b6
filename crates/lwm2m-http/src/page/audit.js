// Who changed what.
import { html, useEffect, useState } from "./lib.js";
import { get, queryOf } from "./api.js";
import { Button, Empty, Failure, Table, moment } from "./ui.js";

const LIMIT = 100;

export function Audit() {
  const [entries, setEntries] = useState(null);
  const [ended, setEnded] = useState(false);
  const [error, setError] = useState(null);
  const load = async (before) => {
    const page = await get(`api/audit${queryOf({ before, limit: LIMIT })}`);
    setEntries((old) => (before === undefined ? page : [...old, ...page]));
    setEnded(page.length < LIMIT);
  };
  useEffect(() => { load().catch(setError); }, []);
  const rows = (entries ?? []).map((it) => ({ key: it.number, cells: [
    moment(it.at), it.who, it.from ?? "", html`<code>${decoded(it.what)}</code>`, it.status ?? "caller gone",
    it.change && html`<details><summary>Show</summary><pre>${JSON.stringify(it.change, null, 2)}</pre></details>`,
  ] }));
  return html`<div><header class="view-head"><h1>Audit log</h1><${Button} onClick=${() => load()} onError=${setError}>Refresh</${Button}></header>
    <p class="faint">Who changed what, the newest first. Secrets are not in it.</p><${Failure} error=${error} />
    ${entries && html`<${Table} label="Audit log" columns=${["When", "Who", "From", "What", "Status", "Change"]} rows=${rows} empty=${html`<${Empty} title="Nobody has changed anything yet" />`} />`}
    ${entries?.length > 0 && !ended && html`<p><${Button} onClick=${() => load(entries.at(-1).number)} onError=${setError}>Older ones</${Button}></p>`}
  </div>`;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
