/** Calls the API. The access token is in memory only. The browser keeps the refresh token in a cookie of its own. */

import { forgetCreatedKeys } from "./created_keys.js";
import { afterOwnWrite, keepOwnWrite } from "./own_writes.js";
import { parseProblem } from "./problem.js";
import { inTurn } from "./session_lock.js";
import { ownerOf } from "./token_owner.js";

/** @typedef {import("./types.d.ts").FieldFault} FieldFault */
/** @typedef {import("./calls.d.ts").Call} Call */
/** @typedef {import("./calls.d.ts").Answer} Answer */

const UNAUTHENTICATED = 401;
export const MOST_ROWS = 2_000;
const EARLY_MS = 20_000;
const RETRIED = [429, 503];
const LONGEST_WAIT_SECONDS = 2;
/** The URL of the API, with a slash at its end. */
export const API = new URL("../", import.meta.url).href;
const WITH_COOKIE = { "X-Console": "1" };
const CONSOLE_ROUTES = ["auth/token", "auth/refresh", "auth/logout", "auth/sso/token", "users/accept"];

/** The API refused a request. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {any} problem
   * @param {string | null} requestId
   */
  constructor(status, problem, requestId) {
    super(problem.detail ?? problem.message ?? `The answer has the status ${status}.`);
    this.status = status;
    this.code = String(problem.code ?? "");
    this.problem = problem;
    this.requestId = problem.request_id ?? requestId;
    /** @type {FieldFault[]} */
    this.fields = problem.errors ?? [];
  }
}

/** The browser reached no server. */
export class OfflineError extends Error {
  constructor() {
    super("The server cannot be reached.");
  }
}

/** The session has ended, and was not renewed. */
export class SignedOutError extends Error {
  constructor() {
    super("The session has ended.");
  }
}

const state = {
  token: /** @type {string | null} */ (null),
  owner: /** @type {string | null} */ (null), // of the session, also between two tokens
  endsAt: 0,
  askToSignIn: /** @type {() => Promise<boolean>} */ (async () => false),
  renewal: /** @type {Promise<boolean> | null} */ (null),
};

/**
 * Set the question that is asked when a session has ended. It resolves to whether there is a session again.
 * @param {() => Promise<boolean>} ask
 */
export function onExpiry(ask) {
  state.askToSignIn = ask;
}

/** @param {{ access_token: string, expires_in: number } | null} tokens */
export function useTokens(tokens) {
  const owner = tokens && ownerOf(tokens.access_token);
  if (owner !== state.owner) forgetCreatedKeys();
  state.owner = owner;
  state.token = tokens?.access_token ?? null;
  state.endsAt = Date.now() + (tokens?.expires_in ?? 0) * 1_000;
}

/**
 * Call the API, and return the document of its answer, or its text if it is no JSON.
 * @param {string} method
 * @param {string} path below /v1/, without a slash at its start
 * @param {Call} [call]
 * @returns {Promise<any>}
 */
export async function request(method, path, call = {}) {
  return (await exchange(method, path, call)).document;
}

/**
 * Call the API, and return document and headers of its answer. An ended session is renewed first.
 * @param {string} method
 * @param {string} path
 * @param {Call} [call]
 * @returns {Promise<Answer>}
 */
export async function exchange(method, path, call = {}) {
  if (call.isPublic) return send(method, path, call, null);
  const isOver = !state.token || Date.now() > state.endsAt - EARLY_MS;
  if (isOver && (call.isOnce || !(await renew()))) throw new SignedOutError();
  const token = state.token;
  try {
    return await send(method, path, call, token);
  } catch (error) {
    if (call.isOnce || !(error instanceof ApiError) || error.status !== UNAUTHENTICATED) throw error;
    if (state.token === token) state.token = null;
    if (!state.token && !(await renew())) throw new SignedOutError();
    return send(method, path, call, state.token);
  }
}

/**
 * Return all rows of a list, page by page, at most MOST_ROWS and the rest of a page.
 * @template Row
 * @param {string} path
 * @param {Call} [call]
 * @returns {Promise<Row[]>}
 */
export async function requestAll(path, call = {}) {
  /** @type {Row[]} */
  const rows = [];
  for (let cursor = null; ; ) {
    const page = await request("GET", path, { ...call, query: { ...call.query, cursor } });
    rows.push(...page.data);
    cursor = page.pagination.next_cursor;
    if (!page.pagination.has_more || rows.length >= MOST_ROWS) return rows;
  }
}

/** Renew the token by the cookie, and return whether it is still that of this tab's member: all tabs share the cookie. */
export async function refreshSession() {
  return inTurn(async (signal) => {
    try {
      const { document } = await send("POST", "auth/refresh", { body: {}, signal }, null);
      if (state.owner !== null && ownerOf(document.access_token) !== state.owner) return false;
      useTokens(document);
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === UNAUTHENTICATED) return false;
      throw error;
    }
  });
}

/** Renew the session once for all calls that wait for it: by the cookie, else by the question. */
function renew() {
  state.renewal ??= (async () => (await refreshSession()) || state.askToSignIn())().finally(() => {
    state.renewal = null;
  });
  return state.renewal;
}

/**
 * Send a request. A read that the gateway throttles is sent once more.
 * @param {string} method
 * @param {string} path
 * @param {Call} call
 * @param {string | null} token
 * @param {boolean} [isRetry]
 * @returns {Promise<Answer>}
 */
async function send(method, path, call, token, isRetry = false) {
  const url = new URL(path, API);
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== null && value !== undefined) url.searchParams.set(name, String(value));
  }
  const response = await fetch(url, {
    method,
    headers: {
      ...(call.body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...(call.idempotencyKey ? { "Idempotency-Key": call.idempotencyKey } : {}),
      ...(method === "GET" ? afterOwnWrite() : {}),
      ...(CONSOLE_ROUTES.includes(path) ? WITH_COOKIE : {}),
    },
    body: call.body === undefined ? undefined : JSON.stringify(call.body),
    signal: call.signal,
    ...(call.isFresh ? { cache: "reload" } : {}),
  }).catch(refuse);
  keepOwnWrite(response.headers);
  const wait = Number(response.headers.get("Retry-After") ?? Infinity);
  if (method === "GET" && !isRetry && RETRIED.includes(response.status) && wait <= LONGEST_WAIT_SECONDS) {
    await new Promise((resolve) => setTimeout(resolve, wait * 1_000));
    return send(method, path, call, token, true);
  }
  const text = await response.text().catch(refuse);
  const isJson = response.headers.get("Content-Type")?.includes("json");
  if (response.ok) return { document: text && isJson ? JSON.parse(text) : text || null, headers: response.headers };
  throw new ApiError(response.status, parseProblem(text), response.headers.get("X-Request-Id"));
}

/**
 * Say that the server was lost, unless the page itself has stopped the request.
 * @param {Error} error
 * @returns {never}
 */
function refuse(error) {
  throw error.name === "AbortError" ? error : new OfflineError();
}
