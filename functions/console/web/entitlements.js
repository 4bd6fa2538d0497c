/** The entitlements of an organization in words. */

import { formatDays, formatNumber } from "./format.js";

/** @typedef {{ name: string, title: string, unit: "count" | "GiB" | "days" | "feature" }} Entitlement */

/** @type {Entitlement[]} */
export const ENTITLEMENTS = [
  { name: "events_per_month", title: "Events a month", unit: "count" },
  { name: "api_requests_per_minute", title: "Requests a minute", unit: "count" },
  { name: "ingest_requests_per_minute", title: "Requests of write keys a minute", unit: "count" },
  { name: "ml_predictions_per_month", title: "Predictions a month", unit: "count" },
  { name: "storage_gb", title: "Storage", unit: "GiB" },
  { name: "users", title: "Members", unit: "count" },
  { name: "apps", title: "Apps", unit: "count" },
  { name: "data_retention_days", title: "Events are kept", unit: "days" },
  { name: "audit_retention_days", title: "The audit log is kept", unit: "days" },
  { name: "white_label", title: "Own branding", unit: "feature" },
  { name: "sso", title: "Single sign-on", unit: "feature" },
  { name: "custom_models", title: "Custom models", unit: "feature" },
];

/**
 * Return what an organization may use of an entitlement. Null is unlimited.
 * @param {Entitlement} entitlement
 * @param {Record<string, number | boolean | null>} entitlements
 */
export function describeEntitlement({ name, unit }, entitlements) {
  const value = entitlements[name];
  if (value === undefined) return "–";
  if (typeof value === "boolean") return value ? "Included" : "Not included";
  if (value === null) return "Unlimited";
  if (unit === "days") return formatDays(value);
  return unit === "GiB" ? `${formatNumber(value)} GiB` : formatNumber(value);
}
