// `createEngine`: the engine in a worker of its own, or in this thread.

import { checkEngineOptions } from "../api/engine_options.ts";
import { askToPersist, checkEnvironment } from "../api/environment.ts";
import type { Engine, EngineOptions } from "../api/types.ts";
import { createRemoteEngine } from "./client.ts";
import { isRemote, localModel } from "./parcel.ts";
import { part } from "./part.ts";
import { tryWorker } from "./place.ts";
import { services } from "./services.ts";

/**
 * Loads a model and returns the engine that runs it.
 *
 * Runs in a worker of its own by default. Runs in this thread with `worker: false`, with `gpu` given, in Node, and where
 * workers cannot be started or have no WebGPU; `info().worker` tells which it is.
 *
 * What comes over the network is checked and stored on the way, so that the next load needs no network and an interrupted one goes on
 * where it stopped; `store` and `info().storage` say more.
 *
 * @throws {ShaderloomError} REQUEST.<option> for bad options, ENV.insecure, GPU.unavailable without WebGPU, SOURCE/NET when the file
 * cannot be read, INTEGRITY when it is not what was promised, FORMAT/UNSUPPORTED/MODEL when it is no model that can be run, GPU.oom,
 * WORKER.start when `worker: true` is impossible, AbortError
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const checked = checkEngineOptions(options);
  checkEnvironment();
  if (isRemote(checked.model) && checked.store?.mode !== "off") askToPersist();
  if (checked.kv !== undefined) (await part(import("../api/kv_option_checks.ts"))).checkKvOptions(checked.kv, checked);
  const ready = { ...checked, model: await localModel(checked) };
  const worker = await tryWorker(ready);
  return worker === undefined ? services.createEngine(ready) : createRemoteEngine(worker, ready);
}
