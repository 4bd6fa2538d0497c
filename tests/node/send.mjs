// Sends COUNT calls with Segment's Node SDK: node send.mjs HOST WRITE_KEY COUNT. Prints what came of them.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey, count] = process.argv.slice(2);
const analytics = new Analytics({ writeKey, host, maxEventsInBatch: 50 });
const errors = [];
let delivered = 0;
analytics.on("error", (error) => errors.push(String(error.reason ?? error.code)));
for (let number = 0; number < Number(count); number += 1) {
  analytics.track(
    { userId: `user-${number}`, event: "Signed Up", properties: { revenue: 1.25 } },
    (error) => { if (!error) delivered += 1; },
  );
}
await analytics.closeAndFlush({ timeout: 60000 });
console.log(JSON.stringify({ delivered, errors }));
