// What is the matter with a device, in one sentence with the remedy; and who did not get in at all.
import { html, useEffect, useLoad, useNow, useRef } from "./lib.js";
import { get, ofDevice } from "./api.js";
import { href } from "./router.js";
import { Ago, Badge, Button, Empty, Failure, Note, Table } from "./ui.js";

// Remedies that say no more than the sentence.
const EMPTY = /^(nothing|do what the sentence says)/;
const BAD = ["failing", "refused", "silent", "left"];

// The sentence about a device; nothing if all is well with it.
export function Why({ device }) {
  const loaded = useLoad(() => get(ofDevice(device.endpoint, "/why")), [device]);
  // It is another one after something has happened.
  const first = useRef(true);
  useEffect(() => { if (!first.current) loaded.reload(); first.current = false; }, [device.waiting, device.isGone, device.registration?.sleeping]);
  const it = loaded.value;
  if (!it || it.state === "well") return null;
  return html`<${Note} kind=${BAD.includes(it.state) ? "bad" : ""}><strong>${sentence(it.why)}</strong>${it.remedy && !EMPTY.test(it.remedy) && html` ${sentence(it.remedy)}`}</${Note}>`;
}

const sentence = (text = "") => {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
};

const MODES = { psk: "pre-shared key", rpk: "raw public key", x509: "certificate" };

export function Rejected() {
  const loaded = useLoad(() => get("api/rejected"), []);
  const now = useNow();
  const rows = (loaded.value ?? []).map((it) => ({ key: `${it.address} ${it.name} ${it.first}`, cells: [
    it.name ? html`<a href=${href(["devices", it.name])}>${it.name}</a>` : html`<span class="faint">no name</span>`,
    it.address,
    html`<${Badge}>${it.stage}</${Badge}> ${MODES[it.mode] ?? ""}`,
    sentence(it.why),
    html`<${Ago} at=${it.last} now=${now} />${it.count > 1 && html`<span class="faint">, ${it.count} times</span>`}`,
  ] }));
  return html`<div><header class="view-head"><h1>Not let in</h1><${Button} onClick=${loaded.reload}>Refresh</${Button}></header>
    <p class="faint">The last clients whose handshake or registration the server refused, or that never finished one.</p><${Failure} error=${loaded.error} />
    ${loaded.value && html`<${Table} label="Not let in" columns=${["Name", "Address", "At", "Why", "Last try"]} rows=${rows}
      empty=${html`<${Empty} title="Nobody was refused">A device that you miss here has not reached the server: check its address, and that nothing between blocks UDP.</${Empty}>`} />`}
  </div>`;
}
