// Credentials of clients: list, add, remove. Keys that are stored are not shown.
"use strict";

const CREDENTIALS = "api/security/clients";

function sayOfCredentials(text) {
  byId("credential-message").textContent = text;
}

function credentialButton(text, action) {
  const node = element("button", text);
  node.type = "button";
  node.addEventListener("click", () => {
    sayOfCredentials("");
    action().then(loadCredentials).catch((error) => sayOfCredentials(error.message));
  });
  return node;
}

async function loadCredentials() {
  const all = await call("GET", CREDENTIALS);
  const rows = all.slice(0, ROWS);
  byId("credential-count").textContent =
    all.length > ROWS ? `(${all.length}, the first ${ROWS} here)` : `(${all.length})`;
  byId("credentials").replaceChildren(...rows.map(({ endpoint, tls }) => element("tr", "",
    element("td", endpoint),
    element("td", tls.mode),
    element("td", tls.details?.identity ?? tls.details?.identityHex ?? ""),
    element("td", "", credentialButton("Remove", () => removeCredential(endpoint))))));
}

async function removeCredential(endpoint) {
  if (!confirm(`Remove the credentials of ${endpoint}? Its registration ends.`)) return;
  await call("DELETE", `${CREDENTIALS}/${encodeURIComponent(endpoint)}`);
}

async function addCredential() {
  const value = (id) => byId(id).value.trim();
  const [endpoint, mode, key] = [value("new-endpoint"), value("new-mode"), value("new-key")];
  const details = mode === "psk" ? { identity: value("new-identity") || endpoint, key } : { key };
  const tls = mode === "x509" ? { mode } : { mode, details };
  await call("PUT", CREDENTIALS, { endpoint, tls });
  for (const id of ["new-endpoint", "new-identity", "new-key"]) byId(id).value = "";
}

function makeKey() {
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  byId("new-key").value = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function showMode() {
  const mode = byId("new-mode").value;
  byId("new-identity").parentElement.hidden = mode !== "psk";
  byId("make-key").hidden = mode !== "psk";
  byId("new-key").parentElement.hidden = mode === "x509";
}

byId("new-mode").addEventListener("change", showMode);
byId("make-key").addEventListener("click", makeKey);
byId("add").append(credentialButton("Add", addCredential));
showMode();
