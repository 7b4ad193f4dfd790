// The engine in this thread: loads a session and wraps it. The worker's host and pages without worker WebGPU both run this.

import { loadSession } from "../engine/load.ts";
import { checkEngineOptions } from "./engine_options.ts";
import { createSessionEngine } from "./session_engine.ts";
import type { Engine, EngineOptions } from "./types.ts";

/**
 * Loads a model in this thread.
 *
 * @throws {ShaderloomError} REQUEST.<option>, and what `loadSession` throws
 */
export async function createLocalEngine(options: EngineOptions): Promise<Engine> {
  const { worker: _worker, ...load } = checkEngineOptions(options);
  if (load.kv !== undefined) (await import("./kv_option_checks.ts")).checkKvOptions(load.kv, load);
  return createSessionEngine(await loadSession(load));
}
