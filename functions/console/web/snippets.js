/** The code that sends a first event with each SDK. docs/sdks.md has them with all calls. */

/** @typedef {{ id: string, title: string, install: string, code: (host: string, key: string) => string }} Snippet */

const HTTP = /^http:/;
const EVENT = "Signed Up";

/** @param {string} url */
function hostOf(url) {
  return url.replace(/^https?:\/\//, "");
}

/** @type {Snippet[]} */
export const SNIPPETS = [
  {
    id: "curl",
    title: "curl",
    install: "",
    code: (host, key) => `curl ${host}/v1/events \\
  -H "Authorization: Bearer ${key}" \\
  -H "Content-Type: application/json" \\
  -d '{"events": [{"event_type": "track", "event_name": "${EVENT}", "device_id": "device-1",
    "platform": "web", "event_timestamp": "'$(date -u +%FT%TZ)'"}]}'`,
  },
  {
    id: "browser",
    title: "Browser",
    install: "npm install @segment/analytics-next",
    code: (host, key) => `import { AnalyticsBrowser } from "@segment/analytics-next";

const analytics = AnalyticsBrowser.load(
  { writeKey: "${key}", cdnURL: "${host}" },
  { integrations: { "Segment.io": { apiHost: "${hostOf(host)}/v1", protocol: "${HTTP.test(host) ? "http" : "https"}" } } },
);
analytics.track("${EVENT}");`,
  },
  {
    id: "node",
    title: "Node",
    install: "npm install @segment/analytics-node",
    code: (host, key) => `import { Analytics } from "@segment/analytics-node";

const analytics = new Analytics({ writeKey: "${key}", host: "${host}" });
analytics.track({ userId: "user-1", event: "${EVENT}" });
await analytics.closeAndFlush();`,
  },
  {
    id: "node-predecessor",
    title: "Node (analytics-node)",
    install: "npm install analytics-node",
    code: (host, key) => `import Analytics from "analytics-node";

const analytics = new Analytics("${key}", { host: "${host}", path: "/v1/batch" });
analytics.track({ userId: "user-1", event: "${EVENT}" });
await analytics.flush();`,
  },
  {
    id: "rudderstack-node",
    title: "RudderStack Node",
    install: "npm install @rudderstack/rudder-sdk-node",
    code: (host, key) => `import Analytics from "@rudderstack/rudder-sdk-node";

const analytics = new Analytics("${key}", { dataPlaneUrl: "${host}" });
analytics.track({ userId: "user-1", event: "${EVENT}" });
await analytics.flush();`,
  },
  {
    id: "rudderstack-python",
    title: "RudderStack Python",
    install: "pip install rudder-sdk-python",
    code: (host, key) => `import rudderstack.analytics as analytics

analytics.write_key = "${key}"
analytics.dataPlaneUrl = "${host}"
analytics.track("user-1", "${EVENT}")
analytics.shutdown()`,
  },
  {
    id: "python",
    title: "Python",
    install: "pip install segment-analytics-python",
    code: (host, key) => `import segment.analytics as analytics

analytics.write_key = "${key}"
analytics.host = "${host}"
analytics.track("user-1", "${EVENT}")
analytics.shutdown()`,
  },
  {
    id: "openmeter",
    title: "OpenMeter",
    install: "npm install @openmeter/sdk",
    code: (host, key) => `import { OpenMeter } from "@openmeter/sdk";

const openmeter = new OpenMeter({ baseUrl: "${host}/v1", apiKey: "${key}" });
await openmeter.events.ingest({ type: "ai-tokens", subject: "user-1", data: { tokens: 7 } });`,
  },
];
