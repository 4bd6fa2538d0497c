// The middleware that verifies the token, and loads the organization and the user.
import { createSecretKey } from 'node:crypto';
import { and, eq, sql } from 'drizzle-orm';
import type { Context, Next } from 'hono';
import jwt from 'jsonwebtoken';
import { organizations, users, type Organization, type User } from './schema.ts';
import { db, required } from './stores.ts';

export interface Tenant {
  organization_id: string;
  organization: Organization;
  user: User;
  tier: string;
}

export type Env = { Variables: { tenant: Tenant } };

// With a string jsonwebtoken 9 tries to read a public key first, which takes longer than all the rest of a verification.
const secret = createSecretKey(Buffer.from(required('JWT_SECRET')));

export async function tenantMiddleware(c: Context<Env>, next: Next) {
  const token = c.req.header('Authorization')?.replace('Bearer ', '');
  if (!token) return c.json({ error: 'Authentication required' }, 401);
  const payload = jwt.verify(token, secret) as { user_id: string; organization_id: string };

  const organization = await db.query.organizations.findFirst({
    where: eq(organizations.id, payload.organization_id),
  });
  if (!organization || organization.status !== 'active') {
    return c.json({ error: 'Organization not found or inactive' }, 403);
  }
  const user = await db.query.users.findFirst({
    where: and(eq(users.id, payload.user_id), eq(users.organization_id, payload.organization_id)),
  });
  if (!user) return c.json({ error: 'User not found' }, 403);

  c.set('tenant', { organization_id: organization.id, organization, user, tier: organization.tier });
  await db.execute(sql`SELECT set_config('app.current_tenant', ${organization.id}, false)`); // for row-level security
  await next();
}
