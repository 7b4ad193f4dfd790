// `estimate` and `probe`: one task in a worker that ends with it, or in this thread.

import { checkEnvironment } from "../api/environment.ts";
import type { AdapterProbe, Estimate, EstimateOptions, ProbeOptions } from "../api/types.ts";
import { ask, connect, malformedError } from "./connection.ts";
import { localModel, packModel } from "./parcel.ts";
import { part } from "./part.ts";
import { tryWorker } from "./place.ts";
import { type TaskName, type Tasks, type ToWorker, isTaskAnswer } from "./protocol.ts";
import { services } from "./services.ts";

interface Task<T extends TaskName> {
  readonly task: T;
  readonly message: (id: number) => ToWorker;
  readonly transfer?: Transferable[];
  readonly signal: AbortSignal | undefined;
}

async function runInWorker<T extends TaskName>(worker: Worker, { task, message, transfer, signal }: Task<T>): Promise<Tasks[T]["value"]> {
  const connection = connect(worker, () => worker.terminate());
  try {
    const value = await ask(connection, message, { signal, ...(transfer ? { transfer } : {}) });
    if (!isTaskAnswer(task, value)) throw malformedError();
    return value;
  } finally {
    worker.terminate();
  }
}

/** Checks of these options, a chunk of its own: engines need none of it. */
const optionChecks = async (): Promise<typeof import("../api/estimate_options.ts")> => part(import("../api/estimate_options.ts"));

/**
 * What a model takes and how fast it would run here, from its header and a short measurement of this adapter: a few MiB are read,
 * nothing is stored, nothing stays allocated.
 *
 * @throws {ShaderloomError} REQUEST.<option>, ENV.insecure, SOURCE/NET when the header cannot be read, FORMAT when it is no model,
 * AbortError; what only stands against running it is in `problems`
 */
export async function estimate(options: EstimateOptions): Promise<Estimate> {
  const checked = (await optionChecks()).checkEstimateOptions(options);
  checkEnvironment();
  const { worker: _worker, signal, gpu: _gpu, ...rest } = { ...checked, model: await localModel(checked) };
  const worker = await tryWorker(checked);
  if (worker === undefined) return services.estimate({ ...checked, model: rest.model });
  const { model, transfer } = packModel(rest.model);
  const message = (id: number): ToWorker => ({ kind: "task", id, task: "estimate", options: { ...rest, model } });
  return runInWorker(worker, { task: "estimate", message, transfer, signal });
}

/**
 * Measures this adapter with the engine's own kernels, in a second or two.
 *
 * @throws {ShaderloomError} REQUEST.<option>, ENV.insecure, GPU.unavailable, AbortError
 */
export async function probe(options: ProbeOptions = {}): Promise<AdapterProbe> {
  const checked = (await optionChecks()).checkProbeOptions(options);
  checkEnvironment();
  const { worker: _worker, signal, gpu: _gpu, ...rest } = checked;
  const worker = await tryWorker(checked);
  if (worker === undefined) return services.probe(checked);
  const message = (id: number): ToWorker => ({ kind: "task", id, task: "probe", options: rest });
  return runInWorker(worker, { task: "probe", message, signal });
}
