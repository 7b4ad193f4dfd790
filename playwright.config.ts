// End-to-end tests of the built page and the packed package, in the Chromium that scripts/find_chromium.mjs finds.
// `e2e` is part of `npm test`; `perf` wants an idle machine and runs alone.
import { defineConfig, type PlaywrightTestConfig } from "@playwright/test";
import { chromiumArgs, findChromium } from "./scripts/find_chromium.mjs";
import { importShaders } from "./scripts/wgsl_modules.mjs";

importShaders();

/** Not `npm start`'s, so that tests run beside it. */
const PORT = 4893;
const executablePath = findChromium();

const config: PlaywrightTestConfig = defineConfig({
  testDir: "e2e",
  outputDir: "test-results",
  workers: 1,
  retries: 0,
  /** Software adapters are slow to compile the model's pipelines. */
  timeout: 120_000,
  expect: { timeout: 30_000 },
  reporter: "list",
  use: {
    baseURL: `http://localhost:${PORT}/`,
    launchOptions: { ...(executablePath === undefined ? {} : { executablePath }), args: chromiumArgs },
  },
  projects: [
    { name: "e2e", testIgnore: "perf.spec.ts" },
    { name: "perf", testMatch: "perf.spec.ts", timeout: 600_000 },
  ],
  webServer: { command: `node scripts/serve.mjs ${PORT}`, url: `http://localhost:${PORT}/`, reuseExistingServer: false },
});

export default config;
