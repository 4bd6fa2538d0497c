// The organizations of `make demo`: the console shows the figures that the demo has printed.
import assert from "node:assert/strict";
import { run, settled, signIn } from "./harness.mjs";

const NUMBER = new Intl.NumberFormat("en-GB");

await run(async ({ given, open }) => {
  for (const { address, counted, event_names: names, ...organization } of given.organizations) {
    const page = await open(null, address.slice(given.console_url.length));
    await signIn(page, organization);
    const card = page.getByRole("region", { name: "Events", exact: true });
    await card.waitFor();
    assert.equal(await card.locator(".quota-figure strong").textContent(), NUMBER.format(counted));
    const month = await page.getByRole("slider", { name: "Day of the month" }).getAttribute("aria-valuetext");
    assert.ok(month.includes(` ${NUMBER.format(counted)} since the month began`), month);

    await page.getByRole("link", { name: "Events", exact: true }).click();
    await page.getByRole("table", { name: "Events" }).waitFor();
    await settled(page);
    const shown = await page.getByRole("table", { name: "Events" }).locator("tbody tr td:nth-child(2)").allTextContents();
    assert.deepEqual([...new Set(shown)].filter((name) => !names.includes(name)), []);
  }
});
