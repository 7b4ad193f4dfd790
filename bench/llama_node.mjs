// One model through npm node-llama-cpp on Vulkan, tokens per second as a line of JSON. Run by llama.mjs:
// node llama_node.mjs <folder with node_modules> <model.gguf> <prompt tokens> <decode tokens> <runs>
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [given, modelPath, ...counts] = process.argv.slice(2);
const folder = resolve(given);
const [prefillTokens, decodeTokens, runs] = counts.map(Number);
const require = createRequire(join(folder, "node_modules", "node-llama-cpp", "package.json"));
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(join(folder, "node_modules", "node-llama-cpp", "dist", "index.js")).href);
const { version } = require("./package.json");

const llama = await getLlama({ gpu: "vulkan", build: "never", skipDownload: true, logLevel: LlamaLogLevel.warn });
const model = await llama.loadModel({ modelPath, gpuLayers: "max" });
const context = await model.createContext({ contextSize: prefillTokens + decodeTokens + 64, batchSize: 512, sequences: 1 });
const sequence = context.getSequence();

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const vocabulary = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
const prefill = [];
const decode = [];
for (let index = 0; index <= runs; index++) {
  await sequence.clearHistory();
  const prompt = Array.from({ length: prefillTokens }, (_, at) => (at * 7919 + index * 104_729 + 300) % (vocabulary - 8));
  const start = performance.now();
  let [first, count] = [0, 0];
  for await (const token of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    if (token === undefined) break;
    if (count === 0) first = performance.now();
    count += 1;
    if (count === decodeTokens + 1) break;
  }
  const end = performance.now();
  // The first run compiles pipelines.
  if (index === 0) continue;
  prefill.push((prefillTokens / (first - start)) * 1000);
  decode.push(((count - 1) / (end - first)) * 1000);
}
const result = {
  engine: `llama.cpp ${llama.llamaCppRelease?.release ?? ""} (node-llama-cpp ${version})`,
  backend: String(llama.gpu),
  device: (await llama.getGpuDeviceNames()).join(", ") || "no device is named: it ran on the CPU",
  prefill: { tokens: prefillTokens, tokensPerSecond: median(prefill), runs: prefill },
  decode: { tokens: decodeTokens, tokensPerSecond: median(decode), runs: decode },
};
console.log(JSON.stringify(result));
process.exit(0);
