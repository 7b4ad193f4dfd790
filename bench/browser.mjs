// Runs the built bench in a headless Chromium, on a page of its own origin that Vite serves.
import { readFileSync } from "node:fs";
import { chromiumArgs, findChromium } from "../scripts/find_chromium.mjs";
import { benchFolder } from "./build.mjs";

/** With these a page's clock has a resolution of 5 instead of 100 microseconds. */
const isolation = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/**
 * Opens the bench page.
 * @returns `{ page, version, close }`; the page offers the built bench as `globalThis.shaderloomBench`
 */
export async function openBenchPage() {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error("no Chromium: node scripts/setup.mjs installs one");
  const [{ preview }, { chromium }] = await Promise.all([import("vite"), import("playwright-core")]);
  const server = await preview({
    configFile: false,
    root: benchFolder,
    logLevel: "error",
    build: { outDir: benchFolder },
    preview: { host: "127.0.0.1", port: 0, headers: isolation },
  });
  const browser = await chromium.launch({ executablePath, args: chromiumArgs });
  const close = async () => {
    await browser.close();
    await server.close();
  };
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    page.on("pageerror", (error) => console.error(`page: ${error.message}`));
    await page.goto(`http://127.0.0.1:${server.httpServer.address().port}/`);
    await page.evaluate(async () => {
      globalThis.shaderloomBench = await import(new URL("bench.js", document.baseURI).href);
    });
    return { page, version: browser.version(), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Files cannot be handed to a page as they are: it fetches them, from a route that only this page has. */
async function offerFiles(page, models) {
  return Promise.all(
    models.map(async (model, index) => {
      if (model.kind !== "file") return model;
      const address = `/files/${index}`;
      await page.route(`**${address}`, (route) =>
        route.fulfill({ body: readFileSync(model.path), contentType: "application/octet-stream" }),
      );
      return { kind: "file", name: model.name, address };
    }),
  );
}

/**
 * @param options of bench/suite.ts, a file model with its `path` instead of bytes
 * @param say hears about progress
 */
export async function runInBrowser(options, say) {
  const { page, version, close } = await openBenchPage();
  try {
    await page.exposeFunction("benchSays", say);
    const models = await offerFiles(page, options.models);
    const result = await page.evaluate(
      async (given) => {
        const specs = given.models.map(async (model) =>
          model.kind === "file" ? { ...model, bytes: new Uint8Array(await (await fetch(model.address)).arrayBuffer()) } : model,
        );
        const suite = { ...given, models: await Promise.all(specs), onProgress: globalThis.benchSays };
        return globalThis.shaderloomBench.runSuite(navigator.gpu, suite);
      },
      { ...options, models },
    );
    return { result, browser: `Chromium ${version}` };
  } finally {
    await close();
  }
}
