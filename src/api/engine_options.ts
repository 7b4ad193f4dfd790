// Validates the options of `createEngine`, where a mistake is cheapest: before a worker starts or a byte is read.

import { ShaderloomError } from "../base/errors.ts";
import { checkNumber, checkString, readFields, requestError } from "./fields.ts";
import type { Fields } from "./fields.ts";
import type { CallOptions, EngineOptions } from "./types.ts";

const OPTION_NAMES = ["model", "worker", "contextLength", "onProgress", "signal", "gpu", "activations", "deviceClass", "hub"];

const MAX_CONTEXT = 1 << 24;
const MAX_ADDRESS_LENGTH = 1 << 16;

function isModelLocation(value: unknown): boolean {
  if (typeof value === "string") return value !== "" && value.length <= MAX_ADDRESS_LENGTH;
  return value instanceof URL || value instanceof Blob || value instanceof ArrayBuffer || value instanceof Uint8Array;
}

function checkChoice(fields: Fields, name: string, choices: readonly string[]): void {
  const value = fields.get(name);
  if (value === undefined || (typeof value === "string" && choices.includes(value))) return;
  throw requestError(name, `one of ${choices.map((choice) => JSON.stringify(choice)).join(", ")}`, value);
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
 * The same options, checked.
 *
 * @throws {ShaderloomError} REQUEST.<option>
 */
export function checkEngineOptions(options: EngineOptions): EngineOptions {
  const fields = readFields(options, "", OPTION_NAMES);
  if (!isModelLocation(fields.get("model"))) {
    throw requestError(
      "model",
      'a URL, an "hf:owner/repo/file.gguf" path, a File, a Blob, an ArrayBuffer or a Uint8Array',
      fields.get("model"),
    );
  }
  if (fields.get("worker") !== undefined && typeof fields.get("worker") !== "boolean")
    throw requestError("worker", "true or false", fields.get("worker"));
  if (fields.get("gpu") !== undefined && fields.get("worker") === true) {
    throw requestError("worker", "left out or false when gpu is given, because a GPU object cannot go to a worker", true);
  }
  if (fields.get("contextLength") !== undefined)
    checkNumber(fields.get("contextLength"), "contextLength", { min: 1, max: MAX_CONTEXT, integer: true });
  checkChoice(fields, "activations", ["f32", "f16", "int8"]);
  checkChoice(fields, "deviceClass", ["gpu", "cpu"]);
  if (fields.get("onProgress") !== undefined && typeof fields.get("onProgress") !== "function") {
    throw requestError("onProgress", "a function", fields.get("onProgress"));
  }
  checkSignal(fields.get("signal"));
  if (fields.get("hub") !== undefined) checkHub(fields.get("hub"));
  return { ...options };
}

function checkHub(value: unknown): void {
  const hub = readFields(value, "hub", ["endpoint", "token"]);
  for (const name of ["endpoint", "token"]) {
    if (hub.get(name) !== undefined) checkString(hub.get(name), `hub.${name}`, 4096);
  }
}

/** The error of every call after `unload()`. */
export function unloadedError(): ShaderloomError {
  return new ShaderloomError("REQUEST.unloaded", "The engine was unloaded. Create another with createEngine().");
}
