// The same GGUF through llama.cpp on the same machine: its own `llama-bench`, or npm node-llama-cpp, whose prebuilt library has the Vulkan
// back end. In a process of its own, so that neither disturbs the other's GPU.
import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const run = promisify(execFile);
const limits = { maxBuffer: 1 << 26, timeout: 900_000 };

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** What `llama-bench -o json` prints: an array with an object for each test, prompts and generation apart. */
export function parseLlamaBench(text) {
  const start = text.search(/^\[/m);
  if (start < 0) throw new Error(`llama-bench printed no JSON: ${text.slice(0, 200)}`);
  const tests = JSON.parse(text.slice(start, text.lastIndexOf("]") + 1));
  const rate = (wanted, count) => {
    const test = tests.find(wanted);
    if (test === undefined) throw new Error("llama-bench left out the prompt or the generation");
    const runs = test.samples_ts ?? [test.avg_ts];
    return { tokens: test[count], tokensPerSecond: median(runs), runs };
  };
  const [first] = tests;
  return {
    engine: `llama.cpp ${first.build_number ?? ""} ${first.build_commit ?? ""}`.trim(),
    backend: first.backends ?? "",
    device: first.gpu_info ?? "",
    prefill: rate((test) => test.n_prompt > 0 && test.n_gen === 0, "n_prompt"),
    decode: rate((test) => test.n_gen > 0 && test.n_prompt === 0, "n_gen"),
  };
}

/** What llama_node.mjs prints: one line of JSON after whatever llama.cpp logs. */
export function parseLlamaNode(text) {
  const line = text.split("\n").findLast((one) => one.startsWith("{"));
  if (line === undefined) throw new Error(`node-llama-cpp gave no result: ${text.slice(-400)}`);
  return JSON.parse(line);
}

/**
 * @param llama path of llama-bench, or a folder whose node_modules holds node-llama-cpp
 * @param model path of a GGUF file
 * @returns tokens per second of prompts and generation
 */
export async function measureLlama(llama, model, { prefillTokens, decodeTokens, runs }) {
  if (statSync(llama).isDirectory()) {
    const args = [join(here, "llama_node.mjs"), llama, model, String(prefillTokens), String(decodeTokens), String(runs)];
    return parseLlamaNode((await run(process.execPath, args, limits)).stdout);
  }
  const args = ["-m", model, "-p", prefillTokens, "-n", decodeTokens, "-r", runs, "-ngl", 99, "-o", "json"].map(String);
  return parseLlamaBench((await run(llama, args, limits)).stdout);
}
