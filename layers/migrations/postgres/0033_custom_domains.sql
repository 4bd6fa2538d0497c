-- Custom domains of organizations (docs/decisions/0075-custom-domains.md). A claim is proven by a TXT record with its
-- token: of a proven domain verified_at is not null. Resources in AWS exist only while a claim is proven, and are named
-- by its id. An execution of the state machine works on one attempt of a claim. work_at is the time from which the sweep
-- starts another one, null if there is nothing to do. At deadline_at the present stage fails. checked_at is the time of
-- the last look at the records. check_at is the time of the next weekly check of the proof, null while the resources
-- are removed. refusals is the number of refusals of AWS in a row, and no attempt begins before retry_at. expiring_since
-- is the time of the first weekly check that saw a certificate that is not renewed. withdrawn_at is the time of a
-- withdrawal, null after the next proof.
CREATE TABLE custom_domains (
    organization_id uuid NOT NULL REFERENCES organizations (id),
    domain text NOT NULL CHECK (length(domain) BETWEEN 3 AND 253 AND domain = lower(domain)),
    id uuid NOT NULL,
    token text NOT NULL CHECK (length(token) <= 100),
    status text NOT NULL DEFAULT 'unverified'
        CHECK (status IN ('unverified', 'verified', 'active', 'failed', 'withdrawing', 'removing')),
    attempt integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    created_at timestamptz NOT NULL,
    work_at timestamptz,
    deadline_at timestamptz,
    checked_at timestamptz,
    ownership_problem text
        CHECK (ownership_problem IN ('no_record', 'other_records', 'no_dns_answer', 'not_in_tier')),
    routing_problem text CHECK (routing_problem IN ('no_record', 'other_records', 'no_dns_answer')),
    failure text CHECK (
        failure IN (
            'records_missing', 'domain_taken', 'certificate_limit', 'certificate_refused', 'certificate_timed_out',
            'attachment_refused', 'no_capacity', 'set_up_timed_out', 'routing_missing'
        )
    ),
    refusals integer NOT NULL DEFAULT 0 CHECK (refusals >= 0),
    retry_at timestamptz,
    verified_at timestamptz,
    check_at timestamptz,
    missing_since timestamptz,
    certificate_arn text CHECK (length(certificate_arn) <= 2048),
    validation_name text CHECK (length(validation_name) <= 1000),
    validation_value text CHECK (length(validation_value) <= 1000),
    issued_at timestamptz,
    attached_at timestamptz,
    active_at timestamptz,
    expiring_since timestamptz,
    withdrawn_at timestamptz,
    PRIMARY KEY (organization_id, domain),
    CONSTRAINT custom_domains_id_key UNIQUE (organization_id, id),
    CONSTRAINT custom_domains_proven CHECK (
        CASE status
            WHEN 'unverified' THEN verified_at IS NULL
            WHEN 'failed' THEN true
            ELSE verified_at IS NOT NULL
        END
        AND (check_at IS NULL OR verified_at IS NOT NULL)
        AND (missing_since IS NULL OR verified_at IS NOT NULL)
    ),
    CONSTRAINT custom_domains_failed CHECK ((status = 'failed') = (failure IS NOT NULL)),
    CONSTRAINT custom_domains_active CHECK (status <> 'active' OR (attached_at IS NOT NULL AND active_at IS NOT NULL))
);

-- The requests of certificates in the last 30 days. ACM counts certificates of a year for the whole account, also deleted
-- ones. So each organization has a budget, which outlives its claims.
CREATE TABLE certificate_requests (
    organization_id uuid NOT NULL REFERENCES organizations (id),
    claim_id uuid NOT NULL,
    attempt integer NOT NULL,
    requested_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, claim_id, attempt)
);

-- A look-up table of the platform: whose domain a host is, which proofs are due for a check, and which executions are
-- lost. A proven domain belongs to one organization until its resources in AWS are removed. Requests are served only
-- where is_served is true. A trigger writes it in the transaction of the row that it points to.
CREATE TABLE listed_custom_domains (
    organization_id uuid NOT NULL,
    domain text NOT NULL,
    is_proven boolean NOT NULL,
    is_served boolean NOT NULL CHECK (is_proven OR NOT is_served),
    check_at timestamptz,
    work_at timestamptz,
    PRIMARY KEY (organization_id, domain)
);
CREATE UNIQUE INDEX listed_custom_domains_proven_key ON listed_custom_domains (domain) WHERE is_proven;
CREATE INDEX listed_custom_domains_check_at ON listed_custom_domains (check_at) WHERE check_at IS NOT NULL;
CREATE INDEX listed_custom_domains_work_at ON listed_custom_domains (work_at) WHERE work_at IS NOT NULL;

