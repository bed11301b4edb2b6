// What operators do with a device: write, execute, create, delete, conditions, several at once, keys.
import { accessible, ask, browse, calm, check, device, deviceBy, enter, run, server, shot, until } from "./support.mjs";

async function open() {
  const started = await server();
  device(started, "thermostat-1");
  const page = await browse();
  await enter(page, started);
  await page.getByRole("link", { name: "thermostat-1" }).click();
  await page.getByRole("button", { name: "Read all" }).first().waitFor();
  return { started, page };
}

const OWN = `<LWM2M><Object ObjectType="MODefinition"><Name>Door</Name><ObjectID>33000</ObjectID><ObjectURN>urn:oma:lwm2m:x:33000</ObjectURN>
  <LWM2MVersion>1.0</LWM2MVersion><ObjectVersion>1.0</ObjectVersion><MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory>
  <Resources><Item ID="1"><Name>Opened</Name><Operations>R</Operations><MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory>
  <Type>Integer</Type><RangeEnumeration></RangeEnumeration><Units></Units><Description></Description></Item></Resources></Object></LWM2M>`;

const value = (started, path) => ask(started, "GET", `api/clients/thermostat-1${path}`).then(({ content }) => content?.value);
const go = (page, started, rest) => page.goto(`${started.url}#/devices/thermostat-1/${rest}`);

