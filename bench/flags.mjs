// The command line of bench/run.mjs as the options of the suite. Knows names, not what they measure.
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";

/** In the order in which they are measured. */
export const sections = [
  "copy",
  "peaks",
  "ratios",
  "columns",
  "lut",
  "dispatch",
  "kernels",
  "loop",
  "steady",
  "stream",
  "neurons",
  "attention",
  "prefix",
  "sessions",
  "kv_quality",
  "kv_policies",
  "models",
  "estimate",
];

const options = {
  node: { type: "string" },
  name: { type: "string" },
  results: { type: "string" },
  // A long answer and a large model are measured when they are asked for.
  only: {
    type: "string",
    default: sections
      .filter((section) => !["steady", "stream", "neurons", "sessions", "kv_quality", "kv_policies"].includes(section))
      .join(","),
  },
  assert: { type: "boolean", default: false },
  models: { type: "string", default: "bundled,small-q4_0,small-q8_0" },
  prefill: { type: "string", default: "128" },
  decode: { type: "string", default: "64" },
  runs: { type: "string", default: "5" },
  class: { type: "string" },
  activations: { type: "string" },
  model: { type: "string" },
  type: { type: "string" },
  precision: { type: "string" },
  phase: { type: "string" },
  kernel: { type: "string" },
  shape: { type: "string" },
  batch: { type: "string" },
  rows: { type: "string" },
  past: { type: "string" },
  budget: { type: "string", default: "480" },
  least: { type: "string" },
  clock: { type: "string", default: "wall" },
  rounds: { type: "string" },
  rate: { type: "string", default: "balanced" },
  llama: { type: "string" },
  "no-build": { type: "boolean", default: false },
};

/** @throws for flags that do not exist; `--node` alone means any adapter */
export function readFlags(args) {
  return parseArgs({ options, args: args.map((argument) => (argument === "--node" ? "--node=any" : argument)) }).values;
}

function listOf(text) {
  return text.split(",").filter(Boolean);
}

function numberOf(name, text) {
  const value = Number(text);
  if (text === "" || !Number.isFinite(value) || value <= 0) throw new Error(`--${name}=${text} is no number above 0`);
  return value;
}

function shapeOf(text) {
  const [n, k, ...rest] = text.split("x").map((part) => numberOf("shape", part));
  if (k === undefined || rest.length > 0) throw new Error(`--shape=${text} is not like 4096x4096`);
  return [n, k];
}

/** `bundled`, `<shape>-<format>` or the path of a GGUF file; undefined where nothing is bundled. */
export function specOf(model, bundledModel) {
  if (model === "bundled") return existsSync(bundledModel) ? { kind: "file", name: basename(bundledModel), path: bundledModel } : undefined;
  if (model.endsWith(".gguf")) return { kind: "file", name: basename(model), path: model };
  const dash = model.lastIndexOf("-");
  if (dash < 1) throw new Error(`--models: ${model} is neither a path nor like small-q4_0`);
  return { kind: "random", shape: model.slice(0, dash), format: model.slice(dash + 1) };
}

/** Only what was asked for: the suite knows what is usual. */
function filterOf(flags) {
  const { model, type, precision, phase, kernel, shape, batch, rows, past, least, rounds } = flags;
  const timing = {
    ...(least === undefined ? {} : { leastMs: numberOf("least", least) }),
    ...(rounds === undefined ? {} : { rounds: numberOf("rounds", rounds) }),
  };
  return {
    budgetMs: numberOf("budget", flags.budget) * 1000,
    ...(model === undefined ? {} : { models: listOf(model) }),
    ...(type === undefined ? {} : { types: listOf(type) }),
    ...(precision === undefined ? {} : { precisions: listOf(precision) }),
    ...(phase === undefined ? {} : { phases: listOf(phase) }),
    ...(kernel === undefined ? {} : { kernels: listOf(kernel) }),
    ...(shape === undefined ? {} : { shapes: listOf(shape).map((one) => shapeOf(one)) }),
    ...(batch === undefined ? {} : { batches: listOf(batch).map((one) => numberOf("batch", one)) }),
    ...(rows === undefined ? {} : { prefillRows: numberOf("rows", rows) }),
    ...(past === undefined ? {} : { pastTokens: numberOf("past", past) }),
    ...(Object.keys(timing).length === 0 ? {} : { timing }),
  };
}

/** What is streamed: the first of the models and types that are named, and its store's rate, in MB/s where it is a number. */
function streamOf({ model, type, rate }) {
  const named = rate === "balanced" || rate === "free";
  const [shape = "many"] = listOf(model ?? "");
  const [format = "q4_0"] = listOf(type ?? "");
  return { shape, format, rate: named ? rate : numberOf("rate", rate) * 1e6 };
}

/** Options of bench/suite.ts, a file model with its path. */
export function suiteOptions(flags, bundledModel) {
  const only = listOf(flags.only);
  const unknown = only.find((section) => !sections.includes(section));
  if (unknown !== undefined) throw new Error(`--only: there is no ${unknown}: ${sections.join(", ")}`);
  const wantsModels = ["models", "estimate", "kv_quality"].some((section) => only.includes(section));
  const models = wantsModels ? listOf(flags.models).map((name) => specOf(name, bundledModel)) : [];
  return {
    sections: only,
    kernels: filterOf(flags),
    models: models.filter((spec) => spec !== undefined),
    prefillTokens: numberOf("prefill", flags.prefill),
    decodeTokens: numberOf("decode", flags.decode),
    runs: numberOf("runs", flags.runs),
    ...(only.includes("stream") ? { stream: streamOf(flags) } : {}),
    ...(flags.class ? { deviceClass: flags.class } : {}),
    ...(flags.activations ? { activations: flags.activations } : {}),
  };
}
