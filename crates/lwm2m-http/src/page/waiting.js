// What is observed of the selected device, and what waits for it.
"use strict";

const WAITING = 100;

function moment(milliseconds) {
  return milliseconds ? new Date(milliseconds).toLocaleString() : "";
}

// Fills a table of the page; what it belongs to is hidden while there is nothing.
function fill(id, rows) {
  byId(id).replaceChildren(...rows);
  byId(`${id}-of-device`).hidden = rows.length === 0;
}

async function loadWaiting() {
  const mine = selected;
  if (!mine) return;
  const name = encodeURIComponent(mine.endpoint);
  const [observations, commands] = await Promise.all([
    call("GET", apiPath(mine.endpoint, "/observations")),
    call("GET", `api/commands?ep=${name}&state=waiting,sent&limit=${WAITING}`),
  ]);
  if (selected !== mine) return;
  mine.awaits = observations.some(({ state }) => state !== "observed");
  fill("observations", observations.map((it) => observationRow(mine.endpoint, it)));
  fill("commands", commands.map(commandRow));
}

function observationRow(endpoint, { res, paths, state, since, code, attributes }) {
  const path = res ?? paths.join(", ");
  const observe = res ? `${res}/observe` : `/composite/observe?paths=${paths.join(",")}`;
  const stop = async () => {
    await call("DELETE", apiPath(endpoint, observe));
    await loadWaiting();
  };
  const said = Object.entries(attributes ?? {}).map(([name, value]) => `${name}=${value}`).join(" ");
  const words = { observed: `since ${moment(since)}`, waiting: "waits for the device", refused: `refused: ${code}` };
  return element("tr", "",
    element("td", path),
    element("td", said),
    element("td", words[state]),
    element("td", "", button("Stop", stop)));
}

function commandRow({ id, operation, path, state, created, expires }) {
  const remove = async () => {
    await call("DELETE", `api/commands/${id}`);
    await loadWaiting();
  };
  return element("tr", "",
    element("td", `${operation} ${path}`),
    element("td", state === "sent" ? "at the device" : "waits"),
    element("td", moment(created)),
    element("td", moment(expires)),
    element("td", "", button("Remove", remove)));
}

// The answer that a device gave when it woke up.
function showLate({ ep, path, response, error }) {
  if (ep !== selected?.endpoint) return;
  if (response?.content?.kind) showNode(path, response.content);
  const failed = error ?? (response?.success ? "" : `${response?.status} ${response?.errormessage ?? ""}`);
  say(failed ? `${path}: ${failed}` : "");
}