CREATE FUNCTION list_custom_domain() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND NEW.domain <> OLD.domain THEN
        DELETE FROM public.listed_custom_domains WHERE organization_id = OLD.organization_id AND domain = OLD.domain;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO public.listed_custom_domains (organization_id, domain, is_proven, is_served, check_at, work_at)
        VALUES (
            NEW.organization_id, NEW.domain, NEW.verified_at IS NOT NULL, NEW.status = 'active', NEW.check_at,
            NEW.work_at
        )
        ON CONFLICT (organization_id, domain) DO UPDATE
        SET is_proven = excluded.is_proven, is_served = excluded.is_served, check_at = excluded.check_at,
            work_at = excluded.work_at;
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION list_custom_domain() FROM PUBLIC;
CREATE TRIGGER list_custom_domain AFTER INSERT OR UPDATE OR DELETE ON custom_domains
    FOR EACH ROW EXECUTE FUNCTION list_custom_domain();

ALTER TABLE custom_domains ENABLE ROW LEVEL SECURITY;
ALTER TABLE custom_domains FORCE ROW LEVEL SECURITY;
ALTER TABLE certificate_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE certificate_requests FORCE ROW LEVEL SECURITY;
ALTER TABLE listed_custom_domains ENABLE ROW LEVEL SECURITY;
ALTER TABLE listed_custom_domains FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_isolation ON custom_domains TO tenancy_functions, tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
-- The resources in AWS are removed before the row is deleted.
CREATE POLICY only_ending ON custom_domains AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (
        organization_id = (SELECT current_tenant())
        AND (verified_at IS NULL OR (SELECT is_ending((SELECT current_tenant()))))
    );
CREATE POLICY tenant_isolation ON certificate_requests TO tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY tenant_isolation ON listed_custom_domains TO tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY platform ON listed_custom_domains FOR SELECT TO tenancy_platform USING (true);
CREATE POLICY lookup ON listed_custom_domains FOR SELECT TO tenancy_lookup USING (true);
CREATE POLICY lookup ON custom_domains FOR SELECT TO tenancy_lookup USING (true);

GRANT SELECT ON custom_domains TO tenancy_functions; -- for exports
GRANT SELECT, INSERT, DELETE ON custom_domains TO tenancy_platform;
GRANT UPDATE (
    status, attempt, work_at, deadline_at, checked_at, ownership_problem, routing_problem, failure, refusals, retry_at,
    verified_at, check_at, missing_since, certificate_arn, validation_name, validation_value, issued_at, attached_at,
    active_at, expiring_since, withdrawn_at
) ON custom_domains TO tenancy_platform;
GRANT SELECT, INSERT, DELETE ON certificate_requests TO tenancy_platform;
GRANT SELECT, INSERT, DELETE ON listed_custom_domains TO tenancy_platform;
GRANT UPDATE (is_proven, is_served, check_at, work_at) ON listed_custom_domains TO tenancy_platform;
GRANT SELECT (organization_id, domain, is_served) ON listed_custom_domains TO tenancy_lookup;
GRANT SELECT (organization_id, domain, status) ON custom_domains TO tenancy_lookup;

-- The organizations that hosts belong to, before the tenant is known. The claims decide: a domain that is listed by
-- mistake is not served.
GRANT CREATE ON SCHEMA public TO tenancy_lookup; -- for the new function, taken back below
SET LOCAL ROLE tenancy_lookup; -- the owner of the look-ups
CREATE FUNCTION find_custom_domain_owners(wanted text[], OUT domain text, OUT organization_id uuid)
    RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT d.domain, d.organization_id
        FROM public.listed_custom_domains AS d
        JOIN public.custom_domains AS c ON c.organization_id = d.organization_id AND c.domain = d.domain
        WHERE d.domain = ANY (wanted) AND d.is_served AND c.status = 'active'
    $$;
REVOKE ALL ON FUNCTION find_custom_domain_owners(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_custom_domain_owners(text[]) TO tenancy_functions, tenancy_platform;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM tenancy_lookup;

-- No values in pg_statistic, as in 0013.
ALTER TABLE custom_domains
    ALTER COLUMN domain SET STATISTICS 0, ALTER COLUMN token SET STATISTICS 0,
    ALTER COLUMN certificate_arn SET STATISTICS 0, ALTER COLUMN validation_name SET STATISTICS 0,
    ALTER COLUMN validation_value SET STATISTICS 0, ALTER COLUMN ownership_problem SET STATISTICS 0,
    ALTER COLUMN routing_problem SET STATISTICS 0, ALTER COLUMN failure SET STATISTICS 0;
ALTER TABLE listed_custom_domains ALTER COLUMN domain SET STATISTICS 0;
