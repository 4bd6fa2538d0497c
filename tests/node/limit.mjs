// Runs rate-limiter-flexible by a clock of our own: node limit.mjs < [{points, duration, blockDuration, times: [ms]}].
// Prints for each time what the limiter said: [admitted, remaining, ms until it begins anew].
import { readFileSync } from "node:fs";
import rateLimiterFlexible from "rate-limiter-flexible";

let clock = 0;
Date.now = () => clock;
globalThis.setTimeout = () => ({ unref() {} }); // records end by the clock, not by a timer

async function decide(limiter, time) {
  clock = time;
  try {
    const found = await limiter.consume("key");
    return [true, found.remainingPoints, found.msBeforeNext];
  } catch (found) {
    return [false, found.remainingPoints, found.msBeforeNext];
  }
}

const answers = [];
for (const { times, ...options } of JSON.parse(readFileSync(0, "utf8"))) {
  const limiter = new rateLimiterFlexible.RateLimiterMemory(options);
  const decisions = [];
  for (const time of times) decisions.push(await decide(limiter, time));
  answers.push(decisions);
}
console.log(JSON.stringify(answers));
