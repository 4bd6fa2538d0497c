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
  session_id: string | null;
  revenue: string | null;
  currency: string | null;
  properties: Record<string, unknown>;
  user_properties: Record<string, unknown>;
}

export interface TracedEvent {
  event_id: string;
  state: "stored" | "held" | "unknown";
  reason: "quota" | "clock" | null;
  received_at: string | null;
  device_id: string | null;
  event_timestamp: string | null;
}

export interface Trace {
  events: TracedEvent[];
  queue: { age_seconds: number | null; last_stored_at: string | null };
}

export interface Member {
  id: string;
  email: string;
  name: string | null;
  role: string;
  status: "invited" | "active" | "disabled";
  created_at: string;
  last_signed_in_at: string | null;
}

export interface OrganizationDetails extends Organization {
  entitlements: Record<string, number | boolean | null>;
  key_rotation_days: number | null;
  upgrade_url?: string | null;
  created_at: string;
}

export interface Export {
  id: string;
  status: "pending" | "done" | "expired" | "withdrawn";
  requested_at: string;
  finished_at: string | null;
  expires_at: string | null;
  manifest: string | null;
}

export interface ExportFile {
  name: string;
  section: string;
  rows: number;
  bytes: number;
  sha256: string;
  url: string;
}

export interface Erasure {
  id: string;
  subject: "device_id" | "user_id";
  status: "pending" | "erased" | "confirmed";
  requested_at: string;
  erased_at: string | null;
  confirmed_at: string | null;
  events: { before: number | null; after: number | null };
  held_events: { before: number | null; after: number | null };
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
