// What is observed of a device, or is to be.
import { html } from "./lib.js";
import { Observed } from "./instance.js";
import { useUser } from "./login.js";
import { fail } from "./shell.js";
import { Button, Empty, Table, moment } from "./ui.js";

export function Observations({ device }) {
  const user = useUser();
  const empty = html`<${Empty} title="Nothing is observed">Choose Observe at an instance or a resource, and the device reports its values by itself.</${Empty}>`;
  const rows = device.observations.map((it) => ({
    key: it.res ?? it.paths.join(","),
    cells: [
      html`<span class="path">${it.res ?? it.paths.join(", ")}</span>`,
      html`<${Observed} observation=${it} />`,
      moment(it.since),
      it.format ?? "",
      user.mayOperate && html`<${Button} kind="small" aria-label="Stop observing ${it.res ?? it.paths.join(", ")}" onClick=${() => device.stop(it)} onError=${fail}>Stop</${Button}>`,
    ],
  }));
  return html`<section><h2 class="hidden">Observations</h2>
    <p class="faint">An observation lasts until you stop it, also when the device registers anew or the server restarts.</p>
    <${Table} label="Observations" columns=${["Path", "State", "Since", "Format", ""]} rows=${rows} empty=${empty} /></section>`;
}
