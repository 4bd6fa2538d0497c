// Sends calls with unusual texts with Segment's Node SDK: node unusual.mjs HOST WRITE_KEY PATH. Prints the number of delivered calls, and the errors.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey, path] = process.argv.slice(2);
const analytics = new Analytics({ writeKey, host, path, maxEventsInBatch: 50 });
const errors = [];
let delivered = 0;
analytics.on("error", (error) => errors.push(String(error.reason ?? error.code)));
const done = (error) => { if (!error) delivered += 1; };
const unusual = ["a\u0000b", "cut \ud83d", "NaN", '"Infinity"', "\\u0000", "\u2028"];
for (const text of unusual) {
  analytics.track({ anonymousId: "device-1", event: text, properties: { [text]: text, number: NaN } }, done);
}
analytics.track({ anonymousId: "unknown", userId: "user-1", event: "Placeholder" }, done);
analytics.track({ anonymousId: "device-1", context: { device: { id: "00000000-0000-0000-0000-000000000000" } }, event: "Zeros" }, done);
await analytics.closeAndFlush({ timeout: 60000 });
console.log(JSON.stringify({ delivered, errors }));
