// Where tests run: `unit` in Node; `*.gpu.test.ts` in headless Chromium, in Node on lavapipe and, for development, in Node on SwiftShader;
// `*.browser.test.ts`, which need a browser's storage, in headless Chromium.
import { playwright } from "@vitest/browser-playwright";
import type { TestProjectInlineConfiguration, ViteUserConfig } from "vitest/config";
import { chromiumArgs, findChromium } from "./scripts/find_chromium.mjs";
import { findLavapipe, findSwiftshader, type VulkanDriver } from "./scripts/find_vulkan.mjs";
import { portableTokenizers } from "./scripts/vite_plugins.ts";
import { serveFiles } from "./src/testing/serve_files.ts";

const root = import.meta.dirname;
const gpuTests = ["src/**/*.gpu.test.ts"];
const browserTests = ["src/**/*.browser.test.ts"];
/** Software adapters compile and run slowly on small machines. */
const gpuTimeouts = { testTimeout: 120_000, hookTimeout: 120_000 };

/** Node imports packages by itself unless told to let Vite transform them. */
const inlined = { deps: { inline: ["@mlc-ai/web-tokenizers"] } };

/** Dawn in Node; LD_LIBRARY_PATH has to be there when the process starts, which `env` of a fork is. */
function dawn(name: string, driver: VulkanDriver): TestProjectInlineConfiguration {
  return {
    plugins: [portableTokenizers()],
    test: {
      name,
      include: gpuTests,
      server: inlined,
      environment: "node",
      pool: "forks",
      maxWorkers: 1,
      env: { ...driver.env, SHADERLOOM_GPU_SKIP: driver.reason ?? "" },
      ...gpuTimeouts,
    },
  };
}

function chromium(executablePath: string): TestProjectInlineConfiguration {
  return {
    plugins: [serveFiles(root)],
    /** Found during a run, they would make Vite reload the tests. */
    optimizeDeps: { include: ["@mlc-ai/web-tokenizers", "@huggingface/jinja", "hash-wasm", "idb-keyval"] },
    test: {
      name: "chromium",
      include: [...gpuTests, ...browserTests],
      ...gpuTimeouts,
      browser: {
        enabled: true,
        headless: true,
        ui: false,
        screenshotFailures: false,
        provider: playwright({ launchOptions: { executablePath, args: chromiumArgs } }),
        instances: [{ browser: "chromium" }],
      },
    },
  };
}

const unit: TestProjectInlineConfiguration = {
  plugins: [portableTokenizers()],
  test: {
    server: inlined,
    name: "unit",
    environment: "node",
    include: ["src/**/*.test.ts", "scripts/*.test.ts", "bench/*.test.ts"],
    exclude: [...gpuTests, ...browserTests],
    testTimeout: 30_000,
  },
};

const executable = findChromium();

const config: ViteUserConfig = {
  test: {
    projects: [
      unit,
      ...(executable === undefined ? [] : [chromium(executable)]),
      dawn("lavapipe", findLavapipe()),
      dawn("swiftshader", findSwiftshader()),
    ],
    fileParallelism: true,
    passWithNoTests: true,
  },
};

export default config;
