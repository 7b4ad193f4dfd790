// `createEngine`: decides where the engine runs. A worker of its own where there are workers with WebGPU, else this thread.
// The runtime itself is a lazy chunk, loaded by whichever side runs it.

import { checkEngineOptions } from "../api/engine_options.ts";
import type { Engine, EngineOptions } from "../api/types.ts";
import { ShaderloomError } from "../base/errors.ts";
import { createRemoteEngine } from "./client.ts";
import { startWorker } from "./start_worker.ts";
import type { StartedWorker } from "./start_worker.ts";

async function createHere(options: EngineOptions): Promise<Engine> {
  const { createLocalEngine } = await import("../api/engine_api.ts");
  return createLocalEngine(options);
}

/** A page without WebGPU has none in its workers either, and loading here gives the error that says so. */
function workersMayHelp(): boolean {
  return typeof Worker !== "undefined" && typeof location !== "undefined" && navigator.gpu !== undefined;
}

/** The worker, or undefined when this thread has to do. */
async function tryWorker(options: EngineOptions): Promise<Worker | undefined> {
  if (options.worker === false || options.gpu !== undefined || !workersMayHelp()) return undefined;
  let started: StartedWorker;
  try {
    started = await startWorker(options.signal);
  } catch (error) {
    const aborted = error instanceof ShaderloomError && error.code === "AbortError";
    // Asked for by name, a worker that cannot start is the caller's to know; by default the page is good enough.
    if (aborted || options.worker === true) throw error;
    return undefined;
  }
  if (started.webgpu) return started.worker;
  started.worker.terminate();
  return undefined;
}

/**
 * Loads a model and returns the engine that runs it.
 *
 * Runs in a worker of its own by default. Runs in this thread with `worker: false`, with `gpu` given, in Node, and where
 * workers cannot be started or have no WebGPU; `info().worker` tells which it is.
 *
 * @throws {ShaderloomError} REQUEST.<option> for bad options, GPU.unavailable without WebGPU, SOURCE/NET when the file cannot be read,
 * FORMAT/UNSUPPORTED/MODEL when it is no model that can be run, GPU.oom, WORKER.start when `worker: true` is impossible,
 * AbortError
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const checked = checkEngineOptions(options);
  const worker = await tryWorker(checked);
  return worker === undefined ? createHere(checked) : createRemoteEngine(worker, checked);
}
