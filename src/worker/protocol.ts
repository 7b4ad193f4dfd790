// What page and worker say to each other: one union per direction, versioned, checked on arrival. Anything else on the port
// (a forged message, an extension's, a late one of another version) is dropped by the receiver and counted.
// Errors cross as plain objects, because postMessage keeps only the message of an Error subclass.

import type { EngineOptions, LoadProgress } from "../api/types.ts";
import { isErrorCode } from "../base/errors.ts";
import type { PlainError } from "../base/errors.ts";

/** Raised when a message changes: a page may hold a cached worker script of another release. */
export const PROTOCOL_VERSION = 1;

/** Chunks the worker may be ahead of the consumer; with none left, generation pauses. */
export const STREAM_WINDOW = 8;

/** Engine options that can cross; `model` is an absolute address, `hf:` path, Blob or bytes. */
export type WireOptions = Omit<EngineOptions, "worker" | "onProgress" | "signal" | "gpu">;

/** Methods answered with one value. `chat` and `completions` here are the calls without a stream. */
export const callMethods = ["chat", "completions", "tokenize", "detokenize", "applyChatTemplate", "info", "stats", "unload"] as const;
export type CallMethod = (typeof callMethods)[number];

/** Page to worker. `id` names a call for its whole life; the page never uses one twice. */
export type ToWorker =
  | { readonly kind: "load"; readonly id: number; readonly options: WireOptions }
  | { readonly kind: "call"; readonly id: number; readonly method: CallMethod; readonly args: readonly unknown[] }
  | { readonly kind: "stream"; readonly id: number; readonly method: "chat" | "completions"; readonly request: unknown }
  /** Allows `count` more chunks. The worker pulls nothing from a stream before the first one. */
  | { readonly kind: "credit"; readonly id: number; readonly count: number }
  | { readonly kind: "abort"; readonly id: number }
  | { readonly kind: "ping"; readonly id: number };

/** Worker to page. A call ends with `result` or `error`; a stream opens with `result` and ends with `end` or `error`. */
export type FromWorker =
  | { readonly kind: "hello"; readonly webgpu: boolean }
  | { readonly kind: "progress"; readonly id: number; readonly progress: LoadProgress }
  | { readonly kind: "result"; readonly id: number; readonly value: unknown }
  | { readonly kind: "chunk"; readonly id: number; readonly value: unknown }
  | { readonly kind: "end"; readonly id: number }
  | { readonly kind: "error"; readonly id: number; readonly error: PlainError }
  | { readonly kind: "pong"; readonly id: number }
  /** The worker itself failed; no call is to blame. */
  | { readonly kind: "fault"; readonly error: PlainError };

/** A message on the wire. */
export interface Envelope<M> {
  readonly shaderloom: typeof PROTOCOL_VERSION;
  readonly message: M;
}

export function wrap<M>(message: M): Envelope<M> {
  return { shaderloom: PROTOCOL_VERSION, message };
}

/** The part of Worker, MessagePort and the worker's global scope that both ends use. */
export interface Port {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
  removeEventListener(type: "message", listener: (event: MessageEvent) => void): void;
}

type Loose = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Loose {
  return typeof value === "object" && value !== null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPlainError(value: unknown): value is PlainError {
  return (
    isObject(value) &&
    isErrorCode(value["code"]) &&
    typeof value["message"] === "string" &&
    typeof value["retryable"] === "boolean" &&
    isObject(value["detail"])
  );
}

function unwrap(data: unknown): Loose | undefined {
  if (!isObject(data) || data["shaderloom"] !== PROTOCOL_VERSION) return undefined;
  return isObject(data["message"]) ? data["message"] : undefined;
}

const toWorkerChecks: Readonly<Record<ToWorker["kind"], (m: Loose) => boolean>> = {
  load: (m) => isObject(m["options"]),
  call: (m) => (callMethods as readonly unknown[]).includes(m["method"]) && Array.isArray(m["args"]),
  stream: (m) => m["method"] === "chat" || m["method"] === "completions",
  credit: (m) => isCount(m["count"]) && m["count"] <= STREAM_WINDOW,
  abort: () => true,
  ping: () => true,
};

const fromWorkerChecks: Readonly<Record<FromWorker["kind"], (m: Loose) => boolean>> = {
  hello: (m) => typeof m["webgpu"] === "boolean",
  progress: (m) => isCount(m["id"]) && isObject(m["progress"]),
  result: (m) => isCount(m["id"]),
  chunk: (m) => isCount(m["id"]),
  end: (m) => isCount(m["id"]),
  error: (m) => isCount(m["id"]) && isPlainError(m["error"]),
  pong: (m) => isCount(m["id"]),
  fault: (m) => isPlainError(m["error"]),
};

/** The message in an event's data, or undefined when it is not one of ours. */
export function parseToWorker(data: unknown): ToWorker | undefined {
  const message = unwrap(data);
  const kind = message?.["kind"];
  if (message === undefined || typeof kind !== "string" || !Object.hasOwn(toWorkerChecks, kind)) return undefined;
  const known = isCount(message["id"]) && toWorkerChecks[kind as ToWorker["kind"]](message);
  return known ? (message as unknown as ToWorker) : undefined;
}

/** The message in an event's data, or undefined when it is not one of ours. */
export function parseFromWorker(data: unknown): FromWorker | undefined {
  const message = unwrap(data);
  const kind = message?.["kind"];
  if (message === undefined || typeof kind !== "string" || !Object.hasOwn(fromWorkerChecks, kind)) return undefined;
  return fromWorkerChecks[kind as FromWorker["kind"]](message) ? (message as unknown as FromWorker) : undefined;
}
