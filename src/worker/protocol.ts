// What page and worker say to each other: one union per direction, versioned, checked on arrival. Anything else on the port
// (a forged message, an extension's, a late one of another version) is dropped by the receiver and counted.
// Errors cross as plain objects, because postMessage keeps only the message of an Error subclass.

import type {
  AdapterProbe,
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionMessageParam,
  ChatCompletionRequest,
  Completion,
  CompletionRequest,
  EngineInfo,
  EngineOptions,
  EngineStats,
  Estimate,
  EstimateOptions,
  LoadProgress,
  ProbeOptions,
  Profile,
  ProfileOptions,
  TuneProgress,
  TuneReport,
} from "../api/types.ts";
import type { SavedSession, SaveSessionOptions, SessionReport, SessionTransfer, SuspendedSession } from "../api/session_types.ts";
import { isErrorCode } from "../base/errors.ts";
import type { PlainError } from "../base/errors.ts";

/** Raised when a message changes: a page may hold a cached worker script of another release. */
export const PROTOCOL_VERSION = 5;

/** Chunks the worker may be ahead of the consumer; with none left, generation pauses. */
export const STREAM_WINDOW = 8;

/** Engine options that can cross; `model` is an absolute address, `hf:` path, Blob or bytes. */
export type WireOptions = Omit<EngineOptions, "worker" | "onProgress" | "signal" | "gpu">;

/** Options of a task that can cross, likewise. */
export type WireTask<T> = Omit<T, "worker" | "signal" | "gpu">;

/** What a worker does without an engine: what goes and what comes. */
export interface Tasks {
  readonly estimate: { readonly options: WireTask<EstimateOptions>; readonly value: Estimate };
  readonly probe: { readonly options: WireTask<ProbeOptions>; readonly value: AdapterProbe };
}
export type TaskName = keyof Tasks;

/** Methods over conversations; see `SessionMethods`. */
export interface SessionCalls {
  readonly saveSession: { readonly args: readonly [Omit<SaveSessionOptions, "signal">]; readonly value: SessionReport };
  readonly loadSession: { readonly args: readonly [string]; readonly value: SessionReport };
  readonly sessions: { readonly args: readonly []; readonly value: SavedSession[] };
  readonly deleteSession: { readonly args: readonly [string]; readonly value: undefined };
  readonly suspendSession: { readonly args: readonly [string | undefined]; readonly value: SuspendedSession };
  readonly resumeSession: { readonly args: readonly [string]; readonly value: SuspendedSession };
  readonly exportSession: { readonly args: readonly []; readonly value: Uint8Array<ArrayBuffer> };
  readonly importSession: { readonly args: readonly [Uint8Array]; readonly value: SessionTransfer };
}

/** Methods answered with one value: what goes and what comes. `chat` and `completions` here are the calls without a stream. */
export interface Calls extends SessionCalls {
  readonly chat: { readonly args: readonly [ChatCompletionRequest & { readonly stream?: false | null }]; readonly value: ChatCompletion };
  readonly completions: { readonly args: readonly [CompletionRequest & { readonly stream?: false | null }]; readonly value: Completion };
  readonly tokenize: { readonly args: readonly [string]; readonly value: number[] };
  readonly detokenize: { readonly args: readonly [readonly number[]]; readonly value: string };
  readonly applyChatTemplate: {
    readonly args: readonly [readonly ChatCompletionMessageParam[], Readonly<Record<string, unknown>> | undefined];
    readonly value: string;
  };
  readonly info: { readonly args: readonly []; readonly value: EngineInfo };
  readonly stats: { readonly args: readonly []; readonly value: EngineStats };
  readonly tune: { readonly args: readonly []; readonly value: TuneReport };
  readonly profile: { readonly args: readonly [Omit<ProfileOptions, "signal">]; readonly value: Profile };
  readonly unload: { readonly args: readonly []; readonly value: undefined };
}
export type CallMethod = keyof Calls;

/** Methods answered with chunks. */
export interface Streams {
  readonly chat: { readonly request: ChatCompletionRequest & { readonly stream: true }; readonly chunk: ChatCompletionChunk };
  readonly completions: { readonly request: CompletionRequest & { readonly stream: true }; readonly chunk: Completion };
}
export type StreamMethod = keyof Streams;

type CallMessage = {
  [M in CallMethod]: { readonly kind: "call"; readonly id: number; readonly method: M; readonly args: Calls[M]["args"] };
}[CallMethod];
/** A call of one of the methods over conversations. */
export type SessionCall = Extract<CallMessage, { readonly method: keyof SessionCalls }>;
type TaskMessage = {
  [T in TaskName]: { readonly kind: "task"; readonly id: number; readonly task: T; readonly options: Tasks[T]["options"] };
}[TaskName];
type StreamMessage = {
  [M in StreamMethod]: { readonly kind: "stream"; readonly id: number; readonly method: M; readonly request: Streams[M]["request"] };
}[StreamMethod];

/**
 * Page to worker. `args` and `request` are whatever the caller gave: the engine checks them. `id` names a call for its whole life; the page
 * never uses one twice.
 */
