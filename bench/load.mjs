// `node bench/load.mjs`: how fast a stored model is loaded again, against the Cache API with equal verification, and how much of the JS
// heap a load takes. bench/README.md says what is measured. [--bytes=268435456] [--heap-bytes=1073741824] [--rounds=5]
// [--only=verified,unverified,repack,upload,heap] [--heap-tier=opfs] [--name=load]
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { measureHeap, measureWarmLoads, prepareBench, prepareModel, references, tables, tiers } from "./load_run.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const mebi = 2 ** 20;

/** From the issue. */
const goals = { opfs: 2, indexeddb: 1, heapBytes: 64 * mebi };

const titles = {
  verified: "bytes verified",
  unverified: "bytes, not verified",
  repack: "weights, without upload (verify, repack)",
  upload: "weights (verify, repack, upload)",
};

const { values: flags } = parseArgs({
  options: {
    bytes: { type: "string", default: String(256 * mebi) },
    "heap-bytes": { type: "string", default: String(1024 * mebi) },
    "heap-tier": { type: "string", default: "opfs" },
    rounds: { type: "string", default: "5" },
    only: { type: "string", default: [...Object.keys(tables), "heap"].join(",") },
    name: { type: "string", default: "load" },
  },
});

const say = (line) => console.error(`load: ${line}`);

function printTable(name, { megabytesPerSecond, reference, ratios }) {
  const cells = [...tiers, ...references].map((one) => `${one}${one === reference ? "*" : ""} ${megabytesPerSecond[one].toFixed(0)}`);
  const against = tiers.map((tier) => `${tier} / ${reference} ${ratios[tier].toFixed(2)}`);
  console.log(`${titles[name]}, MB/s: ${cells.join(", ")}\n  ${against.join(", ")}`);
}

function printPeak(name, { ms, networkBytes, peak }) {
  const parts = [peak.page, ...peak.workers].map(({ usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 }) =>
    [usedSize, embedderHeapUsedSize, backingStorageSize].map((bytes) => (bytes / mebi).toFixed(1)).join(" + "),
  );
  console.log(
    `${name}: peak ${(peak.bytes / mebi).toFixed(1)} MiB (page and worker: ${parts.join(", ")}; objects + embedder + buffers), ` +
      `${(ms / 1e3).toFixed(1)} s, ${networkBytes} bytes from the network, ${peak.samples} looks, at most ${peak.longestGapMs.toFixed(0)} ms apart`,
  );
}

async function main() {
  const only = flags.only.split(",");
  const wanted = Object.keys(tables).filter((name) => only.includes(name));
  const host = { cores: cpus().length, cpu: cpus()[0]?.model ?? "", node: process.version, loadAverage: loadavg() };
  await prepareBench();
  const report = {
    date: new Date().toISOString(),
    version: JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version,
    host,
    goals,
  };
  if (wanted.length > 0) {
    const path = await prepareModel(Number(flags.bytes));
    report.warm = await measureWarmLoads({ path, rounds: Number(flags.rounds), only: wanted, say });
    console.log(`${report.warm.fileBytes} bytes, ${report.warm.browser}, medians of ${flags.rounds}; * is the reference`);
    for (const name of wanted) printTable(name, report.warm.tables[name]);
  }
  if (only.includes("heap")) {
    const path = await prepareModel(Number(flags["heap-bytes"]));
    report.heap = { fileBytes: statSync(path).size, ...(await measureHeap({ path, tier: flags["heap-tier"], say })) };
    console.log(`JS heap while a model of ${report.heap.fileBytes} bytes is loaded (${flags["heap-tier"]}):`);
    for (const name of ["cold", "warm"]) printPeak(name, report.heap[name]);
  }
  const verified = report.warm?.tables.verified?.ratios;
  report.reached = {
    ...(verified ? { opfs: verified.opfs >= goals.opfs, indexeddb: verified.indexeddb >= goals.indexeddb } : {}),
    ...(report.heap ? { heap: Math.max(report.heap.cold.peak.bytes, report.heap.warm.peak.bytes) < goals.heapBytes } : {}),
  };
  console.log(`reached: ${JSON.stringify(report.reached)}`);
  const file = join(root, "bench", "results", `${flags.name}.json`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
  console.log(file);
}

await main();
