// What surrounds each view: navigation, the state of the connection, messages.
import { html, Store, useEffect, useRef, useState, useStore } from "./lib.js";
import { href } from "./router.js";
import { connection } from "./events.js";
import { useUser, logOut } from "./login.js";
import { Button } from "./ui.js";

const messages = Object.assign(new Store(), { all: [] });
let lastMessage = 0;

// Tells the user something for a while; failures stay until they are closed.
export function tell(text, kind = "") {
  const message = { id: ++lastMessage, text, kind };
  messages.all = [...messages.all.filter((it) => it.text !== text), message].slice(-4);
  messages.changed();
  if (kind !== "bad") setTimeout(() => close(message.id), 6_000);
}

export const fail = (error) => tell(error.message, "bad");

function close(id) {
  messages.all = messages.all.filter((message) => message.id !== id);
  messages.changed();
}

function Messages() {
  useStore(messages);
  return html`<div class="messages" aria-live="polite">
    ${messages.all.map(({ id, text, kind }) => html`<div key=${id} class="message ${kind}">
      <span>${text}</span><button type="button" class="button quiet icon" aria-label="Close message" onClick=${() => close(id)}>✕</button></div>`)}
  </div>`;
}

const VIEWS = [
  ["devices", "Devices"],
  ["credentials", "Credentials"],
  ["commands", "Commands"],
  ["events", "Events"],
  ["rejected", "Not let in"],
  ["models", "Object definitions"],
  ["audit", "Audit log", "mayEverything"],
  ["access", "Users and tokens", "mayEverything"],
  ["server", "Server"],
];

const WORDS = {
  live: "Live",
  connecting: "Connecting…",
  lost: "Connection lost",
};

function Connection() {
  const { state } = useStore(connection);
  if (!WORDS[state]) return html`<span class="connection" role="status"></span>`;
  return html`<span class="connection ${state}" role="status">${WORDS[state]}</span>`;
}

function Lost() {
  const { state } = useStore(connection);
  if (state !== "lost") return null;
  return html`<p class="banner" role="alert">The connection to the server is lost, so what you see may be old. The page tries again by
    itself; if that lasts, check that the server runs.</p>`;
}

function Who({ onLogOut }) {
  const user = useUser();
  const within = user.prefix === null ? "" : `, devices ${user.prefix}…`;
  const leave = async () => { await logOut(); onLogOut(); };
  return html`<div class="who"><span class="who-name" title="${user.name} (${user.scope}${within})">${user.name}</span>
    <span class="faint">${user.scope}${within}</span>
    ${user.mayLogOut && html`<${Button} kind="small" onClick=${leave} onError=${fail}>Log out</${Button}>`}</div>`;
}

export function Shell({ view, children, onLogOut }) {
  const user = useUser();
  const [open, setOpen] = useState(false);
  const main = useRef(null);
  useEffect(() => setOpen(false), [view]);
  const links = VIEWS.filter(([, , right]) => !right || user[right]);
  const skip = (event) => { event.preventDefault(); main.current.focus(); };
  return html`<div class="shell ${open ? "open" : ""}">
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <header class="side">
      <div class="side-head">
        <a class="brand" href="#/devices"><span class="brand-mark" aria-hidden="true"></span>LwM2M</a>
        <${Connection} />
        <button type="button" class="button menu" aria-expanded=${open} aria-controls="menu" onClick=${() => setOpen(!open)}>Menu</button>
      </div>
      <div class="side-body" id="menu">
        <nav aria-label="Views">${links.map(([name, text]) => html`<a href=${href([name])}
          aria-current=${name === view ? "page" : undefined}>${text}</a>`)}</nav>
        <${Who} onLogOut=${onLogOut} />
      </div>
    </header>
    <main id="main" ref=${main} tabindex="-1"><${Lost} />${children}</main>
    <${Messages} />
  </div>`;
}