await run({
  async write() {
    const { started, page } = await open();
    await page.getByRole("button", { name: "Read all" }).click();
    await page.getByRole("button", { name: "Write UTC Offset" }).click();
    const input = page.getByLabel("New value");
    await until(page, () => document.activeElement?.name === "value");
    await input.fill("+02:00");
    await shot(page, "write");
    await accessible(page, "the editor");
    await page.keyboard.press("Enter");
    await page.getByText("UTC Offset is written").waitFor();
    check(await value(started, "/3/0/14") === "+02:00", "the device has the value");
    await page.getByText("+02:00").first().waitFor();
    check(await page.evaluate(() => document.activeElement.textContent) === "Write", "the focus is back at the button");
    // What cannot be a value is said at the editor, and what the device refuses too.
    await go(page, started, "objects/1");
    await page.getByRole("button", { name: "Write Lifetime" }).click();
    await page.getByLabel("New value").fill("soon");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").filter({ hasText: "whole number" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByLabel("New value").waitFor({ state: "detached" });
    calm(page);
  },

  async execute() {
    const { started, page } = await open();
    await go(page, started, "objects/3303");
    await page.getByRole("button", { name: "Execute Reset Min and Max Measured Values" }).click();
    await until(page, () => document.activeElement?.name === "arguments");
    await page.keyboard.press("Enter");
    await page.getByText("Reset Min and Max Measured Values is executed").waitFor();
    await shot(page, "execute");
    calm(page);
  },

  async create() {
    const { started, page } = await open();
    await go(page, started, "objects/3303");
    await page.getByRole("button", { name: "New instance…" }).click();
    await page.getByLabel("Instance number").fill("7");
    await page.getByRole("dialog").getByLabel("Sensor Value").fill("19.5");
    await shot(page, "create");
    await accessible(page, "the form of a new instance");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByRole("heading", { name: "Instance 7" }).waitFor();
    await shot(page, "created");
    // And away with it.
    await page.getByRole("button", { name: "More… for /3303/7" }).click();
    await page.getByRole("button", { name: "Delete /3303/7…" }).click();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("heading", { name: "Instance 7" }).waitFor({ state: "detached" });
    calm(page);
  },

  async messages() {
    const { started, page } = await open();
    await page.getByRole("link", { name: "Messages" }).click();
    const log = page.getByRole("list", { name: "Messages, the newest first" });
    await log.getByText("Register", { exact: true }).first().waitFor();
    // What is said from now on appears by itself, in words.
    await value(started, "/3/0/9");
    const read = log.getByRole("listitem").filter({ hasText: "Battery Level" }).first();
    await read.waitFor();
    check((await read.textContent()).includes("Read"), "the answer has the name of its operation");
    await shot(page, "messages");
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByLabel("Find in messages").fill("/rd");
    await until(page, () => ![...document.querySelectorAll(".log-row")].some((it) => it.textContent.includes("Battery Level")));
    check((await page.getByRole("link", { name: "For Wireshark" }).getAttribute("href")).endsWith("/capture.pcapng"), "admins get the file");
    await accessible(page, "the messages");
    calm(page);
  },

  async conditions() {
    const { started, page } = await open();
    await go(page, started, "objects/3303");
    await page.getByRole("button", { name: "More… for Sensor Value" }).click();
    await page.getByLabel("At most every (seconds)").fill("2");
    await page.getByRole("button", { name: "Discover /3303/0/5700" }).click();
    await page.keyboard.press("Tab");
    await page.getByRole("button", { name: "Observe", exact: true }).click();
    await page.getByText("pmin=2").first().waitFor();
    await go(page, started, "observations");
    await page.getByRole("cell", { name: "/3303/0/5700", exact: true }).waitFor();
    await shot(page, "observations");
    await page.getByRole("button", { name: "Stop observing /3303/0/5700" }).click();
    await page.getByText("Nothing is observed").waitFor();
    calm(page);
  },

  async composite() {
    const { started, page } = await open();
    await go(page, started, "composite");
    await page.getByLabel("Paths").fill("/3/0/0 /3303/0/5700");
    await page.keyboard.press("Enter");
    await page.getByRole("cell", { name: "lwm2m-rs" }).waitFor();
    await page.getByLabel("Resource", { exact: true }).fill("/3/0/14");
    await page.getByLabel("Value", { exact: true }).fill("+03:00");
    await page.keyboard.press("Enter");
    await page.getByText("All are written").waitFor();
    check(await value(started, "/3/0/14") === "+03:00", "the device has the value");
    await shot(page, "composite");
    await accessible(page, "several at once");
    calm(page);
  },

  async credentials() {
    const { started, page } = await open();
    await page.goto(`${started.url}#/credentials`);
    await page.getByRole("button", { name: "New credential" }).click();
    await page.getByLabel("Endpoint name").fill("meter 'one'");
    const key = await page.getByLabel("Key in hex").inputValue();
    check(/^[0-9a-f]{32}$/.test(key), `a key of 16 random bytes: ${key}`);
    await shot(page, "credential");
    await page.keyboard.press("Enter");
    await page.getByText("shown here and nowhere else").waitFor();
    const line = await page.locator("code", { hasText: "lwm2m-clientd" }).textContent();
    check(line.includes(`--psk-key ${key}`) && line.includes("'meter '\\''one'\\'''"), `the command line is quoted: ${line}`);
    await until(page, () => document.querySelector(".qr canvas")?.width > 20);
    await shot(page, "credential-once");
    await accessible(page, "a new key");
    await page.getByRole("button", { name: "I have kept it" }).click();
    await page.getByRole("cell", { name: "pre-shared key" }).waitFor();
    check(!(await page.content()).includes(key), "the key is nowhere in the page any more");
    await page.getByRole("button", { name: "Remove… meter 'one'" }).click();
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await page.getByText("No device has credentials").waitFor();
    calm(page);
  },

  // A device from the factory: the command line that the page shows is all that it needs.
  async bootstrap() {
    const started = await server({ more: ["--bootstrap-coaps", "127.0.0.1:0"] });
    const page = await browse();
    await enter(page, started);
    await page.goto(`${started.url}#/credentials`);
    await page.getByRole("button", { name: "New credential" }).click();
    await page.getByLabel("Endpoint name").fill("meter-2");
    await page.getByLabel("Mode").selectOption("bootstrap");
    await shot(page, "bootstrap");
    await accessible(page, "a device by bootstrap");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("shown here and nowhere else").waitFor();
    const line = await page.locator("code", { hasText: "lwm2m-clientd" }).textContent();
    await until(page, () => document.querySelector(".qr canvas")?.width > 20);
    await shot(page, "bootstrap-once");
    deviceBy(line.split(" ").slice(1));
    await page.goto(`${started.url}#/devices`);
    await page.getByRole("link", { name: "meter-2" }).waitFor();
    await page.goto(`${started.url}#/credentials`);
    await page.getByRole("button", { name: "Remove… meter-2" }).click();
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await page.getByText("No device has credentials").waitFor();
    check(Object.keys(await ask(started, "GET", "api/bootstrap")).length === 0, "it is told nothing any more");
    calm(page);
  },

  // One command for all, own definitions, and a device that is forgotten.
  async many() {
    const { started, page } = await open();
    device(started, "thermostat-2");
    await page.goto(`${started.url}#/devices`);
    await page.getByRole("link", { name: "thermostat-2" }).waitFor();
    await page.getByLabel("Sort by").selectOption("-registered");
    await until(page, () => document.querySelector(".cell-name a")?.textContent === "thermostat-2");
    await page.getByRole("button", { name: "Command for all of these…" }).click();
    await page.getByLabel("Operation").selectOption("write");
    await page.getByLabel("Path").fill("/3/0/14");
    await page.getByLabel("Value").fill("+06:00");
    await shot(page, "many");
    await accessible(page, "a command for many");
    await page.getByRole("dialog").getByRole("button", { name: "Send", exact: true }).click();
    await page.getByText("2 of 2 done").waitFor();
    await shot(page, "many-done");
    check(await value(started, "/3/0/14") === "+06:00", "each device has the value");
    await go(page, started, "objects");
    await page.getByRole("button", { name: "Forget the device…" }).click();
    await page.getByRole("button", { name: "Forget", exact: true }).click();
    await page.getByRole("link", { name: "thermostat-2" }).waitFor();
    await page.getByRole("link", { name: "thermostat-1" }).waitFor({ state: "detached" });
    calm(page);
  },

  async definitions() {
    const { started, page } = await open();
    await page.goto(`${started.url}#/models`);
    await page.getByLabel("Search by name or number").fill("3303");
    await page.getByRole("link", { name: "Temperature" }).first().waitFor();
    const upload = (buffer) => page.getByLabel("XML file").setInputFiles({ name: "own.xml", mimeType: "application/xml", buffer: Buffer.from(buffer) });
    await page.evaluate(() => { document.querySelector("input[type=file]").hidden = false; });
    await upload("<LWM2M><Object>");
    await page.getByRole("alert").waitFor();
    await upload(OWN);
    await page.getByText("Added: Door").waitFor();
    await page.goto(`${started.url}#/models/33000`);
    await page.getByRole("cell", { name: "Opened" }).waitFor();
    await shot(page, "definition");
    await accessible(page, "a definition");
    await page.getByRole("button", { name: "Remove…" }).click();
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await page.getByText("is removed").waitFor();
  },

  async people() {
    const { started, page } = await open();
    await page.goto(`${started.url}#/access`);
    await page.getByRole("button", { name: "New user" }).click();
    await page.getByLabel("Name", { exact: true }).fill("ann");
    await page.getByLabel("Password", { exact: true }).fill("a long password");
    await page.keyboard.press("Enter");
    await page.getByRole("cell", { name: "ann" }).first().waitFor();
    await page.getByRole("button", { name: "New token" }).click();
    await page.getByLabel("Name", { exact: true }).fill("billing");
    await page.keyboard.press("Enter");
    await page.locator("code", { hasText: /^lwm2m_/ }).waitFor();
    await shot(page, "token-once");
    await page.getByRole("button", { name: "I have kept it" }).click();
    await page.goto(`${started.url}#/audit`);
    await page.getByText("PUT /api/users/ann").waitFor();
    calm(page);
  },

  // From the log-in to a written value without a mouse.
  async keyboard() {
    const started = await server();
    device(started, "thermostat-1");
    const page = await browse();
    await page.goto(started.url);
    await until(page, () => document.activeElement?.name === "user");
    await page.keyboard.press("Tab");
    await page.keyboard.type(started.token);
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: "thermostat-1" }).waitFor();
    const tabTo = async (name) => {
      for (let count = 0; count < 150; count++) {
        const at = await page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent);
        if (at.trim() === name) return;
        await page.keyboard.press("Tab");
      }
      throw new Error(`Tab does not reach ${name}`);
    };
    await tabTo("thermostat-1");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Read all" }).waitFor();
    await tabTo("Read all");
    await page.keyboard.press("Enter");
    await page.getByText("Simulated thermostat").waitFor();
    check(await page.evaluate(() => document.activeElement.textContent) === "Read all", "a redraw leaves the focus");
    await tabTo("Write UTC Offset");
    await page.keyboard.press("Enter");
    await until(page, () => document.activeElement?.name === "value");
    await page.keyboard.press("Control+a");
    await page.keyboard.type("+05:00");
    await page.keyboard.press("Enter");
    await page.getByText("UTC Offset is written").waitFor();
    check(await value(started, "/3/0/14") === "+05:00", "the device has the value");
    // Values that come leave the focus where it is, also in a form that is half filled in.
    await page.keyboard.press("Enter");
    await until(page, () => document.activeElement?.name === "value");
    await page.keyboard.press("Control+a");
    await page.keyboard.type("+0");
    await ask(started, "POST", "api/clients/thermostat-1/3/0/15/observe");
    await ask(started, "PUT", "api/clients/thermostat-1/3/0/15", { id: 15, kind: "singleResource", type: "STRING", value: "Europe/Berlin" });
    await page.getByText("Europe/Berlin").waitFor();
    check(await page.evaluate(() => document.activeElement.value) === "+0", "events leave the focus and what is typed");
    calm(page);
  },
});
