-- E-mail domains of organizations (docs/decisions/0069-email-domains.md). A claim is proven by a TXT record with its
-- token. Of a proven domain verified_at is not null, and check_at is the time of the next check. missing_since is the
-- time of the first check since the last proof that found no record. Audit records name a claim by its id.
CREATE TABLE email_domains (
    organization_id uuid NOT NULL REFERENCES organizations (id),
    domain text NOT NULL CHECK (length(domain) BETWEEN 3 AND 253 AND domain = lower(domain)),
    id uuid NOT NULL,
    token text NOT NULL CHECK (length(token) <= 100),
    created_at timestamptz NOT NULL,
    verified_at timestamptz,
    check_at timestamptz,
    missing_since timestamptz,
    PRIMARY KEY (organization_id, domain),
    CONSTRAINT email_domains_id_key UNIQUE (organization_id, id),
    CONSTRAINT email_domains_proven CHECK (
        (verified_at IS NULL) = (check_at IS NULL) AND (missing_since IS NULL OR verified_at IS NOT NULL)
    )
);

-- A look-up table of the platform: a proven domain belongs to one organization. A trigger writes it in the transaction
-- of the row that it points to.
CREATE TABLE proven_email_domains (
    organization_id uuid NOT NULL,
    domain text NOT NULL,
    check_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, domain),
    CONSTRAINT proven_email_domains_domain_key UNIQUE (domain)
);
CREATE INDEX proven_email_domains_check_at ON proven_email_domains (check_at);

CREATE FUNCTION list_proven_domain() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR NEW.verified_at IS NULL OR NEW.domain <> OLD.domain) THEN
        DELETE FROM public.proven_email_domains WHERE organization_id = OLD.organization_id AND domain = OLD.domain;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.verified_at IS NOT NULL THEN
        INSERT INTO public.proven_email_domains (organization_id, domain, check_at)
        VALUES (NEW.organization_id, NEW.domain, NEW.check_at)
        ON CONFLICT (organization_id, domain) DO UPDATE SET check_at = excluded.check_at;
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION list_proven_domain() FROM PUBLIC;
CREATE TRIGGER list_proven_domain AFTER INSERT OR UPDATE OR DELETE ON email_domains
    FOR EACH ROW EXECUTE FUNCTION list_proven_domain();

ALTER TABLE email_domains ENABLE ROW LEVEL SECURITY;
ALTER TABLE email_domains FORCE ROW LEVEL SECURITY;
ALTER TABLE proven_email_domains ENABLE ROW LEVEL SECURITY;
ALTER TABLE proven_email_domains FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_isolation ON email_domains TO tenancy_functions, tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
-- A proof is withdrawn before its row is deleted.
CREATE POLICY only_ending ON email_domains AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (
        organization_id = (SELECT current_tenant())
        AND (verified_at IS NULL OR (SELECT is_ending((SELECT current_tenant()))))
    );
-- The platform looks up whose domain it is, and which proofs are due. It writes in the transaction of the organization.
CREATE POLICY tenant_isolation ON proven_email_domains TO tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY platform ON proven_email_domains FOR SELECT TO tenancy_platform USING (true);

GRANT SELECT ON email_domains TO tenancy_functions; -- for exports
GRANT SELECT, INSERT, DELETE ON email_domains TO tenancy_platform;
GRANT UPDATE (verified_at, check_at, missing_since) ON email_domains TO tenancy_platform;
GRANT SELECT, INSERT, DELETE ON proven_email_domains TO tenancy_platform;
GRANT UPDATE (check_at) ON proven_email_domains TO tenancy_platform;

-- No values in pg_statistic, as in 0013.
ALTER TABLE email_domains ALTER COLUMN domain SET STATISTICS 0, ALTER COLUMN token SET STATISTICS 0;
ALTER TABLE proven_email_domains ALTER COLUMN domain SET STATISTICS 0;