export type ToWorker =
  | { readonly kind: "load"; readonly id: number; readonly options: WireOptions }
  | TaskMessage
  | CallMessage
  | StreamMessage
  /** Allows `count` more chunks. The worker pulls nothing from a stream before the first one. */
  | { readonly kind: "credit"; readonly id: number; readonly count: number }
  | { readonly kind: "abort"; readonly id: number }
  | { readonly kind: "ping"; readonly id: number };

/** Worker to page. A call ends with `result` or `error`; a stream opens with `result` and ends with `end` or `error`. */
export type FromWorker =
  | { readonly kind: "hello"; readonly webgpu: boolean }
  | { readonly kind: "progress"; readonly id: number; readonly progress: LoadProgress | TuneProgress }
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
type Check = (message: Loose) => boolean;

function isObject(value: unknown): value is Loose {
  return typeof value === "object" && value !== null;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
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

const isIdArray = (value: unknown): boolean => Array.isArray(value) && value.every(isCount);
const hasChoices = (value: unknown): boolean => isObject(value) && Array.isArray(value["choices"]);
const isTransfer = (value: unknown): boolean => isObject(value) && isCount(value["tokens"]) && isCount(value["movedPages"]);
const isString = (value: unknown): boolean => typeof value === "string";

/** Whether a method's answer has the shape that the method gives. */
const answerChecks: Readonly<Record<CallMethod, (value: unknown) => boolean>> = {
  chat: hasChoices,
  completions: hasChoices,
  tokenize: isIdArray,
  detokenize: isString,
  applyChatTemplate: isString,
  info: (value) => isObject(value) && isObject(value["model"]),
  stats: (value) => isObject(value) && isObject(value["gpuBytes"]),
  tune: (value) => isObject(value) && Array.isArray(value["variants"]),
  profile: (value) => isObject(value) && Array.isArray(value["steps"]) && typeof value["table"] === "string",
  saveSession: isTransfer,
  loadSession: isTransfer,
  sessions: (value) => Array.isArray(value) && value.every((one) => isObject(one) && typeof one["id"] === "string"),
  deleteSession: (value) => value === undefined,
  suspendSession: isTransfer,
  resumeSession: isTransfer,
  exportSession: (value) => value instanceof Uint8Array,
  importSession: isTransfer,
  unload: (value) => value === undefined,
};

const taskChecks: Readonly<Record<TaskName, (value: unknown) => boolean>> = {
  estimate: (value) => isObject(value) && isObject(value["gpu"]) && Array.isArray(value["problems"]),
  probe: (value) => isObject(value) && isObject(value["adapter"]),
};

export function isTaskAnswer<T extends TaskName>(task: T, value: unknown): value is Tasks[T]["value"] {
  return taskChecks[task](value);
}

export function isAnswer<M extends CallMethod>(method: M, value: unknown): value is Calls[M]["value"] {
  return answerChecks[method](value);
}

export function isChunk<M extends StreamMethod>(_method: M, value: unknown): value is Streams[M]["chunk"] {
  return hasChoices(value);
}

const toWorkerChecks: Readonly<Record<ToWorker["kind"], Check>> = {
  load: (m) => isObject(m["options"]),
  task: (m) => typeof m["task"] === "string" && Object.hasOwn(taskChecks, m["task"]) && isObject(m["options"]),
  call: (m) => typeof m["method"] === "string" && Object.hasOwn(answerChecks, m["method"]) && Array.isArray(m["args"]),
  stream: (m) => m["method"] === "chat" || m["method"] === "completions",
  credit: (m) => isCount(m["count"]) && m["count"] <= STREAM_WINDOW,
  abort: () => true,
  ping: () => true,
};

const fromWorkerChecks: Readonly<Record<FromWorker["kind"], Check>> = {
  hello: (m) => typeof m["webgpu"] === "boolean",
  progress: (m) => isCount(m["id"]) && isObject(m["progress"]),
  result: (m) => isCount(m["id"]),
  chunk: (m) => isCount(m["id"]),
  end: (m) => isCount(m["id"]),
  error: (m) => isCount(m["id"]) && isPlainError(m["error"]),
  pong: (m) => isCount(m["id"]),
  fault: (m) => isPlainError(m["error"]),
};

function passes(checks: Readonly<Record<string, Check>>, message: Loose): boolean {
  const kind = message["kind"];
  return typeof kind === "string" && Object.hasOwn(checks, kind) && checks[kind](message);
}

function isToWorker(message: unknown): message is ToWorker {
  return isObject(message) && isCount(message["id"]) && passes(toWorkerChecks, message);
}

function isFromWorker(message: unknown): message is FromWorker {
  return isObject(message) && passes(fromWorkerChecks, message);
}

function unwrap(data: unknown): unknown {
  return isObject(data) && data["shaderloom"] === PROTOCOL_VERSION ? data["message"] : undefined;
}

/** The message in an event's data, or undefined when it is not one of ours. */
export function parseToWorker(data: unknown): ToWorker | undefined {
  const message = unwrap(data);
  return isToWorker(message) ? message : undefined;
}

/** The message in an event's data, or undefined when it is not one of ours. */
export function parseFromWorker(data: unknown): FromWorker | undefined {
  const message = unwrap(data);
  return isFromWorker(message) ? message : undefined;
}
