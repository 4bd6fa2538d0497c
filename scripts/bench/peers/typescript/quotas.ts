// The quotas of the tiers, and the middleware that compares them with the month's usage in PostgreSQL.
import { and, eq, gte, sql } from 'drizzle-orm';
import type { AnyPgColumn } from 'drizzle-orm/pg-core';
import type { Context, Next } from 'hono';
import { organizations, tenantUsage } from './schema.ts';
import { db } from './stores.ts';
import type { Env } from './tenant.ts';

export interface Quotas {
  events_per_month: number;
  api_requests_per_minute: number;
}

export const TIER_QUOTAS: Record<string, Quotas> = {
  starter: { events_per_month: 1_000_000, api_requests_per_minute: 100 },
  growth: { events_per_month: 10_000_000, api_requests_per_minute: 500 },
  enterprise: { events_per_month: 100_000_000, api_requests_per_minute: 2000 },
};

const COUNTERS = { events: 'events_count', api_requests: 'api_requests_count' } as const;
type Metric = keyof typeof COUNTERS;

export async function checkQuota(organizationId: string, metric: Metric, value: number): Promise<boolean> {
  const organization = await db.query.organizations.findFirst({ where: eq(organizations.id, organizationId) });
  if (!organization) throw new Error('Organization not found');
  const quotas = TIER_QUOTAS[organization.tier];
  const usage = await getCurrentUsage(organizationId);
  return metric === 'events'
    ? usage.events_count + value <= quotas.events_per_month
    : usage.api_requests_count + value <= quotas.api_requests_per_minute * 60 * 24 * 30;
}

async function getCurrentUsage(organizationId: string) {
  const total = (column: AnyPgColumn) => sql<number>`coalesce(sum(${column}), 0)`.mapWith(Number);
  const [usage] = await db
    .select({
      events_count: total(tenantUsage.events_count),
      api_requests_count: total(tenantUsage.api_requests_count),
    })
    .from(tenantUsage)
    .where(and(
      eq(tenantUsage.organization_id, organizationId),
      gte(tenantUsage.metric_date, sql`date_trunc('month', now())::date`),
    ));
  return usage;
}

export async function incrementUsage(organizationId: string, metric: Metric, value: number) {
  const counter = COUNTERS[metric];
  await db
    .insert(tenantUsage)
    .values({ organization_id: organizationId, metric_date: sql`current_date`, [counter]: value })
    .onConflictDoUpdate({
      target: [tenantUsage.organization_id, tenantUsage.metric_date],
      set: { [counter]: sql`${tenantUsage[counter]} + ${value}` },
    });
}

export async function quotaMiddleware(c: Context<Env>, next: Next) {
  const { organization_id, tier } = c.get('tenant');
  if (!(await checkQuota(organization_id, 'api_requests', 1))) {
    return c.json({ error: 'Monthly API request quota exceeded', tier }, 402);
  }
  await next();
  await incrementUsage(organization_id, 'api_requests', 1);
}
