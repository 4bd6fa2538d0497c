/** The roles, and their permissions in words. */

import { h } from "../dom.js";
import { roleMeaning, roleName, ROLES } from "../roles.js";

/** Return the roles with their meanings, behind a line that opens them. */
export function roleList() {
  const rows = Object.keys(ROLES).flatMap((role) => [h("dt", {}, roleName(role)), h("dd", {}, roleMeaning(role))]);
  return h("details", {}, h("summary", {}, "What each role may do"), h("dl", { class: "facts" }, ...rows));
}
