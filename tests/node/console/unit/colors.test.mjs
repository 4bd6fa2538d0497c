import assert from "node:assert/strict";
import { test } from "node:test";
import { contrastOf, MARK_CONTRAST, parseColor, shadeFor, TEXT_CONTRAST, textOn } from "../../../../functions/console/web/colors.js";

const COLORS = Array.from({ length: 343 }, (_, at) => {
  const parts = [at % 7, Math.floor(at / 7) % 7, Math.floor(at / 49)].map((part) => Math.round((part * 255) / 6));
  return `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
});

test("contrasts are those of WCAG", () => {
  assert.equal(contrastOf("#000000", "#ffffff"), 21);
  assert.equal(contrastOf("#777777", "#ffffff").toFixed(2), "4.48");
  assert.equal(contrastOf("#ffffff", "#ffffff"), 1);
});

test("text on any colour can be read", () => {
  for (const color of COLORS) assert.ok(contrastOf(textOn(color), color) >= 4.5, color);
});

test("a shade of any colour can be seen and read on both surfaces", () => {
  for (const surface of ["#ffffff", "#131417"]) {
    for (const color of COLORS) {
      assert.ok(contrastOf(shadeFor(color, surface, MARK_CONTRAST), surface) >= MARK_CONTRAST, color);
      assert.ok(contrastOf(shadeFor(color, surface, TEXT_CONTRAST), surface) >= TEXT_CONTRAST, color);
    }
  }
});

test("a colour that is dark enough stays", () => {
  assert.equal(shadeFor("#3b4fd8", "#ffffff", TEXT_CONTRAST), "#3b4fd8");
});

test("only #rrggbb is a colour", () => {
  assert.deepEqual(parseColor("#10FF00"), [16, 255, 0]);
  for (const text of ["", "red", "#fff", "#12345g", "#1234567", "url(x)", "var(--x)"]) assert.equal(parseColor(text), null, text);
});
