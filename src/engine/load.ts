// From a model's location to a running session: header, checks, graph, device, weights and pipelines side by side, text.
// Whatever fails frees everything that was made.

import { asShaderloomError, ShaderloomError, throwIfAborted } from "../base/errors.ts";
import { kvRate } from "../base/layout.ts";
import { formatTypes } from "../formats/index.ts";
import { BufferLedger } from "../gpu/buffers.ts";
import { type OpenDevice, openDevice } from "../gpu/device.ts";
import { openShaderFiles } from "../kernels/shader_files.ts";
import type { Hold, ModelStore } from "../store/model_store.ts";
import { assertSupported } from "../weights/header_checks.ts";
import type { OpenShard } from "../weights/gguf/split.ts";
import type { QuantizeType } from "../weights/quantize_rule.ts";
import { openSource } from "../weights/source.ts";
import type { HubOptions, ModelLocation } from "../weights/source.ts";
import type { ExecutionOptions } from "./execution.ts";
import type { KvOptions } from "./kv_options.ts";
import type { SessionText } from "./model_text.ts";
import { buildModel, type LoadedModel } from "./model.ts";
import { openModel } from "./model_files.ts";
import type { OpenedModel } from "./opened_model.ts";
import { createLoadReport, type LoadProgressListener, type LoadReport } from "./progress.ts";
import type { Session, StoreOptions } from "./session.ts";
import { createSession } from "./live_session.ts";
import { type Prepared, prepareRunner, type PrepareOptions } from "./prepare.ts";
import type { SavingParts } from "./conversations.ts";
import type { TuningMode } from "../tuning/report.ts";
import type { ModelOrigin } from "./image_place.ts";
import type { openTuningShelf } from "./tuning_record.ts";
import { holdStored, type LoadStorage, openLoadStorage, sessionStorage } from "./storage.ts";

export interface LoadSessionOptions {
  readonly model: ModelLocation;
  readonly contextLength?: number | undefined;
  /** Most bytes of GPU memory; a model that needs more is streamed. */
  readonly memoryBudget?: number | undefined;
  readonly activations?: "f32" | "f16" | "int8" | undefined;
  readonly deviceClass?: "gpu" | "cpu" | undefined;
  readonly hub?: HubOptions | undefined;
  readonly sha256?: string | readonly string[] | undefined;
  readonly store?: StoreOptions | undefined;
  /** What float matrices become while they are loaded; as they are stored when not given. */
  readonly quantize?: QuantizeType | undefined;
  /** Looks at every weight for NaN and infinity, which takes about as long as repacking. Scales and vectors are always looked at. */
  readonly checkWeights?: boolean | undefined;
  /** How variants of kernels are chosen; default `auto`. */
  readonly tuning?: TuningMode | undefined;
  /** How steps are run. */
  readonly execution?: ExecutionOptions | undefined;
  /** How keys and values are kept. */
  readonly kv?: KvOptions | undefined;
  /** Default `navigator.gpu`. */
  readonly gpu?: GPU | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: LoadProgressListener | undefined;
  /** Lowers the largest bound range, to test splitting by rows. */
  readonly maxBindingBytes?: number | undefined;
  /** Keeps the streamed copy of the layers instead of the model's own store, to test slow and failing ones. */
  readonly imageStore?: ModelStore | undefined;
}

/**
 * Loads a model. On failure or abort nothing stays allocated; what was downloaded stays stored.
 * @throws {ShaderloomError} of the room that refused: SOURCE, NET, INTEGRITY, QUOTA, STORE, FORMAT, LIMIT, UNSUPPORTED, MODEL,
 *   TOKENIZER, TEMPLATE, CONTEXT, GPU, AbortError
 */
export async function loadSession(options: LoadSessionOptions): Promise<Session> {
  const { signal } = options;
  const startMs = performance.now();
  const report = createLoadReport(options.onProgress);
  throwIfAborted(signal);
  fetchAhead();
  const loadParts = import("./load_parts.ts");
  loadParts.catch(() => undefined);
  const { opened, shaders, ledger } = await openGpu(options);
  const stop = new AbortController();
  const sessionEnd = new AbortController();
  const either = signal ? AbortSignal.any([stop.signal, signal]) : stop.signal;
  let files: OpenedModel | undefined;
  let storage: LoadStorage | undefined;
  let hold: Hold | undefined;
  const release = (): void => {
    sessionEnd.abort();
    hold?.release();
    storage?.models?.close();
  };
  try {
    report.phase("open");
    storage = await openLoadStorage(options.model, options.store);
    files = await openFiles(options, { storage, report, signal: either });
    const { file, source, sources } = files;
    checkHashCount(options.sha256, files.weightFiles);
    hold = await holdStored(storage, sources);
    assertSupported(file.tensors.values(), formatTypes);
    const model = await buildModel(file, source, { ...options, caps: opened.caps });
    report.kv({ type: model.kv.type, bytesPerThousandTokens: kvRate(model.kv, model.config.numLayers) });
    // A vocabulary or template that cannot be used ends the load at once, whatever is still being read or compiled.
    const text = textOf(model, files, loadParts);
    const origin = originOf(options, { storage, files, signal: sessionEnd.signal });
    const how = howPrepared(options, opened);
    const runner = prepareRunner({ source, model, opened, ledger, shaders, loadParts, signal: either, report, origin, ...how });
    void runner.then(
      () => report.phase("tokenizer"),
      () => undefined,
    );
    const [prepared, { tokenizer, chatTemplate }] = await Promise.all([runner, text]);
    report.phase("finish");
    // A file that is not what was promised must not answer a single question.
    if (!prepared.streaming && prepared.neurons?.finished !== true) await source.finish?.(either);
    throwIfAborted(signal);
    const saving = await savingOf(options, prepared, origin);
    report.phase("ready");
    const loadMs = performance.now() - startMs;
    const facts = sessionStorage(storage, sources);
    return createSession({ model, opened, ledger, tokenizer, chatTemplate, loadMs, storage: facts, release, saving, ...prepared });
  } catch (error) {
    stop.abort();
    release();
    ledger.destroyAll();
    opened.destroy();
    throw asShaderloomError(error);
  } finally {
    files?.source.close?.();
  }
}

