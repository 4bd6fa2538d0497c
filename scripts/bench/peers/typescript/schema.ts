// The tables of schema.sql, as drizzle queries them.
import { bigint, date, pgTable, unique, uuid, varchar } from 'drizzle-orm/pg-core';

export const organizations = pgTable('organizations', {
  id: uuid('id').primaryKey(),
  name: varchar('name', { length: 255 }).notNull(),
  subdomain: varchar('subdomain', { length: 63 }).notNull().unique(),
  tier: varchar('tier', { length: 50 }).notNull(),
  status: varchar('status', { length: 50 }).notNull(),
});

export const users = pgTable('users', {
  id: uuid('id').primaryKey(),
  organization_id: uuid('organization_id').notNull(),
  email: varchar('email', { length: 255 }).notNull(),
  role: varchar('role', { length: 50 }).notNull(),
}, (table) => [unique().on(table.organization_id, table.email)]);

export const tenantUsage = pgTable('tenant_usage', {
  organization_id: uuid('organization_id').notNull(),
  metric_date: date('metric_date').notNull(),
  events_count: bigint('events_count', { mode: 'number' }).notNull().default(0),
  api_requests_count: bigint('api_requests_count', { mode: 'number' }).notNull().default(0),
}, (table) => [unique().on(table.organization_id, table.metric_date)]);

export type Organization = typeof organizations.$inferSelect;
export type User = typeof users.$inferSelect;
