import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.document = { documentElement: { dataset: {} } };
const { shadesOf } = await import("../../../../functions/console/web/theme.js");
const { contrastOf } = await import("../../../../functions/console/web/colors.js");

test("a dark brand colour is text in light, and marks in dark", () => {
  const shades = shadesOf("#1e3a8a");
  assert.equal(shades["--accent-mark-light"], "#1e3a8a");
  assert.equal(shades["--accent-text-light"], "#1e3a8a");
  assert.equal(shades["--accent-text-dark"], "var(--text)");
  assert.ok(contrastOf(shades["--accent-mark-dark"], "#131417") >= 3);
});

test("text on the accent of any colour can be read in both looks", () => {
  for (const color of ["#000000", "#ffffff", "#ffcc00", "#7c3aed", "#808080", "#00ff00"]) {
    const shades = shadesOf(color);
    for (const look of ["light", "dark"]) {
      assert.ok(contrastOf(shades[`--on-accent-${look}`], shades[`--accent-mark-${look}`]) >= 4.5, `${color} ${look}`);
    }
  }
});

test("without a colour all properties go", () => {
  assert.deepEqual([...new Set(Object.values(shadesOf(null)))], [null]);
});
