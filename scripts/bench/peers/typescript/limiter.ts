// Consumes from rate-limiter-flexible: one line of JSON in, one out, until stdin ends.
// In: {key, limit, requests}. All requests are sent at once. Out: {admitted, milliseconds: [of each request]}.
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';

const redis = new Redis(process.env.REDIS_URL!);

for await (const line of createInterface({ input: process.stdin })) {
  const { key, limit, requests } = JSON.parse(line);
  const limiter = new RateLimiterRedis({ storeClient: redis, points: limit, duration: 60, keyPrefix: 'flexible' });
  let admitted = 0;
  const milliseconds = [];
  for (let number = 0; number < requests; number++) {
    const started = performance.now();
    await limiter.consume(key).then(() => { admitted += 1; }, () => undefined);
    milliseconds.push(performance.now() - started);
  }
  console.log(JSON.stringify({ admitted, milliseconds }));
}
redis.disconnect();
