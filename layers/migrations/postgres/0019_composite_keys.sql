-- Every tenant table has a primary key that begins with its organization (docs/decisions/0047-composite-keys.md). The
-- replica identity of a table is its primary key, so it contains the organization as well.
--
-- Each table is locked until the migrations commit. New indexes take the most time. On a large database the operator
-- makes them before the deploy (docs/operations.md, "Upgrade a database with many rows"). The tables that each request
-- reads come last, so that they are locked for the shortest time. The rows of the three foreign keys are not read
-- again: they satisfied the same keys until here.
DO $$
DECLARE
    invalid text := (
        SELECT string_agg(indexrelid::regclass::text, ', ') FROM pg_index
        WHERE NOT indisvalid AND indrelid = ANY (
            ARRAY['audit_log', 'audit_refusals', 'usage_ledger', 'tenant_usage']::regclass[]
        )
    );
BEGIN
    IF invalid IS NOT NULL THEN
        RAISE EXCEPTION 'These indexes are invalid: %. Drop them, and make them again.', invalid;
    END IF;
END
$$;

-- audit_log_id_key and audit_refusals_id_key are for functions of the release before, whose ON CONFLICT (id) needs
-- them. The next release drops both; a test in tests/isolation demands it.
ALTER TABLE audit_people DROP CONSTRAINT audit_people_record_fkey;
ALTER TABLE audit_log DROP CONSTRAINT audit_log_pkey, DROP CONSTRAINT audit_log_organization_id_id_key;
CREATE UNIQUE INDEX IF NOT EXISTS audit_log_composite_key ON audit_log (organization_id, id);
CREATE UNIQUE INDEX IF NOT EXISTS audit_log_id_key ON audit_log (id);
ALTER TABLE audit_log ADD CONSTRAINT audit_log_pkey PRIMARY KEY USING INDEX audit_log_composite_key;
ALTER TABLE audit_people
    ADD CONSTRAINT audit_people_record_fkey FOREIGN KEY (organization_id, record_id)
        REFERENCES audit_log (organization_id, id) ON DELETE CASCADE;

ALTER TABLE usage_ledger DROP CONSTRAINT usage_ledger_pkey;
CREATE UNIQUE INDEX IF NOT EXISTS usage_ledger_composite_key ON usage_ledger (organization_id, id);
ALTER TABLE usage_ledger ADD CONSTRAINT usage_ledger_pkey PRIMARY KEY USING INDEX usage_ledger_composite_key;

ALTER TABLE audit_refusals DROP CONSTRAINT audit_refusals_pkey;
CREATE UNIQUE INDEX IF NOT EXISTS audit_refusals_composite_key ON audit_refusals (organization_id, id);
CREATE UNIQUE INDEX IF NOT EXISTS audit_refusals_id_key ON audit_refusals (id);
ALTER TABLE audit_refusals ADD CONSTRAINT audit_refusals_pkey PRIMARY KEY USING INDEX audit_refusals_composite_key;
DROP INDEX audit_refusals_organization_id; -- the primary key begins with the same column

ALTER TABLE tenant_usage
    DROP CONSTRAINT tenant_usage_pkey, DROP CONSTRAINT tenant_usage_organization_id_metric_date_key;
CREATE UNIQUE INDEX IF NOT EXISTS tenant_usage_composite_key ON tenant_usage (organization_id, metric_date);
ALTER TABLE tenant_usage ADD CONSTRAINT tenant_usage_pkey PRIMARY KEY USING INDEX tenant_usage_composite_key;

ALTER TABLE usage_reservations
    DROP CONSTRAINT usage_reservations_pkey, DROP CONSTRAINT usage_reservations_organization_id_id_key,
    ADD CONSTRAINT usage_reservations_pkey PRIMARY KEY (organization_id, id);
ALTER TABLE tier_changes
    DROP CONSTRAINT tier_changes_pkey, ADD CONSTRAINT tier_changes_pkey PRIMARY KEY (organization_id, id);
ALTER TABLE deletion_certificates
    DROP CONSTRAINT deletion_certificates_pkey,
    ADD CONSTRAINT deletion_certificates_pkey PRIMARY KEY (organization_id, id);
ALTER TABLE export_files DROP CONSTRAINT export_files_export_fkey;
ALTER TABLE exports
    DROP CONSTRAINT exports_pkey, DROP CONSTRAINT exports_organization_id_id_key,
    ADD CONSTRAINT exports_pkey PRIMARY KEY (organization_id, id);
ALTER TABLE export_files
    ADD CONSTRAINT export_files_export_fkey FOREIGN KEY (organization_id, export_id)
        REFERENCES exports (organization_id, id);
ALTER TABLE erasures
    DROP CONSTRAINT erasures_pkey, ADD CONSTRAINT erasures_pkey PRIMARY KEY (organization_id, id);
ALTER TABLE outbox
    DROP CONSTRAINT outbox_pkey, ADD CONSTRAINT outbox_pkey PRIMARY KEY (organization_id, id);
DROP INDEX outbox_organization_id; -- the primary key begins with the same column
-- A look-up table of the platform: from the Idempotency-Key of an operator's request to its organization.
ALTER TABLE provisioning_requests
    DROP CONSTRAINT provisioning_requests_pkey,
    ADD CONSTRAINT provisioning_requests_pkey PRIMARY KEY (organization_id, credential_id, key_digest),
    ADD CONSTRAINT provisioning_requests_credential_id_key_digest_key UNIQUE (credential_id, key_digest);
DROP INDEX provisioning_requests_organization_id; -- the primary key begins with the same column

