/** The button that saves the audit log as the API's CSV, page by page. */

import { exchange } from "../api.js";
import { joinCsv, queryOf } from "../audit_query.js";
import { button, whileBusy } from "./buttons.js";
import { saveFile } from "./csv_button.js";
import { failureToast } from "./failure_toast.js";

const CURSOR = "X-Next-Cursor";

/**
 * Return the button for all entries that the present filters select.
 * @param {() => import("../audit_query.js").Chosen} chosenOf
 * @param {AbortSignal} signal
 */
export function auditCsvButton(chosenOf, signal) {
  const save = button("CSV", { iconName: "download", label: "Save as CSV" });
  save.addEventListener("click", () => {
    void whileBusy(save, async () => {
      const query = queryOf(chosenOf(), new Date());
      const pages = /** @type {string[]} */ ([]);
      try {
        for (let cursor = /** @type {string | null} */ (null); ; ) {
          const { document: text, headers } = await exchange("GET", "audit", { query: { ...query, format: "csv", cursor }, signal });
          pages.push(text ?? "");
          cursor = headers.get(CURSOR);
          if (!cursor) break;
        }
        saveFile(`audit-${query.from}-${query.to}.csv`, joinCsv(pages));
      } catch (error) {
        failureToast(error, "Not saved");
      }
    });
  });
  return save;
}
