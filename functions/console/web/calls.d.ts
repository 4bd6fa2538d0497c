/** The parameters and results of api.js. Browsers never load this file. */

export interface Call {
  body?: unknown;
  query?: Record<string, string | number | null | undefined>;
  signal?: AbortSignal;
  /** No access token is sent. */
  isPublic?: boolean;
  /** The cache of the browser is passed by, and gets the answer. */
  isFresh?: boolean;
  idempotencyKey?: string;
}

export interface Answer {
  document: any;
  headers: Headers;
}
