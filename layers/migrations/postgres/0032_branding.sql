-- The branding of an organization (docs/decisions/0073-branding.md). Null is not set. Colors are #rrggbb.
CREATE TABLE tenant_branding (
    organization_id uuid NOT NULL REFERENCES organizations (id),
    primary_color text CHECK (length(primary_color) = 7 AND primary_color ~ '^#[0-9a-f]{6}$'),
    secondary_color text CHECK (length(secondary_color) = 7 AND secondary_color ~ '^#[0-9a-f]{6}$'),
    accent_color text CHECK (length(accent_color) = 7 AND accent_color ~ '^#[0-9a-f]{6}$'),
    css_variables jsonb NOT NULL CHECK (jsonb_typeof(css_variables) = 'object'),
    sender_name text CHECK (length(sender_name) BETWEEN 1 AND 64),
    sender_address text CHECK (length(sender_address) <= 254),
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id)
);

-- The images of a branding, as they are served. The digest is the SHA-256 of the content, and part of its URL.
CREATE TABLE branding_images (
    organization_id uuid NOT NULL REFERENCES organizations (id),
    slot text NOT NULL CHECK (slot = ANY (ARRAY['logo', 'favicon'])),
    digest bytea NOT NULL CHECK (length(digest) = 32),
    media_type text NOT NULL CHECK (media_type = ANY (ARRAY['image/png', 'image/jpeg', 'image/webp'])),
    content bytea NOT NULL CHECK (length(content) BETWEEN 1 AND 102400),
    stored_at timestamptz NOT NULL,
    removed_at timestamptz,
    PRIMARY KEY (organization_id, slot)
);

ALTER TABLE tenant_branding ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant_branding FORCE ROW LEVEL SECURITY;
ALTER TABLE branding_images ENABLE ROW LEVEL SECURITY;
ALTER TABLE branding_images FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_isolation ON tenant_branding TO tenancy_functions, tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY tenant_isolation ON branding_images TO tenancy_functions, tenancy_platform
    USING (organization_id = (SELECT current_tenant())) WITH CHECK (organization_id = (SELECT current_tenant()));
CREATE POLICY only_ending ON tenant_branding AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (organization_id = (SELECT current_tenant()) AND (SELECT is_ending((SELECT current_tenant()))));
-- An image is marked before its row is deleted.
CREATE POLICY only_ending ON branding_images AS RESTRICTIVE FOR DELETE TO tenancy_platform
    USING (
        organization_id = (SELECT current_tenant())
        AND (removed_at IS NOT NULL OR (SELECT is_ending((SELECT current_tenant()))))
    );

GRANT SELECT ON tenant_branding, branding_images TO tenancy_functions; -- for exports
GRANT SELECT, INSERT, DELETE ON tenant_branding, branding_images TO tenancy_platform;
GRANT UPDATE (primary_color, secondary_color, accent_color, css_variables, sender_name, sender_address, updated_at)
    ON tenant_branding TO tenancy_platform;
GRANT UPDATE (digest, media_type, content, stored_at, removed_at) ON branding_images TO tenancy_platform;

-- Images are compressed already.
ALTER TABLE branding_images ALTER COLUMN content SET STORAGE EXTERNAL;
-- No values in pg_statistic, as in 0013.
ALTER TABLE tenant_branding
    ALTER COLUMN primary_color SET STATISTICS 0, ALTER COLUMN secondary_color SET STATISTICS 0,
    ALTER COLUMN accent_color SET STATISTICS 0, ALTER COLUMN css_variables SET STATISTICS 0,
    ALTER COLUMN sender_name SET STATISTICS 0, ALTER COLUMN sender_address SET STATISTICS 0;
ALTER TABLE branding_images
    ALTER COLUMN digest SET STATISTICS 0, ALTER COLUMN media_type SET STATISTICS 0,
    ALTER COLUMN content SET STATISTICS 0;
