// A new credential, with a key that the browser makes and shows once.
import { html, useEffect, useRef, useState } from "./lib.js";
import { call, get } from "./api.js";
import { Button, Choice, Copyable, Dialog, Field, Form, Note } from "./ui.js";

const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const randomKey = () => hex(crypto.getRandomValues(new Uint8Array(16)));

// A pair of keys: the public one for the server, the private one as PEM for the device. Browsers make
// them on pages by HTTPS and on localhost.
async function keyPair() {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
  const spki = hex(await crypto.subtle.exportKey("spki", pair.publicKey));
  const der = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  const lines = btoa(String.fromCharCode(...der)).match(/.{1,64}/g).join("\n");
  return { spki, pem: `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n` };
}

// A word of a command line.
const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

// Where devices register with security, as they see it.
async function secureAddress() {
  const all = await get("api/server/endpoint").catch(() => []);
  const found = all.map(({ uri }) => uri).find(({ scheme }) => scheme === "coaps");
  const port = found && found.port !== 5684 ? `:${found.port}` : "";
  return `coaps://${location.hostname}${port}`;
}

export function NewCredential({ endpoint = "", onDone, onClose }) {
  const [made, setMade] = useState(null);
  return html`<${Dialog} title=${made ? "Keep this now" : "New credential"} onClose=${onClose} wide>
    ${made ? html`<${Once} made=${made} onClose=${onClose} />`
      : html`<${Ask} endpoint=${endpoint} onClose=${onClose} onMade=${(it) => { setMade(it); onDone(); }} />`}
  </${Dialog}>`;
}

function Ask({ endpoint, onMade, onClose }) {
  const [mode, setMode] = useState("psk");
  const [key, setKey] = useState(randomKey);
  const [pem, setPem] = useState(null);
  const change = (event) => { setMode(event.currentTarget.value); setKey(event.currentTarget.value === "psk" ? randomKey() : ""); setPem(null); };
  const makePair = async () => { const pair = await keyPair(); setKey(pair.spki); setPem(pair.pem); };
  const type = (event) => { setKey(event.currentTarget.value); setPem(null); };
  const submit = async (form) => {
    const name = form.get("endpoint").trim();
    if (mode === "bootstrap") {
      const { bootstrap } = await call("POST", "api/devices", { endpoint: name, host: location.hostname });
      return onMade({ endpoint: name, mode, identity: bootstrap.identity, key: bootstrap.key, server: bootstrap.uri });
    }
    const identity = form.get("identity")?.trim() || name;
    const digits = key.replace(/[\s:]/g, "");
    const details = mode === "psk" ? { identity, key: digits } : { key: digits };
    await call("PUT", "api/security/clients", { endpoint: name, tls: mode === "x509" ? { mode } : { mode, details } });
    onMade({ endpoint: name, mode, identity, key: digits, pem, server: await secureAddress() });
  };
  return html`<${Form} submit="Save" onSubmit=${submit} onCancel=${onClose}>
    <${Field} label="Endpoint name" name="endpoint" defaultValue=${endpoint} required autofocus />
    <${Choice} label="Mode" value=${mode} onChange=${change} options=${[["psk", "Pre-shared key"], ["rpk", "Raw public key"], ["x509", "Certificate"], ["bootstrap", "By bootstrap"]]} />
    ${mode === "psk" && html`<${Field} label="Identity" name="identity" placeholder="the endpoint name" hint="What the device calls itself in the handshake." />
      <${Field} label="Key in hex" value=${key} onInput=${type} required pattern="([0-9a-fA-F]{2}[\\s:]?)+" hint="Made by this browser. Shown once after saving." wide />
      <${Button} onClick=${() => setKey(randomKey())}>Another key</${Button}>`}
    ${mode === "rpk" && html`<${Field} label="Public key of the device in hex" value=${key} onInput=${type} required pattern="([0-9a-fA-F]{2}[\\s:]?)+" hint="A SubjectPublicKeyInfo of P-256." wide />
      ${crypto.subtle ? html`<${Button} onClick=${makePair}>${pem ? "Another pair of keys" : "Make a pair of keys"}</${Button}>`
        : html`<${Note}>The browser makes keys on pages by HTTPS only. Make one by <code>lwm2m keys rpk NAME</code>.</${Note}>`}`}
    ${mode === "x509" && html`<${Note}>The device proves its name by a certificate with this common name, signed by an authority that the server trusts. There is no key to enter.</${Note}>`}
    ${mode === "bootstrap" && html`<${Note}>The server makes a key by which the device comes to the bootstrap server, and another one that it is told there for this server. Only the first is shown, once.</${Note}>`}
  </${Form}>`;
}

// What is shown once: the server gives the key out no more.
function Once({ made, onClose }) {
  const { endpoint, mode, identity, key, pem, server } = made;
  const base = `lwm2m-clientd --server ${server} --endpoint ${quoted(endpoint)}`;
  const lines = {
    psk: `${base} --psk-identity ${quoted(identity)} --psk-key ${key}`,
    rpk: `${base} --rpk device.key --peer-rpk server.pub`,
    x509: `${base} --cert device.crt --key device.key --trust ca.crt`,
    bootstrap: `lwm2m-clientd --bootstrap ${server} --endpoint ${quoted(endpoint)} --psk-identity ${quoted(identity)} --psk-key ${key}`,
  };
  const shared = mode === "psk" || mode === "bootstrap";
  return html`<div class="once">
    <p role="status">The credential of <strong>${endpoint}</strong> is saved. ${shared || pem ? "The key is shown here and nowhere else." : ""}</p>
    ${shared && html`<${Copyable} label="Identity" text=${identity} /><${Copyable} label="Key" text=${key} />`}
    ${pem && html`<${Copyable} label="Private key of the device (device.key)" text=${pem} />`}
    <${Copyable} label="A simulated device with it" text=${lines[mode]} />
    ${shared && html`<${Code} text=${JSON.stringify({ [mode === "psk" ? "server" : "bootstrap"]: server, endpoint, identity, key })} />`}
    <div class="form-end"><${Button} kind="primary" onClick=${onClose}>I have kept it</${Button}></div>
  </div>`;
}

// A QR code, for the phone or the scanner that sets the device up.
function Code({ text }) {
  const canvas = useRef(null);
  useEffect(() => {
    import("./vendor/lean-qr.js").then(({ generate }) => generate(text).toCanvas(canvas.current)).catch(() => {});
  }, [text]);
  return html`<figure class="qr"><canvas ref=${canvas} role="img" aria-label="QR code of server, endpoint, identity and key"></canvas>
    <figcaption>Server, endpoint, identity and key as JSON, for a scanner.</figcaption></figure>`;
}
