-- The overrides of an organization's quotas, limits and flags: {"events_per_month": 5000000, "users": "unlimited",
-- "sso": true}. The names are those of rules/tiers.py. An organization without overrides has the numbers of its tier.
ALTER TABLE organizations
    ADD COLUMN overrides jsonb NOT NULL DEFAULT '{}'
    CONSTRAINT organizations_overrides_object CHECK (jsonb_typeof(overrides) = 'object');
ALTER TABLE organizations ALTER COLUMN overrides SET STATISTICS 0;

-- The retention that an organization left, which applies for another 30 days. It is null in rows of the release before,
-- which knew no overrides: from_tier has the number. A change of the override alone has equal tiers.
ALTER TABLE tier_changes
    ADD COLUMN retention_days integer CHECK (retention_days BETWEEN 1 AND 730);
