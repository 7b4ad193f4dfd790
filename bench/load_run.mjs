// The measurements of the load bench, for the command line and for `npm run perf`: warm loads of one file from our store and from the
// Cache API, taking turns, and the peak of the JS heaps while a model is loaded by the public door.
import { spawnSync } from "node:child_process";
import { loadavg } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, openLoadPage, peakOf, removeProfiles } from "./load_browser.mjs";
import { buildLoadBench } from "./load_build.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
export const tiers = ["opfs", "indexeddb"];
/** Ways to read a file out of the Cache API; whichever is the fastest is what we are compared with. */
export const references = ["stream", "slices", "shards"];
/** Tables: what is timed, and whether chunks are checked. */
export const tables = {
  verified: { work: "read", verify: true },
  unverified: { work: "read", verify: false },
  repack: { work: "repack", verify: true },
  upload: { work: "upload", verify: true },
};

const median = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** Builds the page, and a random model of about so many bytes unless it is there. @returns its path */
export async function prepareModel(bytes) {
  const { runnerImport } = await import("vite");
  const { module } = await runnerImport(join(root, "bench", "load_model.ts"));
  const path = join(cacheFolder, `random-q8_0-${bytes}.gguf`);
  module.writeRandomModel(path, { bytes, format: "q8_0" });
  return path;
}

export async function prepareBench() {
  removeProfiles();
  await buildLoadBench();
}

/**
 * Loads a file warm from each store in turns. The system's cache of the disk is warm for all of them: each has been written a moment
 * before, and the first round is dropped.
 *
 * @returns for each table and contender MB/s of each round and their median, and the ratios of our tiers to the best reference
 */
export async function measureWarmLoads({ path, rounds, only = Object.keys(tables), say = () => undefined }) {
  const { page, version, close } = await openLoadPage({ "/models/model.gguf": path });
  try {
    await page.evaluate(() => {
      globalThis.callBench = globalThis.loadBench.startBench();
    });
    const call = (name, ...args) => page.evaluate(([what, given]) => globalThis.callBench(what, given), [name, args]);
    const { fileBytes, gpuBytes, adapter } = await call("plan", "/models/model.gguf");
    say(`keeping ${(fileBytes / 2 ** 20).toFixed(0)} MiB in the Cache API, twice`);
    await call("cache", "/models/model.gguf");
    for (const tier of tiers) {
      say(`keeping it in ${tier}`);
      await call("store", tier, "/models/model.gguf");
    }
    settle();
    const results = {};
    for (const name of only) {
      say(`${name}, ${rounds} rounds`);
      results[name] = await measureTable(call, tables[name], { rounds, fileBytes });
    }
    return { browser: `Chromium ${version}`, adapter, fileBytes, gpuBytes, rounds, tables: results };
  } finally {
    await close();
  }
}

/** What was just stored is written to the disk for some seconds yet, at the cost of whoever is timed meanwhile. */
function settle() {
  spawnSync("sync", ["-f", cacheFolder], { stdio: "ignore", timeout: 60_000 });
}

async function measureTable(call, { work, verify }, { rounds, fileBytes }) {
  const contenders = [...tiers, ...references];
  const rates = Object.fromEntries(contenders.map((name) => [name, []]));
  const loads = [];
  for (let round = 0; round <= rounds; round++) {
    loads.push(loadavg()[0]);
    for (const name of contenders) {
      const ms = await call("time", work, name, verify);
      if (round > 0) rates[name].push(fileBytes / 1e3 / ms);
    }
  }
  const medians = Object.fromEntries(contenders.map((name) => [name, median(rates[name])]));
  const reference = references.reduce((best, name) => (medians[name] > medians[best] ? name : best));
  const ratios = Object.fromEntries(tiers.map((tier) => [tier, medians[tier] / medians[reference]]));
  return { megabytesPerSecond: medians, reference, ratios, rounds: rates, loadAverages: loads };
}

/** Loads a model by `createEngine` from a server (cold) and again (warm) and looks at the heaps meanwhile. */
export async function measureHeap({ path, tier = "opfs", say = () => undefined }) {
  const { page, version, sent, sampleHeaps, close } = await openLoadPage({ "/models/model.gguf": path });
  try {
    const loads = {};
    for (const name of ["cold", "warm"]) {
      say(`loading it ${name}`);
      const before = sent.bytes;
      const stop = await sampleHeaps();
      const load = await page.evaluate(
        (store) => globalThis.loadBench.loadEngine(new URL("/models/model.gguf", document.baseURI).href, { store }),
        { tier },
      );
      const peak = peakOf(await stop());
      loads[name] = { ...load, networkBytes: sent.bytes - before, peak, loadAverage: loadavg()[0] };
    }
    return { browser: `Chromium ${version}`, tier, ...loads };
  } finally {
    await close();
  }
}
