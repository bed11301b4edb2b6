// A server with devices, and a browser that looks at its page.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

// The packages are installed in the folder that the first argument names.
const require = createRequire(join(process.env.LWM2M_BROWSER_MODULES, "index.js"));
const { chromium } = require("playwright-core");
const AXE = require("axe-core").source;

const { LWM2M_SERVERD, LWM2M_CLIENTD, LWM2M_SHOTS, LWM2M_CHROMIUM } = process.env;
const ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"];

export const SIZES = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 },
};

const cleanups = [];
export const atEnd = (cleanup) => cleanups.unshift(cleanup);

async function cleanUp() {
  for (const cleanup of cleanups.splice(0)) await cleanup().catch(() => {});
}

function start(program, words) {
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  atEnd(async () => { child.kill(); await ended; });
  return child;
}

// What a program prints, until it has printed what `last` matches.
function output(child, last) {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (piece) => { text += piece; if (last.test(text)) resolve(text); });
    child.on("exit", () => reject(new Error(`ended: ${text}`)));
    child.on("error", reject);
  });
}

export function folder(name) {
  const path = mkdtempSync(join(tmpdir(), `lwm2m-${name}-`));
  atEnd(async () => rmSync(path, { recursive: true, force: true }));
  return path;
}

// A server at its first start: {url, link, token, coap, stop}.
export async function server({ data = folder("server"), http = "127.0.0.1:0", coap = "127.0.0.1:0", more = [] } = {}) {
  const child = start(LWM2M_SERVERD, ["--data", data, "--coap", coap, "--coaps", "127.0.0.1:0", "--http", http, "--log", "warn", ...more]);
  const text = await output(child, /for http on .*\n/);
  const port = (scheme) => text.match(new RegExp(`listening for ${scheme} on (?:http://)?(\\S+)`))[1];
  const address = port("http");
  const link = text.match(/http\S+#link=\S+/)?.[0];
  return { url: `http://${address}/`, link, token: text.match(/once: (\S+)/)?.[1], coap: port("coap"), coaps: port("coaps"), data, address,
    stop: () => new Promise((resolve) => { child.on("exit", resolve); child.kill(); }) };
}

// A device that registers, without security or by a key.
export function device({ coap, coaps }, endpoint, words = []) {
  const address = words.includes("--psk-key") ? `coaps://${coaps}` : `coap://${coap}`;
  const child = start(LWM2M_CLIENTD, ["--server", address, "--endpoint", endpoint, "--ephemeral", "--period", "1", "--log", "warn", ...words]);
  child.stdout.resume();
  return { stop: () => new Promise((resolve) => { child.on("exit", resolve); child.kill(); }) };
}

// A device by the words of a command line that the page shows.
export function deviceBy(words) {
  start(LWM2M_CLIENTD, [...words, "--ephemeral", "--period", "1", "--log", "warn"]).stdout.resume();
}

// Asks the API by the admin token.
export async function ask({ url, token }, method, path, data) {
  const body = data && JSON.stringify(data);
  const response = await fetch(`${url}${path}`, { method, body, headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" } });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${text}`);
  return text && JSON.parse(text);
}

const NONE = /[?&](cached|history)|\/security\/clients\/|\/api\/devices\//;

let browser;
export async function browse({ size = "desktop", scheme = "light", expects = [] } = {}) {
  if (!browser) {
    const launched = await chromium.launch({ executablePath: LWM2M_CHROMIUM, args: ARGUMENTS });
    browser = launched;
    atEnd(() => launched.close());
  }
  const context = await browser.newContext({ ...SIZES[size], colorScheme: scheme, locale: "en-GB", timezoneId: "UTC", reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.complaints = [];
  const complain = (text) => { if (!expects.some((it) => text.includes(it))) page.complaints.push(text); };
  page.on("console", (message) => {
    // The browser itself notes each answer 404; to these questions that is the answer "none".
    const isNone = message.text().includes("404") && NONE.test(message.location().url);
    if (["error", "warning"].includes(message.type()) && !isNone) complain(`${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => complain(error.stack ?? error.message));
  page.on("request", (request) => { if (!/^http:\/\/(127\.0\.0\.1|localhost):/.test(request.url())) complain(`fetches ${request.url()}`); });
  await globalThis.prepare?.(page);
  return page;
}

// Opens the page by the link of the first start, as a newcomer does.
export async function enter(page, { link }) {
  await page.goto(link);
  await page.getByRole("heading", { name: "Devices" }).waitFor();
}

export async function logIn(page, { url }, secret, user = "") {
  await page.goto(url);
  await page.getByLabel("User", { exact: true }).fill(user);
  await page.getByLabel("Password or token").fill(secret);
  await page.keyboard.press("Enter");
}

export async function shot(page, name) {
  mkdirSync(LWM2M_SHOTS, { recursive: true });
  await page.screenshot({ path: join(LWM2M_SHOTS, `${name}.png`), animations: "disabled" });
}

export function check(condition, what) {
  if (!condition) throw new Error(`not so: ${what}`);
}

// No error in the console, nothing fetched from elsewhere.
export function calm(page) {
  check(page.complaints.length === 0, `a calm console: ${page.complaints.join("\n")}`);
}

// What axe-core finds serious or critical; the policy of the page lets it in by the debugger only.
export async function accessible(page, where) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const serious = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const said = serious.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n   ")}`);
  check(serious.length === 0, `${where} is accessible:\n${said.join("\n")}`);
}

// Waits until something holds in the page.
export const until = (page, condition, argument) => page.waitForFunction(condition, argument, { timeout: 15_000 });

// What the pages of a failed scenario look like, and what they complained about.
async function tellOfPages(name) {
  const pages = browser?.contexts().flatMap((context) => context.pages()) ?? [];
  for (const [index, page] of pages.entries()) {
    console.log(`page ${index}: ${page.url()} ${page.complaints?.join("\n") ?? ""}`);
    await shot(page, `failed-${name}-${index}`).catch(() => {});
  }
}

// Waits until a view has loaded what it shows.
export const settled = (page) => until(page, () => document.querySelector("main h1") && ![...document.querySelectorAll("main [role=status]")].some((it) => it.textContent === "Loading…"));

// Runs scenarios by name, and ends with status 1 if one fails.
export async function run(scenarios) {
  const wanted = process.argv.slice(2);
  let failed = false;
  for (const [name, scenario] of Object.entries(scenarios)) {
    if (wanted.length && !wanted.includes(name)) continue;
    const begun = Date.now();
    try {
      await scenario();
      console.log(`ok ${name} ${Date.now() - begun} ms`);
    } catch (error) {
      failed = true;
      console.log(`FAILED ${name}: ${error.stack}`);
      await tellOfPages(name);
    } finally {
      browser = undefined;
      await cleanUp();
    }
  }
  process.exit(failed ? 1 : 0);
}
