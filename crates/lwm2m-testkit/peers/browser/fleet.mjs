// Many devices, hostile devices, and a small screen.
import { accessible, browse, calm, check, device, enter, run, server, settled, shot, until } from "./support.mjs";

const COUNT = 100_000;
const nameOf = (number) => `meter-${String(number).padStart(6, "0")}`;

// Answers in place of the server for a fleet that would take minutes to start.
async function fake(page) {
  await page.route(/\/api\/clients\?/, (route) => {
    const query = new URL(route.request().url()).searchParams;
    const [limit, after, q] = [Number(query.get("limit") ?? 100), query.get("after"), query.get("q") ?? ""];
    const first = after ? Number(after.slice(6)) + 1 : 0;
    const found = [];
    for (let number = first; number < COUNT && found.length <= limit; number++) {
      if (nameOf(number).includes(q)) found.push(entry(nameOf(number), number));
    }
    const headers = found.length > limit ? { Link: `</api/clients?after=${found[limit - 1].endpoint}>; rel="next"` } : {};
    route.fulfill({ json: found.slice(0, limit), headers });
  });
}

function entry(endpoint, number) {
  const queuemode = number % 3 === 0;
  return { endpoint, address: `10.0.${number >> 8 & 255}.${number & 255}:5683`, lwM2mVersion: "1.1", lifetime: 86_400, bindingMode: "U",
    lastUpdate: Date.now() - number * 900, registrationDate: Date.now() - 1e8, secure: number % 2 === 0, queuemode, ...(queuemode ? { sleeping: number % 2 === 0 } : {}) };
}

// Names and values that would run if they were taken for markup.
const HOSTILE = ["<img src=x onerror=alert(1)>", "\"><script>alert(1)</script>", "'+alert(1)+'", "../../api/session", "a/b?c#d&e=%2F", "${alert(1)}", "x".repeat(200), "مرحبا-אב-abc"];

