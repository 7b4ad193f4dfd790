// Decides where the runtime works: in a worker of its own where there are workers with WebGPU, else in this thread.

import { ShaderloomError } from "../base/errors.ts";
import { startWorker } from "./start_worker.ts";
import type { StartedWorker } from "./start_worker.ts";

/** The options of `createEngine`, `estimate` and `probe` that decide. */
export interface PlaceOptions {
  readonly worker?: boolean;
  readonly gpu?: GPU;
  readonly signal?: AbortSignal;
}

/** A page without WebGPU has none in its workers either, and loading here gives the error that says so. */
function workersMayHelp(): boolean {
  return typeof Worker !== "undefined" && typeof location !== "undefined" && navigator.gpu !== undefined;
}

/** The worker, or undefined when this thread has to do. */
export async function tryWorker(options: PlaceOptions): Promise<Worker | undefined> {
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
