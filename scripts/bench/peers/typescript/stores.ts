// The clients of the three stores.
import { createClient } from '@clickhouse/client';
import { drizzle } from 'drizzle-orm/node-postgres';
import { Redis } from 'ioredis';
import pg from 'pg';
import * as schema from './schema.ts';

export function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

export const db = drizzle(new pg.Pool({ connectionString: required('DATABASE_URL') }), { schema });
export const redis = new Redis(required('REDIS_URL'));
export const clickhouse = createClient({ url: required('CLICKHOUSE_URL') });
