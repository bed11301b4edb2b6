// The server: where devices register, and how they know it.
import { html, useLoad } from "./lib.js";
import { get } from "./api.js";
import { Copyable, Empty, Failure, Note } from "./ui.js";

export function Server() {
  const addresses = useLoad(() => get("api/server/endpoint"), []);
  const keys = useLoad(() => get("api/security/server"), []);
  return html`<div><header class="view-head"><h1>Server</h1></header>
    <section class="part"><h2>Addresses for devices</h2><${Failure} error=${addresses.error} />
      ${addresses.value && html`<${Addresses} all=${addresses.value} />`}</section>
    <section class="part"><h2>How devices know the server</h2><${Failure} error=${keys.error} />
      ${keys.value && html`<${Keys} keys=${keys.value} />`}</section>
    <section class="part"><h2>API</h2><p>Programs do by HTTP all that this page does. Make a token for them under Users and tokens.</p>
      <${Copyable} label="Address" text=${`${location.origin}/api/clients`} /></section>
  </div>`;
}

function Addresses({ all }) {
  const everywhere = all.some(({ uri }) => ["0.0.0.0", "::", "[::]"].includes(uri.host));
  return html`<dl class="facts stacked">${all.map(({ uri, description }) => html`<div><dt>${description}</dt><dd><code>${uri.full}</code></dd></div>`)}</dl>
    ${everywhere && html`<${Note}>0.0.0.0 and [::] stand for every address of the machine. Give devices its host name instead.</${Note}>`}`;
}

function Keys({ keys }) {
  const { pubkey, certificate } = keys;
  if (!pubkey && !certificate) {
    return html`<${Empty} title="The server has no key of its own">Devices with pre-shared keys need none. For raw public keys and certificates set one in the file of credentials.</${Empty}>`;
  }
  return html`${pubkey && html`<${Copyable} label="Public key (server.pub)" text=${pem("PUBLIC KEY", pubkey.b64Der)} />`}
    ${certificate && html`<${Copyable} label="Certificate" text=${pem("CERTIFICATE", certificate.b64Der)} />`}`;
}

const pem = (kind, base64) => `-----BEGIN ${kind}-----\n${base64.match(/.{1,64}/g).join("\n")}\n-----END ${kind}-----`;
