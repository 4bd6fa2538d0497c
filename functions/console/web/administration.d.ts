/** Answers of the routes of brandings, domains, single sign-on and audit logs. Browsers never load this file. */

export interface Brand {
  logo_url: string | null;
  favicon_url: string | null;
  primary_color: string | null;
  secondary_color: string | null;
  accent_color: string | null;
  css_variables: Record<string, string>;
}

export interface StoredBranding extends Brand {
  included: boolean;
  sender_name: string | null;
  sender_address: string | null;
  sender_state: "not_set" | "domain_not_verified" | "identity_not_verified" | "unknown" | "active";
}

export interface DnsRecord {
  type: string;
  name: string;
  value: string;
}

export interface DomainRecord extends DnsRecord {
  purpose: "ownership" | "routing" | "certificate";
  found: boolean | null;
}

export interface Problem {
  code: string;
  message: string;
}

export interface CustomDomain {
  id: string;
  domain: string;
  status: "unverified" | "verified" | "active" | "failed" | "withdrawing" | "removing";
  records: DomainRecord[];
  problem: Problem | null;
  created_at: string;
  checked_at: string | null;
  next_check_at: string | null;
  verified_at: string | null;
  missing_since: string | null;
  active_at: string | null;
}

export interface EmailDomain {
  id: string;
  domain: string;
  status: "unverified" | "verified";
  record: DnsRecord;
  created_at: string;
  verified_at: string | null;
  missing_since: string | null;
  problem?: Problem | null;
}

export interface Connection {
  type: "oidc" | "saml";
  default_role: string;
  required: boolean;
  redirect_uris: string[];
  created_at: string;
  updated_at: string;
  issuer?: string;
  client_id?: string;
  callback_url?: string;
  entity_id?: string;
  sign_in_url?: string;
  certificates?: { sha256: string; expires_at: string }[];
  metadata_url?: string | null;
  service_entity_id?: string;
  acs_url?: string;
}

export interface AuditEntry {
  id: string;
  sequence: number | null;
  occurred_at: string;
  actor: { kind: string; id: string; source_address: string | null };
  action: string;
  target: string;
  outcome: "done" | "refused";
  code: string;
  count: number;
  request_id: string;
  seal: string | null;
}

export interface Verification {
  valid: boolean;
  broken: { sequence: number; reason: string } | null;
  first_sequence: number;
  last_sequence: number;
  last_seal: string;
  is_complete: boolean;
  unsealed: number;
  checkpoint: unknown;
}
