// Who uses the page: a log-in by password, by token, or by the link that the server prints at its
// first start. Then the rest of the page begins.
"use strict";

async function session(method, data) {
  const response = await fetch("api/session", { method, body: data && JSON.stringify(data) });
  const text = await response.text();
  const body = text ? JSON.parse(text) : null;
  if (!response.ok) throw new Error(body.detail);
  return body;
}

// The link is used up at once, so it leaves the address bar and the history.
async function useLink() {
  const token = location.hash.startsWith("#link=") ? location.hash.slice(6) : null;
  if (!token) return;
  history.replaceState(null, "", location.pathname);
  await session("POST", { token }).catch((error) => sayOfLogIn(error.message));
}

function sayOfLogIn(text) {
  byId("log-in-message").textContent = text;
}

function askForLogIn() {
  byId("live").textContent = "not logged in";
  byId("content").hidden = true;
  byId("log-in").hidden = false;
  byId("log-in-user").focus();
}

async function logIn(event) {
  event.preventDefault();
  sayOfLogIn("");
  const [user, secret] = [byId("log-in-user").value.trim(), byId("log-in-secret").value];
  const proof = user ? { user, password: secret } : { token: secret };
  try {
    await session("POST", proof);
  } catch (error) {
    return sayOfLogIn(error.message);
  }
  location.reload();
}

async function logOut() {
  await session("DELETE");
  location.reload();
}

async function begin() {
  await useLink();
  const known = await session("GET");
  if (known.name === null) return askForLogIn();
  const within = known.prefix === null ? "" : `, devices ${known.prefix}…`;
  byId("who").textContent = `${known.name} (${known.scope}${within})`;
  byId("log-out").hidden = ["everybody", "loopback"].includes(known.name);
  listen();
  loadCredentials().catch((error) => sayOfCredentials(error.message));
}

byId("log-in-form").addEventListener("submit", logIn);
byId("log-out").addEventListener("click", () => logOut().catch((error) => say(error.message)));
begin().catch((error) => { byId("live").textContent = error.message; });
