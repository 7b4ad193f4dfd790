// The campaign serves its own pages and starts its own browsers; it needs nothing of what the end-to-end tests start.
// `npm run campaign` is the full form; with SHADERLOOM_CAMPAIGN=short it is the part of `npm test`.
import { defineConfig, type PlaywrightTestConfig } from "@playwright/test";
import { importShaders } from "../scripts/wgsl_modules.mjs";

importShaders();

const config: PlaywrightTestConfig = defineConfig({
  testDir: ".",
  outputDir: "../test-results",
  globalSetup: "./build.ts",
  ...(process.env.SHADERLOOM_CAMPAIGN === "short" ? { grep: /@short/ } : {}),
  workers: 1,
  retries: 0,
  timeout: 120_000,
  expect: { timeout: 30_000 },
  reporter: "list",
  projects: [{ name: "campaign" }],
});

export default config;
