// Validates the options of `createEngine`, where a mistake is cheapest: before a worker starts or a byte is read.

import { ShaderloomError } from "../base/errors.ts";
import { executionRanges, fusionNames } from "../engine/execution.ts";
import { checkArray, checkNumber, checkString, readFields, requestError } from "./fields.ts";
import type { Fields } from "./fields.ts";
import type { CallOptions, EngineOptions, ProfileOptions, TuneOptions } from "./types.ts";

const OPTION_NAMES = [
  "model",
  "worker",
  "contextLength",
  "memoryBudget",
  "onProgress",
  "signal",
  "gpu",
  "activations",
  "deviceClass",
  "hub",
  "sha256",
  "store",
  "tuning",
  "quantize",
  "checkWeights",
  "execution",
  "kv",
];

const MAX_FILES = 1024;

/** Options that count something. */
const MOST = [
  ["contextLength", 1 << 24],
  ["memoryBudget", Number.MAX_SAFE_INTEGER],
] as const;
const MAX_ADDRESS_LENGTH = 1 << 16;

/** An address, a file or bytes; of a split model a list of them. */
function isModelLocation(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0 && value.length <= MAX_FILES && value.every(isOneLocation);
  return isOneLocation(value);
}

function isOneLocation(value: unknown): boolean {
  if (typeof value === "string") return value !== "" && value.length <= MAX_ADDRESS_LENGTH;
  return value instanceof URL || value instanceof Blob || value instanceof ArrayBuffer || value instanceof Uint8Array;
}

function checkChoice(fields: Fields, name: string, choices: readonly string[], path = ""): void {
  const value = fields.get(name);
  if (value === undefined || (typeof value === "string" && choices.includes(value))) return;
  throw requestError(`${path}${name}`, `one of ${choices.map((choice) => JSON.stringify(choice)).join(", ")}`, value);
}

function checkFlag(fields: Fields, name: string, path = ""): void {
  const value = fields.get(name);
  if (value !== undefined && typeof value !== "boolean") throw requestError(`${path}${name}`, "true or false", value);
}

/** By its shape, because a signal of another frame is of another class. */
function isSignal(value: unknown): value is AbortSignal {
  return typeof value === "object" && value !== null && "aborted" in value && "addEventListener" in value;
}

function checkSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined || isSignal(value)) return value;
  throw requestError("signal", "an AbortSignal", value);
}

/**
 * The signal in the options of a call.
 *
 * @throws {ShaderloomError} REQUEST.signal, REQUEST.options
 */
export function readCallOptions(options: CallOptions | undefined): CallOptions {
  if (options === undefined) return {};
  if (typeof options !== "object" || options === null) throw requestError("options", "an object with a signal, or nothing", options);
  const signal = checkSignal(options.signal);
  return signal === undefined ? {} : { signal };
}

/**
 * The options of `tune`, checked.
 *
 * @throws {ShaderloomError} REQUEST.signal, REQUEST.onProgress, REQUEST.options
 */
export function readTuneOptions(options: TuneOptions | undefined): TuneOptions {
  const call = readCallOptions(options);
  const onProgress = options?.onProgress;
  if (onProgress !== undefined && typeof onProgress !== "function") throw requestError("onProgress", "a function", onProgress);
  return onProgress === undefined ? call : { ...call, onProgress };
}

/**
 * The options of `profile`, checked.
 *
 * @throws {ShaderloomError} REQUEST.<option>
 */
export function readProfileOptions(options: ProfileOptions | undefined, contextLength: number): ProfileOptions {
  const call = readCallOptions(options);
  const fields = options === undefined ? new Map<string, unknown>() : readFields(options, "", ["tokens", "promptTokens", "signal"]);
  const most = { tokens: contextLength, promptTokens: Math.min(contextLength, executionRanges.chunkTokens.max) };
  const numbers = Object.entries(most).flatMap(([name, max]): Array<[string, number]> => {
    const value = fields.get(name);
    return value === undefined ? [] : [[name, checkNumber(value, name, { min: 1, max, integer: true })]];
  });
  return { ...Object.fromEntries(numbers), ...call };
}

/**
 * The same options, checked.
 *
 * @throws {ShaderloomError} REQUEST.<option>
 */
export function checkEngineOptions(options: EngineOptions): EngineOptions {
  const fields = readFields(options, "", OPTION_NAMES);
  checkModelOptions(fields);
  if (fields.get("onProgress") !== undefined && typeof fields.get("onProgress") !== "function") {
    throw requestError("onProgress", "a function", fields.get("onProgress"));
  }
  checkChoice(fields, "tuning", ["auto", "race", "off"]);
  if (fields.get("sha256") !== undefined) checkHashes(fields.get("sha256"));
  checkFlag(fields, "checkWeights");
  return { ...options };
}

