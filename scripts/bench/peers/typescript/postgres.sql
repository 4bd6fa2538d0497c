CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    name varchar(255) NOT NULL,
    subdomain varchar(63) UNIQUE NOT NULL,
    tier varchar(50) NOT NULL,
    status varchar(50) NOT NULL
);
CREATE TABLE users (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations,
    email varchar(255) NOT NULL,
    role varchar(50) NOT NULL,
    UNIQUE (organization_id, email)
);
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON users
    USING (organization_id = current_setting('app.current_tenant')::uuid);
CREATE TABLE tenant_usage (
    organization_id uuid NOT NULL REFERENCES organizations,
    metric_date date NOT NULL,
    events_count bigint NOT NULL DEFAULT 0,
    api_requests_count bigint NOT NULL DEFAULT 0,
    UNIQUE (organization_id, metric_date)
);
