// Who uses the page: a log-in by password, by token, or by the link that the server prints at its
// first start.
import { html, useEffect, useRef, createContext, useContext } from "./lib.js";
import { call } from "./api.js";
import { Form, Field, Failure } from "./ui.js";

const SCOPES = ["viewer", "operator", "admin"];
const User = createContext(null);
export const UserIs = User.Provider;

// Who is logged in, and what they may do; views offer nothing else.
export const useUser = () => useContext(User);

export function describe({ name, scope, prefix }) {
  const level = SCOPES.indexOf(scope);
  return {
    name, scope, prefix,
    mayOperate: level >= 1,
    mayAdminister: level >= 2,
    mayEverything: level >= 2 && prefix === null,
    mayLogOut: !["everybody", "loopback"].includes(name),
  };
}

// The link is used up at once, so it leaves the address bar and the history.
export async function useUpLink() {
  const token = location.hash.startsWith("#link=") ? location.hash.slice(6) : null;
  if (!token) return;
  history.replaceState(null, "", location.pathname);
  await call("POST", "api/session", { token });
}

export const logOut = () => call("DELETE", "api/session");

export function LogIn({ onLogIn, reason }) {
  const first = useRef(null);
  useEffect(() => first.current?.querySelector("input")?.focus(), []);
  const submit = async (form) => {
    const [user, secret] = [form.get("user").trim(), form.get("secret")];
    await call("POST", "api/session", user ? { user, password: secret } : { token: secret });
    await onLogIn();
  };
  return html`<main class="login" ref=${first}>
    <h1>LwM2M server</h1>
    <p class="lead">Log in to see your devices.</p>
    <${Failure} error=${reason} />
    <${Form} onSubmit=${submit} submit="Log in">
      <${Field} label="User" name="user" autocomplete="username" hint="Leave it empty to log in by a token." />
      <${Field} label="Password or token" name="secret" type="password" autocomplete="current-password" required />
    </${Form}>
    <details><summary>Where do I get these?</summary>
      <p>The server prints an admin token and a link to this page when it starts for the first time. An admin makes users and
      more tokens under <em>Users and tokens</em>. If all are lost, stop the server and run <code>lwm2m-serverd admin-token</code>.</p>
    </details>
  </main>`;
}
