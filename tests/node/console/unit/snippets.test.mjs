import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { SNIPPETS } from "../../../../functions/console/web/snippets.js";

const HOST = "https://api.example.com";
const KEY = "wk_YOUR_WRITE_KEY";
const INSTALL = { js: "npm install", python: "pip install" };
// The sections of docs/sdks.md with code. Its snippets are run by tests/handlers/test_sdks.py.
const sections = readFileSync(new URL("../../../../docs/sdks.md", import.meta.url), "utf8")
  .split(/^###? /m)
  .filter((section) => section.includes("```"))
  .map((section) => ({ name: section.split("\n")[0], language: /^```(\w+)/m.exec(section)[1], section }));
const snippets = SNIPPETS.filter(({ install }) => install);

test("each documented SDK has a snippet, and no other", () => {
  const documented = sections.map(({ name, language }) => `${INSTALL[language]} ${name}`);

  assert.ok(documented.length > 0);
  assert.deepEqual(snippets.map(({ install }) => install).toSorted(), documented.toSorted());
});

test("snippets set host and key as documented", () => {
  for (const { install, code } of snippets) {
    const { section } = sections.find(({ name }) => install.endsWith(` ${name}`));
    const lines = code(HOST, KEY).split("\n").filter((line) => /api\.example\.com|wk_/.test(line));

    assert.ok(lines.length > 0, install);
    for (const line of lines) assert.ok(section.includes(`${line}\n`), `${install}: ${line}`);
  }
});