await run({
  async many() {
    const started = await server();
    const page = await browse();
    await fake(page);
    await enter(page, started);
    await page.getByRole("link", { name: nameOf(0), exact: true }).waitFor();
    await shot(page, "fleet-many");
    await accessible(page, "a fleet");
    const rows = () => page.locator(".grid-row").count();
    check(await rows() < 80, "only the rows in sight are in the page");
    // To the end, page by page.
    const begun = Date.now();
    await until(page, (count) => {
      const box = document.querySelector(".grid-body");
      box.scrollTop = box.scrollHeight;
      return Number(document.querySelector("[data-count]").dataset.count) === count;
    }, COUNT);
    await page.getByRole("link", { name: nameOf(COUNT - 1), exact: true }).waitFor();
    console.log(`all ${COUNT} devices in ${Date.now() - begun} ms`);
    check(await rows() < 80, "still only the rows in sight");
    await shot(page, "fleet-end");
    await page.getByLabel("Search by name").fill("04242");
    await page.getByRole("link", { name: "meter-042420", exact: true }).waitFor();
    await until(page, () => Number(document.querySelector("[data-count]").dataset.count) < 20);
    check(page.url().includes("q=04242"), "the search is in the address");
    await page.reload();
    await page.getByRole("link", { name: "meter-042420", exact: true }).waitFor();
    calm(page);
  },

  async hostile() {
    const started = await server();
    for (const name of HOSTILE) device(started, name);
    const page = await browse();
    let ran = false;
    page.on("dialog", (dialog) => { ran = true; dialog.dismiss(); });
    await enter(page, started);
    for (const name of HOSTILE) await page.getByRole("link", { name, exact: true }).waitFor();
    await shot(page, "hostile-fleet");
    for (const name of HOSTILE) {
      await page.goto(`${started.url}#/devices`);
      await page.getByRole("link", { name, exact: true }).click();
      await page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
      await page.getByRole("button", { name: "Read all" }).click();
      await page.getByText("Simulated thermostat").waitFor();
      await page.getByRole("button", { name: "Write UTC Offset" }).click();
      await page.getByLabel("New value").fill(HOSTILE[0]);
      await page.keyboard.press("Enter");
      await page.locator(".value-text", { hasText: HOSTILE[0] }).waitFor();
      for (const tab of ["observations", "composite", "commands", "events", "credentials"]) {
        await page.goto(`${page.url().split("#")[0]}#/devices/${encodeURIComponent(name)}/${tab}`);
        await page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
      }
      check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} fits`);
    }
    await page.goto(`${started.url}#/events`);
    await page.getByRole("cell", { name: HOSTILE[0] }).first().waitFor();
    await page.goto(`${started.url}#/audit`);
    await page.getByText("PUT /api/clients").first().waitFor();
    check(await page.evaluate(() => document.querySelectorAll("main img, main script").length) === 0, "no markup came of names or values");
    check(!ran, "no script ran");
    calm(page);
  },

  async phone() {
    const started = await server();
    device(started, "thermostat-1");
    device(started, "sleepy", ["--queue-mode", "--awake", "1"]);
    const page = await browse({ size: "phone", scheme: "dark" });
    await enter(page, started);
    const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
    const small = () => page.evaluate(() => [...document.querySelectorAll("button, select, input:not([type=checkbox]), .tabs a, .side nav a")]
      .filter((it) => it.offsetParent && (it.offsetHeight < 44 || it.offsetWidth < 44)).map((it) => `${it.outerHTML.slice(0, 90)} ${it.offsetWidth}×${it.offsetHeight}`));
    await page.getByRole("link", { name: "thermostat-1" }).tap();
    // A tap opens the device in sight.
    await page.getByRole("heading", { name: "thermostat-1" }).waitFor();
    check(await page.evaluate(() => document.querySelector("h1").getBoundingClientRect().top < innerHeight / 2), "the device is in sight");
    await page.getByLabel("Object", { exact: true }).selectOption("3303");
    await page.getByRole("button", { name: "Observe Sensor Value" }).tap();
    await until(page, () => document.querySelector(".chart")?.dataset.points >= 2);
    await page.locator(".chart").scrollIntoViewIfNeeded();
    await shot(page, "phone-chart");
    check(await fits(), "the chart fits");
    for (const view of ["devices", "devices/thermostat-1/objects/3", "devices/sleepy", "credentials", "commands", "events", "models", "models/3303", "audit", "access", "server"]) {
      await page.goto(`${started.url}#/${view}`);
      await settled(page);
      check(await fits(), `${view} fits`);
      const found = await small();
      check(found.length === 0, `targets of ${view} are large: ${found.join("\n")}`);
      await accessible(page, `${view} on a phone`);
    }
    await page.getByRole("button", { name: "Menu" }).tap();
    await shot(page, "phone-menu");
    await page.getByRole("link", { name: "Devices" }).last().tap();
    await page.getByRole("heading", { name: "Devices", exact: true }).waitFor();
    calm(page);
  },

  // What a device that sleeps is told is kept, and listed.
  async asleep() {
    const started = await server();
    device(started, "sleepy", ["--queue-mode", "--awake", "1", "--lifetime", "6"]);
    const page = await browse();
    await enter(page, started);
    await page.getByRole("link", { name: "sleepy" }).click();
    await page.getByText("Format and time-out").click();
    await page.getByLabel("Wait at most").fill("1");
    // Until it is awake no more: the server learns that from its silence.
    while (await page.getByText("does not listen now").count() === 0) {
      await page.getByRole("button", { name: "Read all" }).click();
      await until(page, () => !document.querySelector(".busy"));
    }
    await shot(page, "asleep");
    await page.getByRole("link", { name: "Commands 1" }).click();
    await page.getByRole("cell", { name: "read /3/0" }).first().waitFor();
    calm(page);
  },
});
