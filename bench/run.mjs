// `npm run bench`: builds the bench, runs it in headless Chromium (or with --node in Node), prints a table and leaves
// bench/results/<adapter>-<date>.json. bench/README.md says what is measured.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { benchFolder, buildBench } from "./build.mjs";
import { readFlags, suiteOptions } from "./flags.mjs";
import { measureLlama } from "./llama.mjs";
import { dawnVersion, respawnOn, runInNode } from "./node.mjs";
import { formatReport } from "./table.mjs";
import { verdictOf } from "./verdict.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const bundledModel = join(root, "public", "models", "shaderloom-tiny.gguf");
const flags = readFlags(process.argv.slice(2));

function nameOf(adapter, browser, date) {
  const text = `${adapter.description || adapter.architecture || adapter.vendor || "adapter"} ${browser ? "chromium" : "node"}`;
  const words = text
    .toLowerCase()
    .replaceAll(/\(.*?\)/g, "")
    .replaceAll(/[^a-z0-9]+/g, "_")
    .replaceAll(/^_|_$/g, "");
  return `${words}-${date.slice(0, 10)}`;
}

function say(line) {
  console.error(`bench: ${line}`);
}

/** Where llama.cpp can read a model; random ones are written. */
async function ggufOf(spec) {
  if (spec.kind === "file") return spec.path;
  const folder = join(root, ".cache", "bench_llama");
  const path = join(folder, `${spec.shape}-${spec.format}.gguf`);
  const { randomModel } = await import(pathToFileURL(join(benchFolder, "bench.js")).href);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, randomModel(spec.shape, spec.format));
  return path;
}

function faultOf(error) {
  const lines = String(error.stderr || error.message || error).split("\n");
  return lines.find((line) => /error/i.test(line))?.trim() ?? lines[0];
}

async function measurePeers(options) {
  if (flags.llama === undefined) return [];
  const peers = [];
  for (const spec of options.models) {
    const name = spec.kind === "file" ? spec.name : `random ${spec.shape} ${spec.format}`;
    say(`llama.cpp: ${name}`);
    // What was measured of ours is kept, whatever becomes of the other.
    const found = await measureLlama(flags.llama, await ggufOf(spec), options).catch((error) => ({ fault: faultOf(error) }));
    peers.push({ name, ...found });
  }
  return peers;
}

async function main() {
  const options = suiteOptions(flags, bundledModel);
  if (flags.clock !== "wall" && (flags.clock !== "cpu" || flags.node === undefined)) throw new Error("--clock=wall, or in Node cpu");
  if (!flags["no-build"]) await buildBench();
  const host = { cores: cpus().length, cpu: cpus()[0]?.model ?? "", node: process.version, loadAverage: loadavg() };
  const runBench = flags.node === undefined ? (await import("./browser.mjs")).runInBrowser : runInNode;
  const { result, browser } = await runBench({ ...options, ...(flags.clock === "wall" ? {} : { clock: flags.clock }) }, say);
  const peers = await measurePeers(options);
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const { adapter, ...measured } = result;
  const versions = { package: version, node: process.version, ...(browser ? { browser } : { dawn: dawnVersion() }) };
  const date = new Date().toISOString();
  const report = { version, versions, date, browser, host, adapter, flags, result: measured, peers };
  const name = flags.name ?? nameOf(adapter, browser, date);
  const file = join(flags.results ?? join(root, "bench", "results"), `${String(name)}.json`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(report, undefined, 1)}\n`);
  console.log(formatReport(report));
  console.log(`\n${file}`);
  if (!flags.assert) return 0;
  const failures = verdictOf(measured);
  for (const failure of failures) console.error(`bench: ${failure}`);
  return failures.length === 0 ? 0 : 1;
}

const status = (flags.node === undefined ? undefined : respawnOn(flags.node)) ?? (await main());
process.exit(status);
