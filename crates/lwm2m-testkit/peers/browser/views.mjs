// Each view in both colour schemes and at both sizes, to be looked at.
import { accessible, ask, browse, calm, device, enter, logIn, run, server, settled, shot } from "./support.mjs";

const DEVICE = ["objects/3", "objects/3303", "observations", "composite", "commands", "events", "messages", "credentials"];
const VIEWS = ["devices", ...DEVICE.map((tab) => `devices/thermostat-1/${tab}`), "credentials", "commands", "events", "rejected", "models", "models/3303", "audit", "access", "server"];

await run({
  async views() {
    const started = await server();
    for (const name of ["boiler-2", "cellar", "thermostat-1", "thermostat-2", "window-kitchen"]) device(started, name);
    device(started, "water-meter-17", ["--queue-mode", "--awake", "1"]);
    const first = await browse();
    await enter(first, started);
    await first.getByText("window-kitchen").waitFor();
    for (const [endpoint, tls] of [["boiler-9", { mode: "psk", details: { identity: "boiler-9", key: "00".repeat(16) } }], ["gate", { mode: "psk", details: { identity: "gate", key: "11".repeat(16) } }]]) {
      await ask(started, "PUT", "api/security/clients", { endpoint, tls });
    }
    await ask(started, "PUT", "api/users/ann", { scope: "operator", prefix: "meter-", password: "a long password" });
    await ask(started, "POST", "api/clients/thermostat-1/3303/0/5700/observe?pmin=1");
    await ask(started, "GET", "api/clients/thermostat-1/3/0");
    await ask(started, "GET", "api/clients/thermostat-1/3303/0");
    await ask(started, "GET", "api/clients/water-meter-17/3/0").catch(() => {});
    for (const size of ["desktop", "phone"]) {
      for (const scheme of ["light", "dark"]) {
        const page = await browse({ size, scheme });
        await page.goto(started.url);
        await page.getByLabel("Password or token").waitFor();
        await shot(page, `view-login-${size}-${scheme}`);
        await logIn(page, started, started.token);
        await page.getByText("thermostat-1").waitFor();
        for (const view of VIEWS) {
          await page.goto(`${started.url}#/${view}`);
          await settled(page);
          if (view.includes("/objects/")) await page.locator(".value-text").first().waitFor();
          await shot(page, `view-${view.replaceAll("/", "-")}-${size}-${scheme}`);
          await accessible(page, `${view}, ${size}, ${scheme}`);
        }
        calm(page);
      }
    }
  },
});
