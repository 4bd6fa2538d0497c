/** The message of an action that the API refused. */

import { ApiError, OfflineError, SignedOutError } from "../api.js";
import { toast } from "./toast.js";

/**
 * Say that an action has failed, and why.
 * @param {unknown} error
 * @param {string} outcome "Not verified"
 */
export function failureToast(error, outcome) {
  if (error instanceof SignedOutError || (error instanceof DOMException && error.name === "AbortError")) return;
  const isKnown = error instanceof ApiError || error instanceof OfflineError;
  toast(`${outcome}: ${isKnown ? error.message : "the console has failed."}`, "bad");
  if (!isKnown) throw error;
}
