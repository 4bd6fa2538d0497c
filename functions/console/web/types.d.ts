/** What the modules of the console hand to each other. Browsers never load this file. */

export interface Organization {
  id: string;
  name: string;
  subdomain: string;
  tier: string;
  status: string;
}

export interface Me {
  id: string;
  email: string;
  name: string | null;
  role: string;
  permissions: string[];
  organization: Organization;
}

export interface FieldFault {
  location: string;
  code: string;
  message: string;
}

/** A page of a list of the API. */
export interface Listed<Row> {
  data: Row[];
  pagination: { next_cursor: string | null; has_more: boolean };
}

/** What a page gets when it is shown. `signal` ends with the page. */
export interface View {
  root: HTMLElement;
  actions: HTMLElement;
  query: URLSearchParams;
  signal: AbortSignal;
  me: Me;
}

export interface Page {
  title: string;
  purpose: string;
  show(view: View): void | Promise<void>;
}

/** An entry of the navigation. `needs` is the permission without which the entry is not there. */
export interface Entry {
  name: string;
  title: string;
  letter: string;
  icon: string;
  needs: string | null;
}

export interface Quota {
  used: number;
  limit: number | null;
  remaining: number | null;
}

export interface Day {
  date: string;
  events: number;
  api_requests: number;
  ingest_requests: number;
  storage_bytes: number;
  ml_predictions: number;
  unique_users: number;
}

export interface Usage {
  organization_id: string;
  tier: string;
  period: { start: string; end: string };
  quotas: Record<string, Quota>;
  held: { count: number; reasons: Record<string, number> };
  daily: Day[];
  pagination: { next_cursor: string | null; has_more: boolean };
}

export interface App {
  id: string;
  name: string;
  platform: string;
  created_at: string;
}

export interface Key {
  id: string;
  name: string;
  prefix: string | null;
  hint: string;
  created_at: string;
  last_used_at: string | null;
  expires_at: string | null;
  replaced_by: string | null;
  status: "active" | "expiring" | "expired" | "revoked";
  type: "write" | "secret";
  app_id: string | null;
  scopes: string[];
  rotate_by: string | null;
}

export interface NewKey extends Key {
  key: string;
}

export interface StoredEvent {
  event_id: string;
  event_type: string;
  event_name: string;
  device_id: string;
  platform: string;
  event_timestamp: string;
  received_at: string;
  app_id: string | null;
}

/** What a page without a session gets. */
export interface PublicView {
  root: HTMLElement;
  query: URLSearchParams;
  signal: AbortSignal;
  brand: import("./administration.d.ts").Brand;
}

export interface PublicPage {
  title: string;
  purpose: string;
  show(view: PublicView): void | Promise<void>;
}
