/** The states of a custom domain in words. Pure functions. */

/** @typedef {import("./administration.d.ts").CustomDomain} CustomDomain */
/** @typedef {import("./administration.d.ts").DomainRecord} DomainRecord */
/** @typedef {"done" | "current" | "failed" | "waiting"} StepState */
/** @typedef {{ title: string, state: StepState, text: string }} Step */

const TITLES = ["Add records", "Verified", "Certificate", "Live"];
const WAITING = "Not yet";
/** The record that a problem is about, by the beginning of its code. */
const AT_FAULT = /** @type {const} */ ({ ownership: "ownership", records: "ownership", certificate: "certificate", routing: "routing" });

/** The names that messages of the API have for parts of its answer. */
const PARTS = /** @type {Record<string, string>} */ ({ "record.name": "the name below", "record.value": "of the value below" });

/** @type {Record<DomainRecord["purpose"], { title: string, purpose: string }>} */
export const RECORDS = {
  ownership: { title: "Ownership", purpose: "Proves that the domain is yours. Keep it: the platform looks for it each week." },
  routing: { title: "Routing", purpose: "Leads requests to the platform. Create it last if the domain is in use." },
  certificate: { title: "Certificate", purpose: "Amazon issues and renews the certificate while this record is there." },
};

/**
 * Return the steps of a domain to its service, each with its state.
 * @param {CustomDomain} domain
 * @returns {Step[]}
 */
export function stepsOf(domain) {
  const at = currentStep(domain);
  const hasFailed = domain.status === "failed";
  return TITLES.map((title, index) => {
    if (index < at) return { title, state: "done", text: "Done" };
    if (index > at || isLeaving(domain)) return { title, state: "waiting", text: WAITING };
    return hasFailed ? { title, state: "failed", text: "Failed" } : { title, state: "current", text: taskOf(domain) };
  });
}

/**
 * Return the state of a domain as a badge.
 * @param {CustomDomain} domain
 * @returns {{ kind: "ok" | "warn" | "bad" | "info" | "off", text: string }}
 */
export function statusOf(domain) {
  if (domain.status === "active") {
    return domain.missing_since ? { kind: "warn", text: "Live, record missing" } : { kind: "ok", text: "Live" };
  }
  if (domain.status === "failed") return { kind: "bad", text: "Failed" };
  if (domain.status === "withdrawing") return { kind: "bad", text: "Being withdrawn" };
  if (domain.status === "removing") return { kind: "off", text: "Being removed" };
  if (domain.status === "verified") return { kind: "info", text: "Being set up" };
  return { kind: "warn", text: "Add the records" };
}

/**
 * Return the state of a record as a badge.
 * @param {DomainRecord} record
 * @param {CustomDomain} domain
 * @returns {{ kind: "ok" | "bad" | "off", text: string }}
 */
export function foundText(record, domain) {
  if (record.found === null) return { kind: "off", text: "Not looked for yet" };
  if (record.found) return { kind: "ok", text: "Found" };
  const differs = faultOf(domain) === record.purpose && domain.problem?.code.endsWith("_differs");
  return { kind: "bad", text: differs ? "Has another value" : "Not found" };
}

/**
 * Return the problem in words, or null. The names of records stand as on the page.
 * @param {{ problem?: { message: string } | null }} domain
 */
export function problemText({ problem }) {
  if (!problem) return null;
  const wordsOf = (/** @type {string} */ name) => RECORDS[/** @type {DomainRecord["purpose"]} */ (name)]?.title ?? PARTS[name] ?? name;
  return problem.message.replace(/`([^`]*)`/g, (_, name) => wordsOf(name));
}

/**
 * Return how bad the problem of a domain is. To wait for a certificate is none.
 * @param {CustomDomain} domain
 * @returns {"info" | "warn" | "bad"}
 */
export function weightOf({ status, problem }) {
  if (status === "failed") return "bad";
  return problem?.code === "certificate_pending" ? "info" : "warn";
}

/**
 * Return the purpose of the record that the problem of a domain is about, or null.
 * @param {CustomDomain} domain
 * @returns {DomainRecord["purpose"] | null}
 */
export function faultOf({ problem }) {
  const begin = problem?.code.split("_")[0] ?? "";
  return begin in AT_FAULT ? AT_FAULT[/** @type {keyof typeof AT_FAULT} */ (begin)] : null;
}

/**
 * Tell whether the platform is at work on a domain, so that its state changes without a call.
 * @param {CustomDomain} domain
 */
export function isChanging(domain) {
  return domain.status === "verified" || isLeaving(domain) || (domain.status === "unverified" && domain.next_check_at !== null);
}

/**
 * Tell whether a domain is on its way out.
 * @param {CustomDomain} domain
 */
export function isLeaving({ status }) {
  return status === "withdrawing" || status === "removing";
}

/**
 * Return the index of the step that a domain is at. All are done for an active one.
 * @param {CustomDomain} domain
 */
function currentStep(domain) {
  if (domain.status === "active") return TITLES.length;
  if (domain.verified_at === null || domain.status === "unverified" || isLeaving(domain)) return 0;
  const certificate = domain.records.find((record) => record.purpose === "certificate");
  const failed = domain.problem?.code ?? "";
  if (failed.startsWith("routing")) return TITLES.length - 1;
  if (!certificate || failed.startsWith("certificate") || certificate.found !== true) return TITLES.length - 2;
  return TITLES.length - 1;
}

/** @param {CustomDomain} domain */
function taskOf(domain) {
  const at = currentStep(domain);
  if (at === 0) return domain.checked_at ? "Waiting for the TXT record" : "Create the TXT record, then verify";
  if (domain.problem?.code === "attachment_pending") return "Being attached to the API";
  if (at === TITLES.length - 1) return "Waiting for the CNAME record for routing";
  const hasRecord = domain.records.some((record) => record.purpose === "certificate");
  return hasRecord ? "Create the CNAME record for the certificate" : "Requested from Amazon";
}
