// A headless Chromium over a new profile on disk, on a page that a small server of ours gives it beside the model files, and a
// sampler of the JS heaps of the page and all its workers.
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromiumArgs, findChromium } from "../scripts/find_chromium.mjs";
import { loadBenchFolder } from "./load_build.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Profiles and models lie here, on disk: a temporary folder may be in memory. */
export const cacheFolder = join(root, ".cache", "bench_load");

const staleAfterMs = 3_600_000;

/** Profiles that a run which was killed has left behind. */
export function removeProfiles() {
  if (!existsSync(cacheFolder)) return;
  for (const name of readdirSync(cacheFolder)) {
    const folder = join(cacheFolder, name);
    const stale = name.startsWith("profile-") && Date.now() - statSync(folder).mtimeMs > staleAfterMs;
    if (stale) rmSync(folder, { recursive: true, force: true });
  }
}

/** With the first two a page's clock has a resolution of 5 instead of 100 microseconds. */
const headers = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cache-control": "no-store",
};
const types = { ".html": "text/html", ".js": "text/javascript", ".gguf": "application/octet-stream" };

/** Serves the built bench, and under /models the given files with byte ranges; counts the bytes of models that it sent. */
async function startServer(models) {
  const sent = { bytes: 0, requests: 0 };
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    const model = models[path];
    const file = model ?? join(loadBenchFolder, normalize(path === "/" ? "/index.html" : path));
    if (!existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    const { size } = statSync(file);
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const start = range ? Number(range[1]) : 0;
    const end = range?.[2] ? Math.min(Number(range[2]) + 1, size) : size;
    const of = { ...headers, "content-type": types[extname(file)] ?? "text/plain", "content-length": end - start, etag: `"${size}"` };
    response.writeHead(range ? 206 : 200, range ? { ...of, "content-range": `bytes ${start}-${end - 1}/${size}` } : of);
    const body = createReadStream(file, { start, end: end - 1, highWaterMark: 1 << 20 });
    if (model !== undefined) {
      sent.requests++;
      body.on("data", (piece) => (sent.bytes += piece.length));
    }
    body.pipe(response);
    response.on("close", () => body.destroy());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { origin: `http://localhost:${server.address().port}`, sent, close };
}

/**
 * @param models paths of files by address, `{ "/models/a.gguf": "…" }`
 * @returns `{ page, version, sent, sampleHeaps, close }`; the page offers the bench as `globalThis.loadBench`
 */
export async function openLoadPage(models) {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error("no Chromium: node scripts/setup.mjs installs one");
  const { chromium } = await import("playwright-core");
  const server = await startServer(models);
  mkdirSync(cacheFolder, { recursive: true });
  const profile = mkdtempSync(join(cacheFolder, "profile-"));
  const context = await chromium.launchPersistentContext(profile, { executablePath, args: chromiumArgs });
  const close = async () => {
    await context.close();
    await server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const page = context.pages()[0] ?? (await context.newPage());
    page.setDefaultTimeout(0);
    page.on("pageerror", (error) => console.error(`page: ${error.message}`));
    page.on("console", (message) => message.type() === "error" && console.error(`page: ${message.text()}`));
    await page.goto(server.origin);
    await page.evaluate(async () => {
      globalThis.loadBench = await import(new URL("load_page.js", document.baseURI).href);
    });
    const version = context.browser()?.version() ?? "";
    return { page, version, sent: server.sent, sampleHeaps: () => sampleHeaps(context, page), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Milliseconds between two looks at the heaps. */
const sampleEveryMs = 20;

/**
 * Looks at the heaps of the page and its workers until stopped. Nothing is collected before a look, so garbage counts, and the
 * parts that a heap consists of are added up: objects, the embedder's objects, the memory of ArrayBuffers and WebAssembly.
 *
 * @returns `stop()`, which gives the samples `{ ms, page, workers }` in bytes and what the peak consisted of
 */
async function sampleHeaps(context, page) {
  const session = await context.newCDPSession(page);
  const workers = new Map();
  const waiting = new Map();
  let nextId = 1;
  session.on("Target.attachedToTarget", ({ sessionId, targetInfo }) => {
    if (targetInfo.type === "worker") workers.set(sessionId, targetInfo.title || targetInfo.url);
  });
  session.on("Target.detachedFromTarget", ({ sessionId }) => {
    workers.delete(sessionId);
    for (const one of waiting.values()) if (one.sessionId === sessionId) one.resolve(undefined);
  });
  session.on("Target.receivedMessageFromTarget", ({ message }) => {
    const { id, result } = JSON.parse(message);
    waiting.get(id)?.resolve(result);
    waiting.delete(id);
  });
  await session.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  const askWorker = (sessionId) =>
    new Promise((resolve) => {
      const id = nextId++;
      waiting.set(id, { sessionId, resolve });
      const message = JSON.stringify({ id, method: "Runtime.getHeapUsage" });
      session.send("Target.sendMessageToTarget", { sessionId, message }).catch(() => resolve(undefined));
    });
  const samples = [];
  const startedAt = performance.now();
  const stopping = new AbortController();
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      const asked = performance.now();
      const [own, ...others] = await Promise.all([session.send("Runtime.getHeapUsage"), ...[...workers.keys()].map(askWorker)]);
      const ofWorkers = others.filter((usage) => usage !== undefined);
      samples.push({ ms: performance.now() - startedAt, tookMs: performance.now() - asked, page: own, workers: ofWorkers });
      await new Promise((resolve) => setTimeout(resolve, sampleEveryMs));
    }
  })();
  return async () => {
    stopping.abort();
    await loop;
    await session.detach();
    return samples;
  };
}

const bytesOf = (usage) => usage.usedSize + (usage.embedderHeapUsedSize ?? 0) + (usage.backingStorageSize ?? 0);

const total = ({ page, workers }) => [page, ...workers].reduce((sum, usage) => sum + bytesOf(usage), 0);

/** The largest sum of page and workers, what it consisted of, and how closely it was looked. */
export function peakOf(samples) {
  const peak = samples.reduce((most, sample) => (total(sample) > total(most) ? sample : most));
  const longestGapMs = samples.reduce((most, { ms }, index) => Math.max(most, index === 0 ? 0 : ms - samples[index - 1].ms), 0);
  const workerPeak = Math.max(0, ...samples.flatMap(({ workers }) => workers.map(bytesOf)));
  return {
    bytes: total(peak),
    atMs: peak.ms,
    page: peak.page,
    workers: peak.workers,
    workerPeakBytes: workerPeak,
    pagePeakBytes: Math.max(...samples.map(({ page }) => bytesOf(page))),
    samples: samples.length,
    longestGapMs,
  };
}
