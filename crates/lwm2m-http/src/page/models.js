// Object definitions: those of the registry, and own ones.
import { html, useLoad, useRef, useState } from "./lib.js";
import { call, get, queryOf } from "./api.js";
import { href, replace } from "./router.js";
import { useUser } from "./login.js";
import { tell } from "./shell.js";
import { Badge, Button, Choice, Confirm, Empty, Failure, Field, Table } from "./ui.js";
import { rangeWords, typeWord, unit } from "./values.js";

const ROWS = 200;
const SOURCES = { oma: ["", "registry"], file: ["live", "file of the server"], api: ["good", "own"] };

export function Models({ id, query }) {
  return id === undefined ? html`<${All} query=${query} />` : html`<${One} key=${id} id=${id} />`;
}

function All({ query }) {
  const { q = "", source = "" } = query;
  const user = useUser();
  const loaded = useLoad(() => get("api/models"), []);
  const set = (change) => replace(["models"], { q, source, ...change });
  const wanted = (it) => (!source || it.source === source) && `${it.id} ${it.name}`.toLowerCase().includes(q.toLowerCase());
  const found = (loaded.value ?? []).filter(wanted);
  const rows = found.slice(0, ROWS).map((it) => ({ key: `${it.id} ${it.version}`, cells: [
    html`<span class="path">${it.id}</span>`, html`<a href=${href(["models", String(it.id)])}>${it.name}</a>`, it.version, html`<${Source} source=${it.source} />`,
  ] }));
  return html`<div><header class="view-head"><h1>Object definitions</h1><span class="faint">${loaded.value && found.length}</span>
      ${user.mayEverything && html`<div class="actions"><${Upload} onDone=${loaded.reload} /></div>`}</header>
    <p class="faint">They tell names, types and units of what devices have. Own ones are added in the XML of the OMA registry.</p>
    <form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
      <${Field} label="Search by name or number" type="search" value=${q} onInput=${(event) => set({ q: event.currentTarget.value })} />
      <${Choice} label="From" value=${source} onChange=${(event) => set({ source: event.currentTarget.value })}
        options=${[["", "All"], ...Object.entries(SOURCES).map(([name, [, text]]) => [name, text])]} />
    </form>
    <${Failure} error=${loaded.error} />
    ${loaded.value && html`<${Table} label="Object definitions" columns=${["Number", "Name", "Version", "From"]} rows=${rows} empty=${html`<${Empty} title="No definition matches" />`} />`}
    ${found.length > ROWS && html`<p class="faint">The first ${ROWS} of ${found.length}; search for the others.</p>`}
  </div>`;
}

const Source = ({ source }) => {
  const [kind, text] = SOURCES[source] ?? ["", source];
  return html`<${Badge} kind=${kind}>${text}</${Badge}>`;
};

function Upload({ onDone }) {
  const input = useRef(null);
  const [error, setError] = useState(null);
  const send = async () => {
    const [file] = input.current.files;
    if (!file) return;
    setError(null);
    try {
      const added = await call("PUT", "api/models", await file.text());
      tell(`Added: ${added.map((it) => `${it.name} (${it.id})`).join(", ")}.`, "good");
      onDone();
    } catch (failed) {
      setError(failed);
    }
    input.current.value = "";
  };
  return html`<${Button} kind="primary" onClick=${() => input.current.click()}>Add from a file…</${Button}>
    <input ref=${input} type="file" accept=".xml,application/xml,text/xml" hidden aria-label="XML file" onChange=${send} />
    <${Failure} error=${error} />`;
}

function One({ id }) {
  const loaded = useLoad(() => get(`api/models/${encodeURIComponent(id)}`), [id]);
  return html`<div><p class="crumb"><a href="#/models">← Object definitions</a></p><${Failure} error=${loaded.error} />
    ${(loaded.value ?? []).map((it) => html`<${Definition} key=${it.version} definition=${it} onDone=${loaded.reload} />`)}</div>`;
}

function Definition({ definition, onDone }) {
  const user = useUser();
  const [removes, setRemoves] = useState(false);
  const { id, name, version, source, urn, resourcedefs } = definition;
  const rows = resourcedefs.map((it) => ({ key: it.id, cells: [
    html`<span class="path">${it.id}</span>`, it.name, it.operations === "NONE" ? "" : it.operations, typeWord(it.type.toUpperCase()),
    [rangeWords(it) || it.range, unit(it.units)].filter(Boolean).join(" "), [it.mandatory && "mandatory", it.instancetype === "multiple" && "several"].filter(Boolean).join(", "),
  ] }));
  const remove = () => call("DELETE", `api/models/${id}${queryOf({ version })}`);
  const gone = () => { tell(`${name} ${version} is removed.`, "good"); onDone(); };
  return html`<section class="part"><header class="view-head"><h1>${name} <span class="path">/${id}</span></h1><${Source} source=${source} />
      ${source === "api" && user.mayEverything && html`<div class="actions"><${Button} kind="danger" onClick=${() => setRemoves(true)}>Remove…</${Button}></div>`}</header>
    <p class="faint">Version ${version} · ${definition.instancetype === "multiple" ? "any number of instances" : "one instance"} · ${urn}
      ${" "}· <a href=${href(["devices"], { object: String(id) })}>devices that have it</a></p>
    <${Table} label="Resources of ${name}" columns=${["Number", "Name", "Operations", "Type", "Range and unit", ""]} rows=${rows} />
    ${removes && html`<${Confirm} title="Remove ${name} ${version}?" verb="Remove" action=${remove} onDone=${gone} onClose=${() => setRemoves(false)}>
      <p>If it replaced a definition of the registry, that one holds again.</p></${Confirm}>`}
  </section>`;
}

