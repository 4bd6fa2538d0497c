// Sends events with OpenMeter's Node SDK: node openmeter.mjs BASE_URL KEY < [[event, ...], ...], a call for each list.
// A call that gets no answer is made again with the same events. Prints the number of delivered events, and each refusal.
import { readFileSync } from "node:fs";
import { HTTPError, OpenMeter } from "@openmeter/sdk";

const [baseUrl, apiKey] = process.argv.slice(2);
const openmeter = new OpenMeter({ baseUrl, apiKey });
const refusals = [];
let delivered = 0;
let unanswered = 0;

async function deliver(events) {
  try {
    await openmeter.events.ingest(events.length === 1 ? events[0] : events);
    delivered += events.length;
  } catch (error) {
    if (error instanceof HTTPError) return refusals.push([error.status, error.message, error.getField("errors")]);
    unanswered += 1;
    return deliver(events);
  }
}

for (const events of JSON.parse(readFileSync(0, "utf8"))) await deliver(events);
console.log(JSON.stringify({ delivered, unanswered, refusals }));
