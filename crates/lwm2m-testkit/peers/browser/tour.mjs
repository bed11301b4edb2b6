// The first minutes: from the link of the first start to a live chart; who gets in, and who does not.
import { accessible, ask, browse, calm, check, device, enter, logIn, run, server, shot, until } from "./support.mjs";

await run({
  async newcomer() {
    const started = await server();
    const page = await browse();
    await enter(page, started);
    check(!page.url().includes("link="), "the link leaves the address bar");
    await page.getByText("No device has registered yet").waitFor();
    await shot(page, "newcomer-empty");
    device(started, "thermostat-1");
    await page.getByRole("link", { name: "thermostat-1" }).click();
    await page.getByRole("heading", { name: "thermostat-1" }).waitFor();
    await page.getByRole("button", { name: "Read all" }).click();
    await page.getByText("Simulated thermostat").waitFor();
    await page.getByRole("link", { name: "3303 Temperature" }).click();
    await page.getByRole("button", { name: "Observe Sensor Value" }).click();
    await page.getByText("observed", { exact: true }).first().waitFor();
    await until(page, () => document.querySelector(".chart")?.dataset.points >= 3);
    await page.locator(".chart canvas").waitFor();
    await page.getByRole("button", { name: "Read all" }).click();
    await page.getByText("°C").first().waitFor();
    await shot(page, "newcomer-chart");
    await accessible(page, "the chart");
    await page.getByRole("button", { name: "Stop observing Sensor Value" }).click();
    await page.getByRole("button", { name: "Observe Sensor Value" }).waitFor();
    // Back, reload and links work.
    const address = page.url();
    await page.reload();
    await page.getByRole("heading", { name: "Temperature" }).waitFor();
    await page.goBack();
    await page.getByRole("heading", { name: "Device", exact: false, level: 2 }).first().waitFor();
    await page.goto(address);
    await page.getByRole("heading", { name: "Temperature" }).waitFor();
    calm(page);
  },

  async refused() {
    const started = await server();
    const page = await browse({ expects: ["401", "429"] });
    await logIn(page, started, "lwm2m_wrong");
    await page.getByRole("alert").waitFor();
    await shot(page, "refused");
    await accessible(page, "a refused log-in");
    check(await page.getByLabel("Password or token").isVisible(), "the form stays");
    await logIn(page, started, "a wrong password", "ann");
    await page.getByRole("alert").waitFor();
    await logIn(page, started, started.token);
    await page.getByRole("heading", { name: "Devices" }).waitFor();
    // A link counts once.
    const second = await browse({ expects: ["401"] });
    await enter(second, started);
    const third = await browse({ expects: ["401"] });
    await third.goto(started.link);
    await third.getByRole("alert").waitFor();
    calm(page);
    calm(second);
    calm(third);
  },

  // A device with a wrong key, and why it does not come.
  async locked() {
    const started = await server();
    await ask(started, "PUT", "api/security/clients", { endpoint: "boiler", tls: { mode: "psk", details: { identity: "boiler", key: "00".repeat(16) } } });
    device(started, "boiler", ["--psk-identity", "boiler", "--psk-key", "11".repeat(16)]);
    const page = await browse({ expects: ["404"] });
    await enter(page, started);
    await page.goto(`${started.url}#/rejected`);
    // The handshake fails when the device has repeated its last message in vain.
    const row = page.getByRole("cell", { name: "pre-shared keys differ" });
    for (let count = 0; count < 40 && await row.count() === 0; count++) {
      await page.getByRole("button", { name: "Refresh" }).click();
      await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 500)));
    }
    await shot(page, "rejected");
    await accessible(page, "who was not let in");
    await row.first().waitFor();
    await page.goto(`${started.url}#/devices/boiler`);
    await page.locator(".note.bad strong", { hasText: "pre-shared keys differ" }).waitFor();
    await shot(page, "why");
    await accessible(page, "why");
    calm(page);
  },

  async viewer() {
    const started = await server();
    device(started, "thermostat-1");
    await ask(started, "PUT", "api/users/vera", { scope: "viewer", password: "a long password" });
    const page = await browse();
    await logIn(page, started, "a long password", "vera");
    await page.getByRole("link", { name: "thermostat-1" }).click();
    await page.getByRole("button", { name: "Read all" }).click();
    await page.getByText("Simulated thermostat").waitFor();
    for (const word of ["Write", "Execute", "Observe", "New instance"]) {
      check(await page.getByRole("button", { name: word }).count() === 0, `a viewer is not offered ${word}`);
    }
    check(await page.getByRole("link", { name: "Users and tokens" }).count() === 0, "nor users");
    await shot(page, "viewer");
    // A session that is ended elsewhere leads to the log-in, with the reason.
    await ask(started, "DELETE", "api/users/vera");
    const ended = await browse({ expects: ["401"] });
    await ended.context().addCookies(await page.context().cookies());
    await ended.goto(started.url);
    await ended.getByLabel("Password or token").waitFor();
    calm(page);
    calm(ended);
  },

  async outage() {
    const started = await server();
    const running = device(started, "thermostat-1");
    const page = await browse({ expects: ["ERR_", "504", "404 (Not Found)"] });
    await enter(page, started);
    await page.getByRole("link", { name: "thermostat-1" }).click();
    await page.getByRole("button", { name: "Read all" }).click();
    await page.getByText("Simulated thermostat").waitFor();
    // A device that leaves shows as such, and its values stay.
    await running.stop();
    await page.getByText("This device is not registered any more").waitFor();
    check(await page.getByText("Simulated thermostat").isVisible(), "values stay");
    await shot(page, "gone");
    const again = device(started, "thermostat-1");
    await page.getByText("This device is not registered any more").waitFor({ state: "detached" });
    // The server goes away and comes back.
    await started.stop();
    await page.getByText("The connection to the server is lost").waitFor();
    await shot(page, "lost");
    await page.getByRole("button", { name: "Read all" }).click();
    await page.getByText("The server cannot be reached").waitFor();
    await server({ data: started.data, http: started.address, coap: started.coap });
    await page.getByText("The connection to the server is lost").waitFor({ state: "detached" });
    await again.stop();
    calm(page);
  },
});
