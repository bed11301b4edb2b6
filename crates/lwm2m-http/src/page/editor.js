// Editors of values, by their type.
import { html, useState } from "./lib.js";
import { Choice, Field, Form } from "./ui.js";
import { TYPES, enumeration, fromInput, rangeWords, toInput, typeOf, typeWord, unit } from "./values.js";

const INPUTS = {
  INTEGER: { inputmode: "numeric" },
  UNSIGNED_INTEGER: { inputmode: "numeric" },
  FLOAT: { inputmode: "decimal" },
  TIME: { type: "datetime-local", step: 1 },
  OBJLNK: { placeholder: "3303:0" },
  OPAQUE: { placeholder: "0a ff" },
};

const hintOf = (definition, type) => {
  const range = rangeWords(definition);
  return [typeWord(type), unit(definition?.units), range && `allowed: ${range}`].filter(Boolean).join(" · ");
};

// The input of one value, named `name` in its form.
export function ValueInput({ object, definition, type, value, name, label, autofocus, required = true }) {
  const listed = enumeration(object, definition);
  const common = { name, label, hint: hintOf(definition, type) };
  const text = toInput(value, type);
  if (type === "BOOLEAN") {
    const options = [["true", "true"], ["false", "false"]];
    return html`<${Choice} ...${common} value=${text} autofocus=${autofocus} options=${required ? options : [["", "leave out"], ...options]} />`;
  }
  if (listed.length) {
    const options = listed.map(([it, meaning]) => [it, meaning ? `${it} – ${meaning}` : it]);
    if (text && !listed.some(([it]) => it === text)) options.unshift([text, text]);
    return html`<${Choice} ...${common} value=${text} autofocus=${autofocus} options=${required ? options : [["", "leave out"], ...options]} />`;
  }
  return html`<${Field} ...${common} ...${INPUTS[type] ?? {}} defaultValue=${text} autofocus=${autofocus}
    required=${required && type !== "STRING" && type !== "OPAQUE"} />`;
}

// The JSON of a resource from its form.
export function nodeOf(form, id, type, isMultiple) {
  if (!isMultiple) return { id, kind: "singleResource", type, value: fromInput(form.get("value"), type) };
  const ids = form.getAll("id");
  const values = form.getAll("value").map((text, index) => [ids[index], fromInput(text, type)]);
  return { id, kind: "multiResource", type, values: Object.fromEntries(values) };
}

// A form that writes a resource.
export function ResourceEditor({ object, id, definition, node, onWrite, onCancel }) {
  const isMultiple = definition ? definition.instancetype === "multiple" : node?.kind === "multiResource";
  const [type, setType] = useState(typeOf(definition, node) === "NONE" ? "STRING" : typeOf(definition, node));
  const known = typeOf(definition, node) !== "NONE";
  const submit = (form) => onWrite(nodeOf(form, id, type, isMultiple));
  return html`<${Form} kind="editor" submit="Write" onSubmit=${submit} onCancel=${onCancel}>
    ${!known && html`<${Choice} label="Type" value=${type} onChange=${(event) => setType(event.currentTarget.value)}
      hint="The server has no definition of this resource." options=${TYPES.map((it) => [it, typeWord(it)])} />`}
    ${isMultiple ? html`<${Several} object=${object} definition=${definition} type=${type} values=${node?.values ?? {}} />`
      : html`<${ValueInput} object=${object} definition=${definition} type=${type} value=${node?.value} name="value" label="New value" autofocus />`}
  </${Form}>`;
}

// The values of a multiple-instance resource, each with its id.
function Several({ object, definition, type, values }) {
  const [rows, setRows] = useState(() => {
    const given = Object.entries(values).map(([id, value]) => ({ id, value }));
    return given.length ? given : [{ id: "0", value: undefined }];
  });
  const free = () => String(Math.max(-1, ...rows.map((row) => Number(row.id))) + 1);
  return html`<div class="several">
    ${rows.map((row, index) => html`<div class="several-row" key=${row.id}>
      <${Field} label="Instance" name="id" defaultValue=${row.id} inputmode="numeric" pattern="[0-9]{1,5}" required />
      <${ValueInput} object=${object} definition=${definition} type=${type} value=${row.value} name="value" label="Value" autofocus=${index === 0} />
      <button type="button" class="button" aria-label="Leave out instance ${row.id}"
        onClick=${() => setRows(rows.filter((it) => it !== row))}>Remove</button>
    </div>`)}
    <button type="button" class="button" onClick=${() => setRows([...rows, { id: free(), value: undefined }])}>Add a value</button>
  </div>`;
}

// A form of all writable resources of an instance; `onSubmit(resources, id, form)` gets those that were filled in.
export function InstanceEditor({ object, definition, takesId, usedIds = [], submit, onSubmit, onCancel, children }) {
  const writable = (definition?.resourcedefs ?? []).filter(({ operations, instancetype }) => operations.includes("W") && instancetype !== "multiple");
  const readOnly = takesId ? (definition?.resourcedefs ?? []).filter(({ operations, mandatory, instancetype, type }) =>
    operations === "R" && mandatory && instancetype !== "multiple" && type !== "none") : [];
  const fields = [...writable, ...readOnly].sort((a, b) => b.mandatory - a.mandatory || a.id - b.id);
  const send = (form) => {
    const resources = fields.filter(({ id }) => form.get(`r${id}`)).map((it) => {
      const type = typeOf(it);
      return { id: it.id, kind: "singleResource", type, value: fromInput(form.get(`r${it.id}`), type) };
    });
    return onSubmit(resources, form.get("instance"), form);
  };
  return html`<${Form} submit=${submit} onSubmit=${send} onCancel=${onCancel}>
    ${takesId && html`<${Field} label="Instance number" name="instance" inputmode="numeric" pattern="[0-9]{1,5}"
      hint=${usedIds.length ? `Taken: ${usedIds.join(", ")}. Leave it empty to let the device choose.` : "Leave it empty to let the device choose."} />`}
    ${!fields.length && html`<p class="faint">The definition of this object has no resource to fill in; the device decides.</p>`}
    <div class="fields">${fields.map((it) => html`<${ValueInput} key=${it.id} object=${object} definition=${it} type=${typeOf(it)} name="r${it.id}"
      label="${it.name}${it.mandatory ? "" : " (optional)"}" required=${false} />`)}</div>
    ${children}
  </${Form}>`;
}
