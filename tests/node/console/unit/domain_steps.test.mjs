import assert from "node:assert/strict";
import { test } from "node:test";
import { faultOf, foundText, isChanging, problemText, statusOf, stepsOf, weightOf } from "../../../../functions/console/web/domain_steps.js";

const TIME = "2026-11-29T04:20:11.412Z";

function domainOf(changes = {}, found = {}) {
  const record = (purpose) => ({ purpose, type: "CNAME", name: "n", value: "v", found: found[purpose] ?? null });
  const purposes = ["ownership", "routing", ..."certificate" in found ? ["certificate"] : []];
  return {
    status: "unverified",
    records: purposes.map(record),
    problem: null,
    checked_at: null,
    next_check_at: null,
    verified_at: null,
    missing_since: null,
    active_at: null,
    ...changes,
  };
}

const states = (domain) => stepsOf(domain).map((step) => step.state).join(" ");
const textAt = (domain) => stepsOf(domain).find((step) => step.state === "current").text;

test("a new claim waits for its records", () => {
  const domain = domainOf();

  assert.equal(states(domain), "current waiting waiting waiting");
  assert.equal(textAt(domain), "Create the TXT record, then verify");
  assert.equal(statusOf(domain).text, "Add the records");
  assert.equal(foundText(domain.records[0], domain).text, "Not looked for yet");
  assert.ok(!isChanging(domain));
});

test("a verified domain gets its certificate, then its traffic", () => {
  const requested = domainOf({ status: "verified", verified_at: TIME, checked_at: TIME }, { ownership: true });
  const named = domainOf({ status: "verified", verified_at: TIME }, { ownership: true, certificate: null });
  const issued = domainOf({ status: "verified", verified_at: TIME }, { ownership: true, certificate: true });

  assert.equal(states(requested), "done done current waiting");
  assert.equal(textAt(requested), "Requested from Amazon");
  assert.equal(textAt(named), "Create the CNAME record for the certificate");
  assert.equal(states(issued), "done done done current");
  assert.equal(textAt(issued), "Waiting for the CNAME record for routing");
  const attaching = { ...issued, problem: { code: "attachment_pending", message: "" } };
  assert.equal(textAt(attaching), "Being attached to the API");
  assert.ok([requested, named, issued].every(isChanging));
});

test("an active domain has all steps behind it, and says when its proof is gone", () => {
  const domain = domainOf({ status: "active", verified_at: TIME, active_at: TIME });

  assert.equal(states(domain), "done done done done");
  assert.deepEqual(statusOf(domain), { kind: "ok", text: "Live" });
  assert.equal(statusOf({ ...domain, missing_since: TIME }).kind, "warn");
});

test("a failed step is the one that its problem names", () => {
  const issued = domainOf({}, { ownership: true, certificate: true });
  const failed = (code, changes) => domainOf({ status: "failed", problem: { code, message: "" }, ...changes });

  assert.equal(states(failed("records_timed_out", {})), "failed waiting waiting waiting");
  assert.equal(states(failed("certificate_refused", { verified_at: TIME })), "done done failed waiting");
  assert.equal(states(failed("attachment_refused", { verified_at: TIME, records: issued.records })), "done done done failed");
  assert.equal(states(failed("routing_timed_out", { verified_at: TIME })), "done done done failed");
});

test("a domain on its way out is at no step", () => {
  for (const status of ["withdrawing", "removing"]) {
    assert.equal(states(domainOf({ status, verified_at: TIME })), "waiting waiting waiting waiting");
  }
});

test("a problem stands in words at its record", () => {
  const message = "The TXT record has another value than the record for `ownership`. Add one with that value.";
  const domain = domainOf({ checked_at: TIME, problem: { code: "ownership_record_differs", message } }, { ownership: false, routing: false });

  assert.equal(faultOf(domain), "ownership");
  assert.equal(foundText(domain.records[0], domain).text, "Has another value");
  assert.equal(foundText(domain.records[1], domain).text, "Not found");
  assert.equal(problemText(domain), "The TXT record has another value than the record for Ownership. Add one with that value.");
  assert.equal(problemText({ problem: { message: "No TXT record at `record.name` has the text `record.value`." } }), "No TXT record at the name below has the text of the value below.");
  assert.equal(problemText(domainOf()), null);
});

test("a failure weighs more than a record that is missing, and to wait weighs nothing", () => {
  const weights = [["failed", "routing_timed_out"], ["verified", "routing_record_missing"], ["verified", "certificate_pending"]];

  assert.deepEqual(weights.map(([status, code]) => weightOf(domainOf({ status, problem: { code, message: "" } }))), ["bad", "warn", "info"]);
});

test("problems that are about no record name none", () => {
  for (const code of ["no_dns_answer", "not_in_tier", "domain_taken"]) {
    assert.equal(faultOf(domainOf({ problem: { code, message: "" } })), null, code);
  }
});