type OpenedGpu = Pick<PrepareOptions, "opened" | "shaders" | "ledger">;

/** A missing adapter is said before a download starts; shaders are fetched beside the model's header. */
async function openGpu({ gpu = globalThis.navigator?.gpu, ...options }: LoadSessionOptions): Promise<OpenedGpu> {
  const { deviceClass, maxBindingBytes, activations = "f32", memoryBudget } = options;
  const opened = await openDevice(gpu, { deviceClass, maxBindingBytes });
  const shaders = openShaderFiles({
    caps: opened.caps,
    deviceClass: opened.caps.deviceClass,
    precision: activations,
    kv: options.kv?.type,
  });
  void shaders.catch(() => undefined);
  return { opened, shaders, ledger: new BufferLedger(opened.device, memoryBudget) };
}

/** Where layers that are streamed come from, as long as the session lasts. */
function originOf(options: LoadSessionOptions, loaded: Pick<ModelOrigin, "storage" | "files"> & { signal: AbortSignal }): ModelOrigin {
  const { storage, files, signal } = loaded;
  const again = { storage, signal, report: createLoadReport(undefined) };
  const { store = {}, imageStore, model: location } = options;
  return { storage, files, again, reopen: () => openFiles(options, again), store, location, imageStore };
}

/** Where conversations are saved, and what tells this model's from another's: where layers do not all go by, what its files are. */
async function savingOf(
  { store = {}, checkWeights }: LoadSessionOptions,
  { streaming, neurons }: Prepared,
  origin: ModelOrigin,
): Promise<SavingParts> {
  if (!streaming && !neurons) return { store, origin: undefined };
  const { originFacts } = await import("./image_place.ts");
  return { store, origin: await originFacts(origin, checkWeights) };
}

async function textOf(model: LoadedModel, files: OpenedModel, parts: PrepareOptions["loadParts"]): Promise<SessionText> {
  return (await parts).loadText(model, files);
}

/** What some requests need of the package later on, when there may be no network. Whoever needs one that did not come tells of it. */
function fetchAhead(): void {
  const chunks = [
    () => import("../sampling/sampler.ts"),
    () => import("./prompt_scores.ts"),
    () => import("./profile.ts"),
    () => import("./snapshots.ts"),
    () => import("./engine_key.ts"),
    () => import("../store/session_store.ts"),
  ];
  for (const chunk of chunks) chunk().catch(() => undefined);
}

function howPrepared(
  { checkWeights, tuning = "auto", execution = {}, store, memoryBudget }: LoadSessionOptions,
  opened: OpenDevice,
): Pick<PrepareOptions, "checkWeights" | "tuning" | "execution" | "memoryBudget" | "openShelf"> {
  return { checkWeights, tuning, execution, memoryBudget, openShelf: (shaders) => openShelf(opened, shaders, store) };
}

/** Where races leave their results: a chunk of its own, as most loads have nothing to race. */
async function openShelf(...[opened, shaders, store]: Parameters<typeof openTuningShelf>): ReturnType<typeof openTuningShelf> {
  const record = await import("./tuning_record.ts");
  return record.openTuningShelf(opened, shaders, store);
}

function checkHashCount(sha256: LoadSessionOptions["sha256"], count: number): void {
  if (sha256 === undefined || typeof sha256 === "string" || sha256.length === count) return;
  const message = `sha256 lists ${sha256.length} hashes and the model has ${count} files with weights. Give one for each, in their order.`;
  throw new ShaderloomError("REQUEST.sha256", message, { detail: { hashes: sha256.length, files: count } });
}

interface Opening {
  readonly storage: LoadStorage;
  readonly report: LoadReport;
  readonly signal: AbortSignal;
}

/** The model's header, and one source over all its files. */
async function openFiles({ model, hub, sha256, store = {}, quantize }: LoadSessionOptions, opening: Opening): Promise<OpenedModel> {
  const { storage, report, signal } = opening;
  const { mode = "use", onFull = "memory", evict = false } = store;
  const { models, diagnostics } = storage;
  const use = models && { models, mode: mode === "refresh" ? mode : ("use" as const), onFull, evict };
  const shared = {};
  const open: OpenShard = async (location, { index, first, weightFile = index }) => {
    const promised = [sha256].flat()[weightFile ?? Infinity];
    const source = await openSource(location, {
      signal,
      diagnostics,
      shared,
      file: index,
      onNews: (news) => report.waiting(news),
      ...(hub ? { hub } : {}),
      ...(promised ? { sha256: promised.toLowerCase() } : {}),
      ...(use ? { store: use } : {}),
      ...(first?.stored ? { model: first.stored.model } : {}),
    });
    if (first === undefined) report.phase("header", source.name);
    return source;
  };
  return openModel(model, { open, signal, models, trusted: mode === "use", quantize });
}
