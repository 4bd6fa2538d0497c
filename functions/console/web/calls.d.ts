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
  /** A refused token is not renewed: for a call on which the renewal itself waits. */
  isOnce?: boolean;
}

export interface Answer {
  document: any;
  headers: Headers;
}
