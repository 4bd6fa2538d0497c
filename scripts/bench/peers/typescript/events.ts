// Validate the events, ask the quota, insert, count.
import { randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { z } from 'zod';
import { checkQuota, incrementUsage } from './quotas.ts';
import { clickhouse } from './stores.ts';
import type { Env } from './tenant.ts';

const text = z.string().min(1).max(255);
const properties = z.record(z.string(), z.unknown()).default({});

const Batch = z.object({
  events: z.array(z.object({
    event_type: text,
    event_name: text,
    device_id: text,
    platform: text,
    event_timestamp: z.iso.datetime({ offset: true }),
    event_id: text.optional(),
    session_id: z.string().max(255).default(''),
    properties,
    user_properties: properties,
    revenue: z.union([z.number(), z.string().regex(/^-?\d{1,16}(\.\d+)?$/)]).default(0),
    currency: z.string().length(3).default('USD'),
  })).min(1).max(2500),
});

export async function postEvents(c: Context<Env>) {
  const { organization_id, tier } = c.get('tenant');
  const batch = Batch.safeParse(await c.req.json().catch(() => null));
  if (!batch.success) return c.json({ error: 'Invalid events', issues: batch.error.issues.slice(0, 10) }, 422);
  const { events } = batch.data;

  if (!(await checkQuota(organization_id, 'events', events.length))) {
    return c.json({ error: 'Monthly event quota exceeded', tier }, 402);
  }
  await clickhouse.insert({
    table: 'events',
    format: 'JSONEachRow',
    values: events.map((event) => ({
      ...event,
      organization_id,
      event_id: event.event_id ?? randomUUID(),
      properties: JSON.stringify(event.properties),
      user_properties: JSON.stringify(event.user_properties),
    })),
  });
  await incrementUsage(organization_id, 'events', events.length);
  return c.json({ accepted: events.length });
}
