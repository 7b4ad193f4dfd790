// `npm run bench`: builds the bench, runs it in headless Chromium (or with --node in Node), prints a table and leaves
// bench/results/<name>.json. bench/README.md says what is measured.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildBench } from "./build.mjs";
import { respawnOn, runInNode } from "./node.mjs";
import { formatReport } from "./table.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const bundledModel = join(root, "public", "models", "shaderloom-tiny.gguf");

const { values: flags } = parseArgs({
  options: {
    node: { type: "string" },
    name: { type: "string" },
    models: { type: "string", default: "bundled,small-q4_0,small-q8_0" },
    prefill: { type: "string", default: "128" },
    decode: { type: "string", default: "64" },
    runs: { type: "string", default: "5" },
    class: { type: "string" },
    activations: { type: "string" },
    only: { type: "string", default: "copy,matvec,models,estimate" },
    "no-build": { type: "boolean", default: false },
  },
  // `--node` alone means any adapter.
  args: process.argv.slice(2).map((argument) => (argument === "--node" ? "--node=any" : argument)),
});

/** `bundled`, `<shape>-<format>` or the path of a GGUF file. */
function specOf(model) {
  if (model === "bundled") return existsSync(bundledModel) ? { kind: "file", name: basename(bundledModel), path: bundledModel } : undefined;
  if (model.endsWith(".gguf")) return { kind: "file", name: basename(model), path: model };
  const [shape, format] = [model.slice(0, model.lastIndexOf("-")), model.slice(model.lastIndexOf("-") + 1)];
  return { kind: "random", shape, format };
}

function readOptions() {
  const only = flags.only.split(",");
  const names = only.includes("models") || only.includes("estimate") ? flags.models.split(",").filter(Boolean) : [];
  const models = names.map((name) => specOf(name));
  if (models.includes(undefined)) console.error("bench: public/models holds no bundled model; measuring without it");
  return {
    copy: only.includes("copy"),
    matvec: only.includes("matvec"),
    speed: only.includes("models"),
    estimate: only.includes("estimate"),
    models: models.filter((model) => model !== undefined),
    prefillTokens: Number(flags.prefill),
    decodeTokens: Number(flags.decode),
    runs: Number(flags.runs),
    ...(flags.class ? { deviceClass: flags.class } : {}),
    ...(flags.activations ? { activations: flags.activations } : {}),
  };
}

function nameOf(adapter, browser) {
  const text = `${adapter.description || adapter.architecture || adapter.vendor || "adapter"} ${browser ? "chromium" : "node"}`;
  return text
    .toLowerCase()
    .replaceAll(/\(.*?\)/g, "")
    .replaceAll(/[^a-z0-9]+/g, "_")
    .replaceAll(/^_|_$/g, "");
}

function say(line) {
  console.error(`bench: ${line}`);
}

async function main() {
  if (!flags["no-build"]) await buildBench();
  const host = { cores: cpus().length, cpu: cpus()[0]?.model ?? "", node: process.version, loadAverage: loadavg() };
  const options = readOptions();
  const runBench = flags.node === undefined ? (await import("./browser.mjs")).runInBrowser : runInNode;
  const { result, browser } = await runBench(options, say);
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const { adapter, ...measured } = result;
  const report = { version, date: new Date().toISOString(), browser, host, adapter, result: measured };
  const file = join(root, "bench", "results", `${flags.name ?? nameOf(adapter, browser)}.json`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
  console.log(formatReport(report));
  console.log(`\n${file}`);
}

const status = flags.node === undefined ? undefined : respawnOn(flags.node);
if (status === undefined) await main();
process.exit(status ?? 0);
