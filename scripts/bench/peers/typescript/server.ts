// A plain server of the same data model: no queue and no cache, each step of a request after the other.
// It prints its port.
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { postEvents } from './events.ts';
import { quotaMiddleware } from './quotas.ts';
import { rateLimitMiddleware } from './rate-limit.ts';
import { tenantMiddleware, type Env } from './tenant.ts';

const app = new Hono<Env>();

app.get('/health', (c) => c.json({ status: 'ok' })); // the server without the middlewares
app.use('*', tenantMiddleware, rateLimitMiddleware, quotaMiddleware);
app.get('/tenant', (c) => c.json({ organization_id: c.get('tenant').organization_id }));
app.post('/events', postEvents);

const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, (address: AddressInfo) => {
  console.log(address.port);
});
process.stdin.resume().on('end', () => {
  server.close();
  process.exit();
});
