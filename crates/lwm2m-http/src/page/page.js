// An operator's first look: devices, their objects, values. Text from devices is only ever
// assigned to textContent, so it cannot become markup.
"use strict";

const ROWS = 500;
const registrations = new Map();
let selected = null;

const byId = (id) => document.getElementById(id);
const apiPath = (endpoint, path) => `api/clients/${encodeURIComponent(endpoint)}${path}`;

function element(name, text, ...children) {
  const node = document.createElement(name);
  node.textContent = text;
  node.append(...children);
  return node;
}

function button(text, action) {
  const node = element("button", text);
  node.type = "button";
  node.addEventListener("click", () => action().catch((error) => say(error.message)));
  return node;
}

function say(text) {
  byId("message").textContent = text;
}

async function call(method, path, data) {
  const response = await fetch(path, { method, body: data && JSON.stringify(data) });
  const text = await response.text();
  const body = text ? JSON.parse(text) : null;
  if (!response.ok) throw new Error(`${body.title}: ${body.detail}`);
  return body;
}

// Many events may come between two frames; one drawing serves them all.
let drawing = false;
function showDevices() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => { drawing = false; drawDevices(); });
}

function drawDevices() {
  const all = [...registrations.values()].sort((a, b) => a.endpoint.localeCompare(b.endpoint));
  const rows = all.slice(0, ROWS);
  byId("count").textContent = all.length > ROWS ? `(${all.length}, the first ${ROWS} here)` : `(${all.length})`;
  byId("devices").replaceChildren(...rows.map((device) => element("tr", "",
    element("td", "", button(device.endpoint, () => select(device.endpoint))),
    element("td", device.secure ? `${device.address} (secured)` : device.address),
    element("td", device.lwM2mVersion),
    element("td", `${device.lifetime} s`),
    element("td", new Date(device.lastUpdate).toLocaleString()),
    element("td", stateOf(device)))));
}

function stateOf({ queuemode, sleeping }) {
  if (!queuemode) return "listens";
  return sleeping ? "sleeps" : "awake";
}

async function select(endpoint) {
  selected = { endpoint, values: new Map() };
  const mine = selected;
  byId("name").textContent = endpoint;
  byId("device").hidden = false;
  byId("instances").replaceChildren();
  fill("observations", []);
  fill("commands", []);
  say("");
  await loadWaiting();
  const specs = await call("GET", `api/objectspecs/${encodeURIComponent(endpoint)}`);
  if (selected !== mine) return;
  const names = new Map(specs.map((spec) => [spec.id, spec]));
  const objects = Object.entries(registrations.get(endpoint)?.availableInstances ?? {});
  const instances = objects.flatMap(([object, ids]) => ids.map((id) => [Number(object), id]));
  byId("instances").replaceChildren(
    ...instances.map(([object, id]) => instanceSection(object, id, names.get(object))));
}

function instanceSection(object, id, spec) {
  const { endpoint, values } = selected;
  const path = `/${object}/${id}`;
  const body = document.createElement("tbody");
  values.set(path, { body, spec });
  const ask = async (method, address) => {
    say("");
    const answer = await call(method, apiPath(endpoint, address)).finally(loadWaiting);
    if (answer.delayed) return say(`${path}: the device sleeps; it answers when it wakes up`);
    if (!answer.success) throw new Error(`${path}: ${answer.status} ${answer.errormessage ?? ""}`);
    showNode(path, answer.content);
  };
  const read = () => ask("GET", path);
  const observe = () => ask("POST", `${path}/observe`);
  return element("div", "",
    element("h3", `${path} ${spec?.name ?? ""}`, button("Read", read), button("Observe", observe)),
    element("table", "", body));
}

function showNode(path, node) {
  const [, object, id] = path.split("/");
  const shown = selected?.values.get(`/${object}/${id}`);
  if (!shown || !node) return;
  // A resource instance alone has an id of its own, which is none of a row.
  if (node.kind === "resourceInstance") return;
  const resources = node.kind === "instance" ? node.resources : [node];
  for (const resource of resources) showResource(shown, resource);
}

function showResource({ body, spec }, resource) {
  const definition = spec?.resourcedefs.find((known) => known.id === resource.id);
  const row = element("tr", "",
    element("td", resource.id),
    element("td", definition?.name ?? ""),
    element("td", `${valueText(resource)} ${definition?.units ?? ""}`));
  row.dataset.id = resource.id;
  const old = [...body.children].find((known) => known.dataset.id === row.dataset.id);
  if (old) old.replaceWith(row);
  else body.append(row);
}

function valueText(resource) {
  const plain = (value) => {
    if (resource.type === "TIME") return new Date(value).toISOString();
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  };
  if (resource.kind !== "multiResource") return plain(resource.value);
  return Object.entries(resource.values).map(([id, value]) => `${id}: ${plain(value)}`).join(", ");
}

async function loadDevices() {
  const list = await call("GET", "api/clients");
  registrations.clear();
  for (const device of list) registrations.set(device.endpoint, device);
  showDevices();
}

async function showAddresses() {
  const all = await call("GET", "api/server/endpoint");
  byId("listening").textContent = `Devices register at ${all.map(({ uri }) => uri.full).join(", ")}`;
}

function listen() {
  const events = new EventSource("api/event");
  const on = (name, action) =>
    events.addEventListener(name, (event) => action(JSON.parse(event.data)));
  const keep = (device) => { registrations.set(device.endpoint, device); showDevices(); };
  const reload = (ep) => { if (ep === selected?.endpoint) loadWaiting().catch((error) => say(error.message)); };
  const sleeps = (sleeping) => ({ ep }) => {
    const device = registrations.get(ep);
    if (device) keep({ ...device, sleeping });
    reload(ep);
  };
  events.onopen = () => { byId("live").textContent = "live"; loadDevices(); showAddresses(); };
  events.onerror = () => { byId("live").textContent = "connection lost, trying again…"; };
  on("REGISTRATION", (device) => { keep(device); reload(device.endpoint); });
  on("SLEEPING", sleeps(true));
  on("AWAKE", sleeps(false));
  on("REQUEST_RESPONSE", (late) => { showLate(late); reload(late.ep); });
  on("OBSERVATION_ENDED", ({ ep }) => reload(ep));
  // An Update that does not change the object list leaves it out.
  on("UPDATED", ({ registration }) =>
    keep({ ...registrations.get(registration.endpoint), ...registration }));
  on("DEREGISTRATION", (device) => { registrations.delete(device.endpoint); showDevices(); });
  on("NOTIFICATION", ({ ep, res, val }) => {
    if (ep !== selected?.endpoint) return;
    if (res) showNode(res, val);
    if (selected.awaits) reload(ep);
  });
  on("LAGGED", loadDevices);
}
