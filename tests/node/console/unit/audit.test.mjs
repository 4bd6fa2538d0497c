import assert from "node:assert/strict";
import { test } from "node:test";
import { findLastSealed, linkText, parseLink, verifyChain } from "../../../../functions/console/web/audit_chain.js";
import { filterText, joinCsv, queryOf, readFilters, writeFilters } from "../../../../functions/console/web/audit_query.js";

const seal = (sequence) => String(sequence).padStart(64, "0");

/** Answers like the API about a chain of `length` entries, `size` of them a call. */
function logOf(length, size, broken = null, first = 1) {
  const asked = [];
  const ask = async (after) => {
    asked.push(after?.sequence ?? null);
    const start = (after?.sequence ?? first - 1) + 1;
    const last = Math.min(start + size - 1, length);
    const part = { valid: true, broken: null, first_sequence: start, last_sequence: last, last_seal: seal(last), unsealed: 2, checkpoint: null };
    if (broken !== null && broken >= start && broken <= last) {
      return { ...part, valid: false, broken: { sequence: broken, reason: "changed" }, last_sequence: broken - 1, is_complete: true };
    }
    return { ...part, is_complete: last === length, checkpoint: first > 1 && !after ? {} : null };
  };
  return { ask, asked };
}

test("a long chain is verified call by call, with its progress", async () => {
  const { ask, asked } = logOf(250, 100);
  const progress = [];

  const result = await verifyChain(ask, null, (sequence) => progress.push(sequence));

  assert.deepEqual(asked, [null, 100, 200]);
  assert.deepEqual(progress, [100, 200, 250]);
  assert.deepEqual(result, { first: 1, count: 250, isCut: false, broken: null, unsealed: 2, link: { sequence: 250, seal: seal(250) } });
});

test("a verification goes on from a kept seal", async () => {
  const { ask, asked } = logOf(250, 100);

  const result = await verifyChain(ask, { sequence: 240, seal: seal(240) }, () => {});

  assert.deepEqual(asked, [240]);
  assert.deepEqual([result.first, result.count], [241, 10]);
});

test("without new entries the kept seal stays the one to keep", async () => {
  const link = { sequence: 250, seal: seal(250) };

  const result = await verifyChain(logOf(250, 100).ask, link, () => {});

  assert.deepEqual([result.first, result.count, result.link], [null, 0, link]);
});

test("a break ends the verification, without a seal to keep", async () => {
  const { ask, asked } = logOf(500, 100, 150);

  const result = await verifyChain(ask, null, () => {});

  assert.deepEqual(asked, [null, 100]);
  assert.deepEqual([result.broken, result.link], [{ sequence: 150, reason: "changed" }, null]);
});

test("an empty log, and one whose beginning is cut", async () => {
  const empty = await verifyChain(logOf(0, 100).ask, null, () => {});
  const cut = await verifyChain(logOf(300, 100, null, 201).ask, null, () => {});

  assert.deepEqual([empty.count, empty.link], [0, null]);
  assert.deepEqual([cut.first, cut.count, cut.isCut], [201, 100, true]);
});

test("a log that never moves on ends", async () => {
  const stuck = { broken: null, first_sequence: 8, last_sequence: 7, last_seal: seal(7), is_complete: false, unsealed: 0, checkpoint: null };

  const result = await verifyChain(async () => stuck, { sequence: 7, seal: seal(7) }, () => {});

  assert.equal(result.count, 0);
});

test("a seal is kept as text, and read again", () => {
  const link = { sequence: 25, seal: "4fa2a17212322f978be67097b4f8254106ae1722b061dc201e5352c8b43f23f4" };

  assert.deepEqual(parseLink(linkText(link)), link);
  assert.deepEqual(parseLink(`  25  ${link.seal.toUpperCase()} `), link);
  for (const text of ["", "25", link.seal, `x:${link.seal}`, `25:${link.seal}0`]) assert.equal(parseLink(text), null, text);
});

test("filters are in the URL, and their days are the last 30 without any", () => {
  const now = new Date("2026-11-29T04:20:11Z");
  const chosen = readFilters(new URLSearchParams("outcome=refused&actor=&action=%20a.b%20&page=1"));

  assert.deepEqual(chosen, { outcome: "refused", action: "a.b" });
  assert.deepEqual(queryOf(chosen, now), { from: "2026-10-31", to: "2026-11-30", actor: null, action: "a.b", outcome: "refused" });
  assert.deepEqual(queryOf({ to: "2026-02-01" }, now).from, "2026-01-02");
  assert.deepEqual(queryOf({ from: "2026-02-01", to: "2026-02-03" }, now), { from: "2026-02-01", to: "2026-02-03", actor: null, action: null, outcome: null });
  assert.deepEqual(writeFilters(chosen), { action: "a.b", actor: null, outcome: "refused", from: null, to: null });
});

test("a chosen filter stands in words", () => {
  assert.equal(filterText("outcome", "done", [["done", "Done"]]), "Outcome: Done");
  assert.equal(filterText("action", "a.b", null), "Action: a.b");
  assert.equal(filterText("actor", "unknown", []), "Who: unknown");
});

test("pages of CSV become one file", () => {
  assert.equal(joinCsv(["a,b\r\n1,2\r\n", "a,b\r\n3,4\r\n"]), "a,b\r\n1,2\r\n3,4\r\n");
  assert.equal(joinCsv(["a,b\r\n"]), "a,b\r\n");
});

test("the end of the chain is behind pages without a seal", async () => {
  const pages = [[null, null], [null, 7], [6, 5]];
  const asked = [];
  const read = async (cursor) => {
    asked.push(cursor);
    const at = Number(cursor);
    return { data: pages[at].map((sequence) => ({ sequence })), pagination: { has_more: at < 2, next_cursor: at < 2 ? String(at + 1) : null } };
  };

  assert.equal(await findLastSealed(read), 7);
  assert.deepEqual(asked, [null, "1"]);
});

test("a log without a seal has no end", async () => {
  assert.equal(await findLastSealed(async () => ({ data: [{ sequence: null }], pagination: { has_more: false, next_cursor: null } })), null);
  assert.equal(await findLastSealed(async () => ({ data: [{ sequence: null }], pagination: { has_more: true, next_cursor: "on" } })), null);
});
