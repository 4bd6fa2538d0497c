// The middleware that limits the requests of a minute, with rate-limiter-flexible.
import type { Context, Next } from 'hono';
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { TIER_QUOTAS } from './quotas.ts';
import { redis } from './stores.ts';
import type { Env } from './tenant.ts';

const limiters = new Map(Object.entries(TIER_QUOTAS).map(([tier, quotas]) => [
  tier,
  new RateLimiterRedis({
    storeClient: redis,
    points: quotas.api_requests_per_minute,
    duration: 60,
    blockDuration: 60,
    keyPrefix: `rate_limit_${tier}`,
  }),
]));

export async function rateLimitMiddleware(c: Context<Env>, next: Next) {
  const { organization_id, tier } = c.get('tenant');
  try {
    await limiters.get(tier)!.consume(organization_id);
  } catch (refused) {
    if (!(refused instanceof RateLimiterRes)) throw refused;
    return c.json({ error: 'Rate limit exceeded', tier, retry_after: refused.msBeforeNext / 1000 }, 429);
  }
  await next();
}
