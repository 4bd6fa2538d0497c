// Unpacks Chromium into TMPDIR, where all programs then find it.
process.env.AWS_EXECUTION_ENV = "AWS_Lambda_nodejs24.x"; // and its shared libraries
const { default: chromium } = await import("@sparticuz/chromium");
await chromium.executablePath();