ALTER TABLE users
    DROP CONSTRAINT users_pkey, DROP CONSTRAINT users_organization_id_id_key,
    ADD CONSTRAINT users_pkey PRIMARY KEY (organization_id, id);
ALTER TABLE api_keys DROP CONSTRAINT api_keys_app_fkey;
ALTER TABLE apps
    DROP CONSTRAINT apps_pkey, DROP CONSTRAINT apps_organization_id_id_key,
    ADD CONSTRAINT apps_pkey PRIMARY KEY (organization_id, id);
ALTER TABLE api_keys
    DROP CONSTRAINT api_keys_pkey, DROP CONSTRAINT api_keys_organization_id_id_key,
    DROP CONSTRAINT api_keys_digest_key, -- key_digests has it
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (organization_id, id),
    ADD CONSTRAINT api_keys_app_fkey FOREIGN KEY (organization_id, app_id) REFERENCES apps (organization_id, id);
-- organization_names has them. They keep their names, because functions of the release before know the refusal of a
-- subdomain by the name.
ALTER TABLE organizations
    DROP CONSTRAINT organizations_subdomain_key, DROP CONSTRAINT organizations_subdomain_skeleton_key,
    DROP CONSTRAINT organizations_gateway_key_key;

-- Look-up tables of the platform: values that are unique among all organizations, and their organization. Triggers
-- write them in the transaction of the row that they point to, in functions of either release.
CREATE TABLE key_digests (
    organization_id uuid NOT NULL,
    key_id uuid NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (organization_id, key_id),
    CONSTRAINT key_digests_digest_key UNIQUE (digest)
);
-- The remnant of an erased organization is not listed: its own id takes the place of its names.
CREATE TABLE organization_names (
    organization_id uuid PRIMARY KEY,
    subdomain text NOT NULL,
    skeleton text NOT NULL,
    gateway_key text NOT NULL,
    CONSTRAINT organizations_subdomain_key UNIQUE (subdomain),
    CONSTRAINT organizations_subdomain_skeleton_key UNIQUE (skeleton),
    CONSTRAINT organizations_gateway_key_key UNIQUE (gateway_key)
);

CREATE FUNCTION list_key_digest() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM public.key_digests WHERE organization_id = OLD.organization_id AND key_id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO public.key_digests (organization_id, key_id, digest)
        VALUES (NEW.organization_id, NEW.id, NEW.digest);
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION list_organization_names() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM public.organization_names WHERE organization_id = OLD.id;
    ELSIF NEW.subdomain = NEW.id::text THEN
        DELETE FROM public.organization_names WHERE organization_id = NEW.id;
    ELSE
        INSERT INTO public.organization_names (organization_id, subdomain, skeleton, gateway_key)
        VALUES (NEW.id, NEW.subdomain, NEW.subdomain_skeleton, NEW.gateway_key)
        ON CONFLICT (organization_id) DO UPDATE SET
            subdomain = excluded.subdomain, skeleton = excluded.skeleton, gateway_key = excluded.gateway_key;
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION list_key_digest(), list_organization_names() FROM PUBLIC;
CREATE TRIGGER list_key_digest AFTER INSERT OR DELETE OR UPDATE OF organization_id, id, digest ON api_keys
    FOR EACH ROW EXECUTE FUNCTION list_key_digest();
CREATE TRIGGER list_organization_names AFTER INSERT OR DELETE OR UPDATE OF subdomain, gateway_key ON organizations
    FOR EACH ROW EXECUTE FUNCTION list_organization_names();

-- The owner sees rows only where its policies are not forced. Both tables are locked until they are forced again.
ALTER TABLE api_keys NO FORCE ROW LEVEL SECURITY;
INSERT INTO key_digests (organization_id, key_id, digest) SELECT organization_id, id, digest FROM api_keys;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
ALTER TABLE organizations NO FORCE ROW LEVEL SECURITY;
INSERT INTO organization_names (organization_id, subdomain, skeleton, gateway_key)
SELECT id, subdomain, subdomain_skeleton, gateway_key FROM organizations WHERE subdomain <> id::text;
ALTER TABLE organizations FORCE ROW LEVEL SECURITY;

ALTER TABLE key_digests ENABLE ROW LEVEL SECURITY;
ALTER TABLE key_digests FORCE ROW LEVEL SECURITY;
ALTER TABLE organization_names ENABLE ROW LEVEL SECURITY;
ALTER TABLE organization_names FORCE ROW LEVEL SECURITY;
-- As for the rows that they point to: the platform writes digests only inside the transaction of their organization.
CREATE POLICY tenant_isolation ON key_digests TO tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY platform ON organization_names TO tenancy_platform USING (true) WITH CHECK (true);
CREATE POLICY lookup ON key_digests FOR SELECT TO tenancy_lookup USING (true);
CREATE POLICY only_ending ON key_digests AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));
CREATE POLICY only_ending ON organization_names AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));
GRANT SELECT, INSERT, DELETE ON key_digests TO tenancy_platform;
GRANT SELECT, INSERT, UPDATE, DELETE ON organization_names TO tenancy_platform;
GRANT SELECT (digest, organization_id, key_id) ON key_digests TO tenancy_lookup;

-- No values in pg_statistic, as in 0013.
ALTER TABLE key_digests ALTER COLUMN digest SET STATISTICS 0;
ALTER TABLE organization_names
    ALTER COLUMN subdomain SET STATISTICS 0, ALTER COLUMN skeleton SET STATISTICS 0,
    ALTER COLUMN gateway_key SET STATISTICS 0;
