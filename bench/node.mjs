// Runs the built bench in Node on Dawn (npm `webgpu`), on whatever Vulkan adapter there is or on one of the software drivers.
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { findLavapipe, findSwiftshader } from "../scripts/find_vulkan.mjs";
import { benchFolder } from "./build.mjs";

const drivers = { lavapipe: findLavapipe, swiftshader: findSwiftshader };
const marker = "SHADERLOOM_BENCH_DRIVER";

/**
 * The loader reads a driver's variables when a process starts, so a named driver needs another process.
 * @returns the exit status of that process, or undefined when this one is it
 */
export function respawnOn(driver) {
  if (driver === "any" || driver === "gpu" || process.env[marker] === driver) return undefined;
  const find = drivers[driver];
  if (find === undefined) throw new Error(`no driver ${driver}: any, gpu, ${Object.keys(drivers).join(", ")}`);
  const { env, reason } = find();
  if (env === undefined) throw new Error(reason);
  const done = spawnSync(process.execPath, process.argv.slice(1), { stdio: "inherit", env: { ...process.env, ...env, [marker]: driver } });
  return done.status ?? 1;
}

/** The folder of npm `webgpu`. */
function dawnFolder() {
  const folder = process.env.GPU_BENCH_MODULES;
  if (folder !== undefined) return join(folder, "webgpu");
  return dirname(createRequire(import.meta.url).resolve("webgpu/package.json"));
}

export function dawnVersion() {
  return `npm webgpu ${JSON.parse(readFileSync(join(dawnFolder(), "package.json"), "utf8")).version}`;
}

/** From node_modules, or on a bare machine from the folder that GPU_BENCH_MODULES names. */
async function importDawn() {
  const folder = process.env.GPU_BENCH_MODULES;
  if (folder === undefined) return import("webgpu");
  return import(pathToFileURL(createRequire(join(folder, "webgpu", "package.json")).resolve("./index.js")).href);
}

/**
 * Milliseconds that this process's threads but the main one were on a core: those of a software driver, whose times others on the machine do
 * not change. Linux only.
 */
function createDriverClock() {
  const tasks = "/proc/self/task";
  // Of threads that have ended, what they had.
  const times = new Map();
  return () => {
    for (const task of readdirSync(tasks)) {
      if (task === String(process.pid)) continue;
      try {
        times.set(task, Number(readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ")[0]) / 1e6);
      } catch {
        // It ended meanwhile.
      }
    }
    return [...times.values()].reduce((sum, ms) => sum + ms, 0);
  };
}

/** As `runInBrowser`; with `clock` "cpu" times are those of a software driver's threads. */
export async function runInNode(options, say) {
  const { create, globals } = await importDawn();
  Object.assign(globalThis, globals);
  const gpu = create([]);
  // Dawn crashes the process when the object that made the devices is collected.
  globalThis.shaderloomBenchGpu = gpu;
  const { runSuite } = await import(pathToFileURL(join(benchFolder, "bench.js")).href);
  const models = options.models.map((model) => {
    return model.kind === "file" ? { ...model, bytes: new Uint8Array(readFileSync(model.path)) } : model;
  });
  const result = await runSuite(gpu, {
    ...options,
    models,
    onProgress: say,
    ...(options.clock === "cpu" ? { clock: createDriverClock() } : {}),
  });
  return { result, browser: null };
}
