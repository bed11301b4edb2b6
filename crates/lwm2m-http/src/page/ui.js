// Small parts that all views use.
import { html, useEffect, useRef, useState } from "./lib.js";

// A button that shows that its action runs, and hands a failure to `onError`.
export function Button({ onClick, onError, kind = "", children, ...rest }) {
  const [busy, setBusy] = useState(false);
  const click = async (event) => {
    if (busy) return;
    setBusy(true);
    try {
      await onClick(event);
    } catch (error) {
      onError?.(error);
    } finally {
      setBusy(false);
    }
  };
  return html`<button type="button" class="button ${kind}" aria-busy=${busy} ...${rest} onClick=${click}>${children}</button>`;
}

// A form that submits by Enter, shows its failure, and is busy meanwhile.
export function Form({ onSubmit, children, submit = "Save", onCancel, kind = "", danger = false }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const element = useRef(null);
  // Browsers heed `autofocus` in a page once.
  useEffect(() => {
    const first = element.current.querySelector("[autofocus]");
    first?.focus();
    first?.select?.();
  }, []);
  const send = async (event) => {
    event.preventDefault();
    if (busy) return;
    const form = event.currentTarget;
    setBusy(true);
    setError(null);
    try {
      await onSubmit(new FormData(form), form);
    } catch (failed) {
      setError(failed);
    } finally {
      setBusy(false);
    }
  };
  const key = (event) => { if (event.key === "Escape" && onCancel) { event.stopPropagation(); onCancel(); } };
  return html`<form ref=${element} class="form ${kind}" onSubmit=${send} onKeyDown=${key}>
    ${children}
    <div class="form-end">
      <button class="button primary ${danger ? "danger" : ""}" aria-busy=${busy}>${submit}</button>
      ${onCancel && html`<button type="button" class="button" onClick=${onCancel}>Cancel</button>`}
    </div>
    <${Failure} error=${error} />
  </form>`;
}

let lastId = 0;
// An id that no other part has.
export function useName() {
  const name = useRef(0);
  name.current ||= `field-${++lastId}`;
  return name.current;
}

// A labelled input; `hint` is read out with it.
export function Field({ label, hint, children, wide = false, ...input }) {
  const id = useName();
  const described = hint ? `${id}-hint` : undefined;
  return html`<div class="field ${wide ? "wide" : ""}">
    <label for=${id}>${label}</label>
    ${children ? children({ id, "aria-describedby": described })
      : html`<input id=${id} aria-describedby=${described} autocomplete="off" spellcheck=${false} ...${input} />`}
    ${hint && html`<small id=${described}>${hint}</small>`}
  </div>`;
}

export function Choice({ label, hint, options, ...rest }) {
  return html`<${Field} label=${label} hint=${hint}>
    ${(labelled) => html`<select ...${labelled} ...${rest}>
      ${options.map(([value, text]) => html`<option value=${value} selected=${rest.value === value}>${text}</option>`)}
    </select>`}
  </${Field}>`;
}

export function Failure({ error }) {
  if (!error) return null;
  return html`<p class="failure" role="alert">${error.message ?? String(error)}</p>`;
}

export const Note = ({ children, kind = "" }) => html`<p class="note ${kind}" role="status">${children}</p>`;

export const Badge = ({ kind = "", children, title }) => html`<span class="badge ${kind}" title=${title}>${children}</span>`;

export const Empty = ({ title, children }) => html`<div class="empty"><p class="empty-title">${title}</p><div>${children}</div></div>`;

// A dialog that the browser makes modal: Escape closes it, the focus stays in it and comes back.
export function Dialog({ title, onClose, children, wide = false }) {
  const dialog = useRef(null);
  const id = useName();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current.showModal();
    return () => before?.isConnected && before.focus();
  }, []);
  const outside = (event) => { if (event.target === dialog.current) onClose(); };
  return html`<dialog ref=${dialog} class=${wide ? "wide" : ""} aria-labelledby=${id} onClose=${onClose} onClick=${outside}>
    <div class="dialog">
      <header class="dialog-head"><h2 id=${id}>${title}</h2>
        <button type="button" class="button quiet icon" aria-label="Close" onClick=${onClose}>✕</button></header>
      ${children}
    </div>
  </dialog>`;
}

// Asks before something is done that cannot be undone.
export function Confirm({ title, children, action, onDone, onClose, verb }) {
  const submit = async () => { await action(); onDone?.(); onClose(); };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <${Form} submit=${verb} danger onSubmit=${submit} onCancel=${onClose}>${children}</${Form}>
  </${Dialog}>`;
}

// A table whose head stays readable on a phone: there each cell has its column's name.
export function Table({ columns, rows, label, empty }) {
  if (!rows.length) return empty ?? null;
  return html`<div class="table" role="region" aria-label=${label} tabindex="0"><table>
    <thead><tr>${columns.map((name) => html`<th scope="col">${name || html`<span class="hidden">Actions</span>`}</th>`)}</tr></thead>
    <tbody>${rows.map(({ key, cells }) => html`<tr key=${key}>
      ${cells.map((cell, index) => html`<td data-name=${columns[index]}>${cell ? html`<div>${cell}</div>` : cell}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

// Text that somebody copies: a key, a command line.
export function Copyable({ label, text }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(text);
    setCopied(true);
  };
  return html`<div class="copyable"><span class="copyable-label">${label}</span>
    <code tabindex="0">${text}</code>
    <${Button} kind="small" onClick=${copy}>${copied ? "Copied" : "Copy"}</${Button}></div>`;
}

const UNITS = [[86_400, "day"], [3_600, "hour"], [60, "minute"], [1, "second"]];
const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

// A time as "3 minutes ago"; the exact one is its title.
export function Ago({ at, now }) {
  if (!at) return html`<span class="faint">never</span>`;
  // `now` is a few seconds old.
  const seconds = Math.min(0, Math.round((at - now) / 1000));
  const [size, unit] = UNITS.find(([size]) => Math.abs(seconds) >= size) ?? UNITS[3];
  const text = Math.abs(seconds) < 5 ? "just now" : words.format(Math.trunc(seconds / size), unit);
  return html`<time dateTime=${new Date(at).toISOString()} title=${new Date(at).toLocaleString()}>${text}</time>`;
}

export const moment = (milliseconds) => (milliseconds ? new Date(milliseconds).toLocaleString() : "");

export function Tabs({ label, tabs, current }) {
  const bar = useRef(null);
  // On a phone the tabs are wider than the page.
  useEffect(() => bar.current.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }), [current, tabs.map(({ count }) => count).join()]);
  return html`<nav class="tabs" aria-label=${label} ref=${bar}>
    ${tabs.map(({ name, text, href, count }) => html`<a href=${href} aria-current=${name === current ? "page" : undefined}>
      ${text}${count ? html` <span class="count">${count}</span>` : ""}</a>`)}
  </nav>`;
}
