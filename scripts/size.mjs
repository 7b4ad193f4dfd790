// Prints what the package weighs, gzipped, and fails when the runtime outgrows its budget.
// The runtime is what index.js, worker.js and the engine that either of them starts pull in, and the shaders of one class of devices: a
// device is a GPU or a CPU driver, never both, so the larger of the two counts, with what they share. Listed apart are what every load
// fetches while it gets a device and a header (what checks and races kernels, reads weights, makes text), and chunks that not every model or
// adapter needs (its kind of tokenizer and of file, its formats, chat templates, downloads and their store, the shaders of the int8 class and of matrix hardware, the CPU sampler).
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { root } from "./setup.mjs";

const budget = 90 * 1024;
const lib = join(root, "dist", "lib");

/** Follows `import … from "./x.js"` and `import "./x.js"`, but not `import("./x.js")`. */
function followStatic(file, seen) {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const match of readFileSync(file, "utf8").matchAll(/(?:\bfrom|\bimport|\bexport\s*\*\s*from)\s*["'](\.[^"']+)["']/g)) {
    followStatic(normalize(join(dirname(file), match[1])), seen);
  }
  return seen;
}

const zipped = (file) => gzipSync(readFileSync(file), { level: 9 }).byteLength;
const kilobytes = (bytes) => `${(bytes / 1024).toFixed(1)} KB`;
const name = (file) => relative(lib, file);

const loads = {
  page: followStatic(join(lib, "index.js"), new Set()),
  worker: followStatic(join(lib, "worker.js"), new Set()),
  engine: followStatic(join(lib, "chunks", "engine_api.js"), new Set()),
};
const sum = (files) => [...files].reduce((bytes, file) => bytes + zipped(file), 0);
const shaders = (...parts) => new Set(parts.map((part) => join(lib, "chunks", `${part}_shaders.js`)));
const classes = [shaders("shared", "gpu"), shaders("shared", "cpu")].toSorted((a, b) => sum(b) - sum(a));
loads.shaders = classes[0];
const runtime = new Set(Object.values(loads).flatMap((files) => [...files]));
const checks = followStatic(join(lib, "chunks", "self_test.js"), followStatic(join(lib, "chunks", "load_parts.js"), new Set()));
const beside = [...checks].filter((file) => !runtime.has(file));
const lazy = readdirSync(lib, { recursive: true })
  .map((file) => join(lib, String(file)))
  .filter((file) => file.endsWith(".js") && !runtime.has(file) && !beside.includes(file));

const total = sum(runtime);
for (const [where, files] of Object.entries(loads)) {
  console.log(`${where}: ${kilobytes(sum(files))} gzipped (${[...files].map(name).join(", ")})`);
}
console.log(`beside the header: ${kilobytes(sum(beside))} gzipped (${beside.map(name).join(", ")})`);
for (const file of lazy) console.log(`lazy: ${kilobytes(zipped(file))} gzipped (${name(file)})`);
console.log(`runtime: ${kilobytes(total)} of ${kilobytes(budget)} gzipped`);
if (total > budget) {
  console.error("The runtime is over its budget: move what is not always needed behind a lazy import.");
  process.exitCode = 1;
}
