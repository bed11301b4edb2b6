// One device: what it is, and tabs for what can be done with it.
import { html, useEffect, useMemo, useNow, useState, useStore } from "./lib.js";
import { listen } from "./events.js";
import { go, href } from "./router.js";
import { DeviceState } from "./device_state.js";
import { State, duration } from "./fleet.js";
import { Objects } from "./objects.js";
import { Observations } from "./observations.js";
import { Composite } from "./composite.js";
import { CommandsOf } from "./commands.js";
import { HappeningsOf } from "./happenings.js";
import { MessageLog } from "./message_log.js";
import { CredentialOf } from "./credentials.js";
import { useUser } from "./login.js";
import { Why } from "./why.js";
import { call, ofDevice } from "./api.js";
import { Ago, Badge, Button, Confirm, Empty, Failure, Note, Tabs } from "./ui.js";

const VIEWS = {
  objects: Objects,
  observations: Observations,
  composite: Composite,
  commands: CommandsOf,
  events: HappeningsOf,
  messages: MessageLog,
  credentials: CredentialOf,
};

export function Device({ endpoint, tab = "objects", part, query }) {
  const device = useMemo(() => new DeviceState(endpoint), [endpoint]);
  useStore(device);
  useEffect(() => {
    device.load();
    return listen(endpoint, (name, data) => device.on(name, data));
  }, [device]);
  const to = (name) => href(["devices", endpoint, name]);
  const tabs = [
    { name: "objects", text: "Objects" },
    { name: "observations", text: "Observations", count: device.observations.length },
    { name: "composite", text: "Several at once" },
    { name: "commands", text: "Commands", count: device.waiting.length },
    { name: "events", text: "Events" },
    { name: "messages", text: "Messages" },
    { name: "credentials", text: "Credentials" },
  ];
  const View = VIEWS[tab] ?? Objects;
  return html`<div class="device">
    <p class="crumb"><a href="#/devices">← Devices</a></p>
    <header class="view-head"><h1 class="name">${endpoint}</h1>
      ${device.registration && html`<${State} device=${{ ...device.registration, gone: device.isGone }} />`}
      ${device.registration?.secure && html`<${Badge} title="The device proved who it is">secured</${Badge}>`}
    </header>
    <${Facts} registration=${device.registration} />
    <${Trouble} device=${device} />
    <${Tabs} label="Parts of the device" tabs=${tabs.map((it) => ({ ...it, href: to(it.name) }))} current=${tab in VIEWS ? tab : "objects"} />
    <${View} device=${device} part=${part} query=${query} />
    <${Removal} device=${device} />
  </div>`;
}

// Forgetting a device, and having it prove anew who it is.
function Removal({ device }) {
  const user = useUser();
  const [asks, setAsks] = useState(null);
  const { endpoint, registration } = device;
  if (!user.mayOperate || !registration) return null;
  const close = () => setAsks(null);
  return html`<footer class="actions start device-end">
    ${registration.secure && html`<${Button} kind="quiet" onClick=${() => setAsks("session")}>End the session…</${Button}>`}
    <${Button} kind="quiet" onClick=${() => setAsks("device")}>Forget the device…</${Button}></footer>
    ${asks === "session" && html`<${Confirm} title="End the session of ${endpoint}?" verb="End it" onClose=${close} action=${() => call("DELETE", ofDevice(endpoint, "/session"))}>
      <p>The device has to prove anew who it is before the server hears it again.</p></${Confirm}>`}
    ${asks === "device" && html`<${Confirm} title="Forget ${endpoint}?" verb="Forget" onClose=${close} onDone=${() => go(["devices"])} action=${() => call("DELETE", ofDevice(endpoint))}>
      <p>Its registration, session, commands, observations and values are gone. It may register again; its credentials stay.</p></${Confirm}>`}`;
}

function Facts({ registration }) {
  const now = useNow();
  if (!registration) return null;
  const { address, lwM2mVersion, lifetime, lastUpdate, registrationDate, bindingMode } = registration;
  return html`<dl class="facts">
    <div><dt>Last seen</dt><dd><${Ago} at=${lastUpdate} now=${now} /></dd></div>
    <div><dt>Registered</dt><dd><${Ago} at=${registrationDate} now=${now} /></dd></div>
    <div><dt>Address</dt><dd>${address}</dd></div>
    <div><dt>LwM2M</dt><dd>${lwM2mVersion}, binding ${bindingMode}</dd></div>
    <div><dt>Lifetime</dt><dd>${duration(lifetime)}</dd></div>
  </dl>`;
}

function Trouble({ device }) {
  const { isGone, error, registration } = device;
  const to = (tab) => href(["devices", device.endpoint, tab]);
  if (isGone) {
    return html`<${Note} kind="bad">This device is not registered any more. What you see is what it said last; it comes back here by itself
      when it registers.</${Note}><${Why} device=${device} />`;
  }
  if (error?.status === 404) {
    return html`<${Why} device=${device} /><${Empty} title="This device is not registered">
      <p>It appears here as soon as it registers. Its <a href=${to("events")}>events</a> may tell why it left; if it has never been here, check
        its <a href=${to("credentials")}>credentials</a> and the <a href="#/server">addresses of the server</a>.</p></${Empty}>`;
  }
  if (error) return html`<${Failure} error=${error} />`;
  return html`${registration?.sleeping && html`<${Note}>The device sleeps. What you ask for is kept by the server and sent when it wakes up; see
    Commands.</${Note}>`}${registration && !registration.sleeping && html`<${Why} device=${device} />`}`;
}
