import assert from "node:assert/strict";
import { test } from "node:test";
import { toCsv } from "../../../../functions/console/web/csv.js";

test("values with commas, quotes and lines are quoted", () => {
  assert.equal(toCsv(["a", "b"], [["x,y", 'say "hi"'], ["two\nlines", null]]), 'a,b\r\n"x,y","say ""hi"""\r\n"two\nlines",\r\n');
});

test("a spreadsheet runs no text as a formula, and numbers stay numbers", () => {
  const [row] = toCsv([], [["=1+1", "+49", "@x", "-5", -5.5, "-x", "\tx"]]).split("\r\n").slice(1);
  assert.equal(row, "'=1+1,'+49,'@x,-5,-5.5,'-x,'\tx");
});
