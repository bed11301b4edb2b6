// Operations on several paths at once (LwM2M 1.1): Read-Composite, Observe-Composite, Write-Composite.
import { html, useState } from "./lib.js";
import { useUser } from "./login.js";
import { tell } from "./shell.js";
import { Button, Choice, Failure, Field, Note, Table } from "./ui.js";
import { fromInput, plain, typeOf, typeWord, TYPES } from "./values.js";

const parse = (text) => text.split(/[\s,]+/).filter(Boolean).map((path) => (path.startsWith("/") ? path : `/${path}`));

export function Composite({ device }) {
  const user = useUser();
  const [text, setText] = useState("");
  const [found, setFound] = useState(null);
  const [error, setError] = useState(null);
  const paths = parse(text);
  const run = (word, method, suffix) => async (event) => {
    event?.preventDefault?.();
    setError(null);
    if (!paths.length) throw new Error("Name at least one path, such as /3/0/9.");
    const { format: nodeformat } = device.options;
    const answer = await device.operate(word, method, "/composite", { suffix, query: { paths: paths.join(","), nodeformat, format: "" } })
      .finally(() => device.loadWaiting());
    if (!answer?.content) return;
    for (const [path, node] of Object.entries(answer.content)) device.apply(path, node);
    setFound(answer.content);
  };
  const submit = (event) => run("read", "GET", "")(event).catch(setError);
  const old = device.registration && device.registration.lwM2mVersion === "1.0";
  return html`<section><h2 class="hidden">Several at once</h2>
    ${old && html`<${Note}>The device speaks LwM2M 1.0, which has no operations on several paths.</${Note}>`}
    <form class="form" onSubmit=${submit}>
      <${Field} label="Paths" value=${text} onInput=${(event) => setText(event.currentTarget.value)} placeholder="/3/0/9 /3303/0/5700"
        hint="Objects, instances or resources, with spaces or commas between them." wide />
      <div class="form-end"><button class="button primary">Read</button>
        ${user.mayOperate && html`<${Button} onClick=${run("observe", "POST", "/observe")} onError=${setError}>Observe</${Button}>`}</div>
      <${Failure} error=${error} />
    </form>
    ${found && html`<${Found} device=${device} found=${found} />`}
    ${user.mayOperate && html`<${Write} device=${device} />`}
  </section>`;
}

function Found({ device, found }) {
  const rows = Object.entries(found).flatMap(([path, node]) => leaves(path, node)).map(([path, node]) => {
    const definition = definitionOf(device, path);
    const text = node.kind === "multiResource" ? Object.entries(node.values).map(([id, value]) => `${id}: ${plain(value, node.type)}`).join(", ") : plain(node.value, node.type);
    return { key: path, cells: [html`<span class="path">${path}</span>`, definition?.name ?? "", `${text} ${definition?.units ?? ""}`] };
  });
  return html`<${Table} label="Values" columns=${["Path", "Name", "Value"]} rows=${rows} empty=${html`<p class="faint">The device has none of these.</p>`} />`;
}

function leaves(path, node) {
  if (!node) return [];
  const parts = node.objects ?? node.instances ?? node.resources;
  return parts ? parts.flatMap((part) => leaves(`${path === "/" ? "" : path}/${part.id}`, part)) : [[path, node]];
}

function definitionOf(device, path) {
  const [, object, , resource] = path.split("/");
  return device.definitions.get(Number(object))?.resourcedefs.find(({ id }) => id === Number(resource));
}

function Write({ device }) {
  const [rows, setRows] = useState([{ key: 0, path: "", value: "", type: "STRING" }]);
  const [error, setError] = useState(null);
  const set = (key, change) => setRows(rows.map((row) => (row.key === key ? { ...row, ...change } : row)));
  const submit = async () => {
    setError(null);
    const given = rows.filter(({ path }) => path.trim());
    if (!given.length) throw new Error("Name at least one resource, such as /3/0/14.");
    const body = Object.fromEntries(given.map(({ path, value, type }) => {
      const [at] = parse(path);
      const known = typeOf(definitionOf(device, at));
      const of = known === "NONE" ? type : known;
      return [at, { id: Number(at.split("/")[3]), kind: "singleResource", type: of, value: fromInput(value, of) }];
    }));
    const { format: nodeformat } = device.options;
    const answer = await device.operate("write", "PUT", "/composite", { query: { nodeformat, format: "" }, data: body });
    if (answer) tell("All are written.", "good");
  };
  return html`<form class="form boxed" onSubmit=${(event) => { event.preventDefault(); submit().catch(setError); }}>
    <h3>Write several resources</h3>
    ${rows.map((row) => {
      const definition = definitionOf(device, parse(row.path)[0] ?? "");
      return html`<div class="several-row" key=${row.key}>
        <${Field} label="Resource" value=${row.path} placeholder="/3/0/14" onInput=${(event) => set(row.key, { path: event.currentTarget.value })} hint=${definition?.name} />
        ${!definition && html`<${Choice} label="Type" value=${row.type} onChange=${(event) => set(row.key, { type: event.currentTarget.value })} options=${TYPES.map((it) => [it, typeWord(it)])} />`}
        <${Field} label="Value" value=${row.value} onInput=${(event) => set(row.key, { value: event.currentTarget.value })} hint=${definition && typeWord(typeOf(definition))} />
      </div>`;
    })}
    <div class="form-end"><button class="button primary">Write</button>
      <button type="button" class="button" onClick=${() => setRows([...rows, { key: rows.length, path: "", value: "", type: "STRING" }])}>Add a resource</button></div>
    <${Failure} error=${error} />
  </form>`;
}