/** The options that loading and estimating share. */
export function checkModelOptions(fields: Fields): void {
  if (!isModelLocation(fields.get("model"))) {
    throw requestError(
      "model",
      'a URL, an "hf:owner/repo/file.gguf" or "hf:owner/repo" path, "stored:<id>", a File, a Blob, an ArrayBuffer or a Uint8Array, or a list of these',
      fields.get("model"),
    );
  }
  for (const [name, max] of MOST) {
    if (fields.get(name) !== undefined) checkNumber(fields.get(name), name, { min: 1, max, integer: true });
  }
  if (fields.get("hub") !== undefined) checkHub(fields.get("hub"));
  if (fields.get("store") !== undefined) checkStore(fields.get("store"));
  checkChoice(fields, "quantize", ["q8_0", "q4_0", "q4_k"]);
  if (fields.get("execution") !== undefined) checkExecution(fields.get("execution"));
  checkAdapterOptions(fields);
}

export function checkAdapterOptions(fields: Fields): void {
  checkFlag(fields, "worker");
  if (fields.get("gpu") !== undefined && fields.get("worker") === true) {
    throw requestError("worker", "left out or false when gpu is given, because a GPU object cannot go to a worker", true);
  }
  checkChoice(fields, "activations", ["f32", "f16", "int8"]);
  checkChoice(fields, "deviceClass", ["gpu", "cpu"]);
  checkSignal(fields.get("signal"));
}

function checkHashes(value: unknown): void {
  const hashes = Array.isArray(value) ? value : [value];
  if (hashes.length > 0 && hashes.length <= MAX_FILES && hashes.every((hash) => typeof hash === "string" && /^[0-9a-f]{64}$/i.test(hash)))
    return;
  throw requestError("sha256", "64 hex digits, or a list of them for the files of a split model", value);
}

function checkStore(value: unknown): void {
  const store = readFields(value, "store", ["mode", "tier", "folder", "onFull", "evict"]);
  checkChoice(store, "mode", ["use", "refresh", "off"], "store.");
  checkChoice(store, "tier", ["opfs", "indexeddb"], "store.");
  checkChoice(store, "onFull", ["memory", "error"], "store.");
  if (store.get("folder") !== undefined) checkString(store.get("folder"), "store.folder", 4096);
  checkFlag(store, "evict", "store.");
}

function checkExecution(value: unknown): void {
  const execution = readFields(value, "execution", ["fusion", "sampler", ...Object.keys(executionRanges), "neurons"]);
  checkFusion(execution.get("fusion"));
  checkChoice(execution, "sampler", ["gpu", "cpu"], "execution.");
  for (const [name, range] of Object.entries(executionRanges)) {
    if (execution.get(name) !== undefined) checkNumber(execution.get(name), `execution.${name}`, range);
  }
  if (execution.get("neurons") !== undefined) checkNeurons(execution.get("neurons"));
}

function checkNeurons(value: unknown): void {
  const path = "execution.neurons";
  const neurons = readFields(value, path, ["budget", "threshold"]);
  checkNumber(neurons.get("budget"), `${path}.budget`, { min: 1, max: Number.MAX_SAFE_INTEGER, integer: true });
  const threshold = neurons.get("threshold");
  if (threshold !== undefined) checkNumber(threshold, `${path}.threshold`, { min: 0, max: 65504 });
}

function checkFusion(value: unknown): void {
  if (value === undefined || value === "auto" || value === "off") return;
  const known: readonly string[] = fusionNames;
  const expected = `"auto", "off" or a list of ${known.join(", ")}, each at most once`;
  if (!Array.isArray(value)) throw requestError("execution.fusion", expected, value);
  const names = checkArray(value, "execution.fusion", known.length);
  const bad = names.findIndex((name, index) => typeof name !== "string" || !known.includes(name) || names.indexOf(name) < index);
  if (bad >= 0) throw requestError(`execution.fusion[${bad}]`, `one of ${known.join(", ")}, each at most once`, names[bad]);
}

function checkHub(value: unknown): void {
  const hub = readFields(value, "hub", ["endpoint", "token"]);
  for (const name of ["endpoint", "token"]) {
    if (hub.get(name) !== undefined) checkString(hub.get(name), `hub.${name}`, 4096);
  }
}

/** The error of calls that run or wait when the engine is unloaded: they are aborted, though by no signal of theirs. */
export function unloadAbortError(): ShaderloomError {
  return new ShaderloomError("AbortError", "The engine was unloaded before the call ended. Create another with createEngine().");
}

/** The error of every call after `unload()`. */
export function unloadedError(): ShaderloomError {
  return new ShaderloomError("REQUEST.unloaded", "The engine was unloaded. Create another with createEngine().");
}
