// The page begins here: who uses it, then the view that the address names.
import { html, render, useEffect, useState, useErrorBoundary } from "./lib.js";
import { call, whenLoggedOut } from "./api.js";
import { useRoute, replace } from "./router.js";
import { LogIn, UserIs, describe, useUpLink } from "./login.js";
import { Shell } from "./shell.js";
import { Failure } from "./ui.js";
import { Fleet } from "./fleet.js";
import { Device } from "./device.js";
import { Credentials } from "./credentials.js";
import { Commands } from "./commands.js";
import { Happenings } from "./happenings.js";
import { Audit } from "./audit.js";
import { Access } from "./access.js";
import { Models } from "./models.js";
import { Server } from "./server.js";
import { Rejected } from "./why.js";

function View({ route }) {
  const [error, reset] = useErrorBoundary();
  useEffect(() => { if (error) reset(); }, [route]);
  if (error) return html`<${Failure} error=${new Error(`This view failed: ${error.message}. Reload the page.`)} />`;
  const [name, ...rest] = route.parts;
  switch (name) {
    case "devices":
      return rest.length ? html`<${Device} key=${rest[0]} endpoint=${rest[0]} tab=${rest[1]} part=${rest[2]} query=${route.query} />`
        : html`<${Fleet} query=${route.query} />`;
    case "credentials": return html`<${Credentials} query=${route.query} />`;
    case "commands": return html`<${Commands} query=${route.query} />`;
    case "events": return html`<${Happenings} query=${route.query} />`;
    case "audit": return html`<${Audit} />`;
    case "access": return html`<${Access} />`;
    case "models": return html`<${Models} id=${rest[0]} query=${route.query} />`;
    case "rejected": return html`<${Rejected} />`;
    case "server": return html`<${Server} />`;
    default: return html`<h1>No such page</h1><p><a href="#/devices">To the devices</a></p>`;
  }
}

function App() {
  const [user, setUser] = useState(undefined);
  const [reason, setReason] = useState(null);
  const route = useRoute();
  const view = route.parts[0];
  const begin = async () => {
    const known = await call("GET", "api/session");
    setUser(known.name === null ? null : describe(known));
    if (known.name !== null) setReason(null);
  };
  useEffect(() => {
    whenLoggedOut(() => { setReason(new Error("Your session has ended. Log in again.")); setUser(null); });
    useUpLink().catch(setReason).then(begin).catch((error) => { setReason(error); setUser(null); });
  }, []);
  useEffect(() => { if (user && !view) replace(["devices"]); }, [user, view]);
  useEffect(() => {
    const name = route.parts[1] ?? view ?? "";
    document.title = name ? `${name[0].toUpperCase()}${name.slice(1)} · LwM2M` : "LwM2M";
  }, [route]);
  if (user === undefined) return html`<main class="login"><h1>LwM2M server</h1><p role="status">Loading…</p></main>`;
  if (user === null) return html`<${LogIn} onLogIn=${begin} reason=${reason} />`;
  const leave = () => { setReason(null); setUser(null); };
  return html`<${UserIs} value=${user}><${Shell} view=${view} onLogOut=${leave}>
    ${view && html`<${View} route=${route} />`}</${Shell}></${UserIs}>`;
}

render(html`<${App} />`, document.getElementById("app"));
