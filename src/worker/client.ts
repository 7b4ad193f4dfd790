// The engine of a worker with the interface of an engine here. Owns the worker: when the engine is unloaded or the worker
// fails, the worker is terminated and every open call is told.

import { readCallOptions, readTuneOptions, unloadAbortError, unloadedError } from "../api/engine_options.ts";
import { lazySessions } from "../api/lazy_sessions.ts";
import type {
  CallOptions,
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  Completion,
  CompletionRequest,
  Engine,
  EngineOptions,
  LoadProgress,
  ModelLocation,
  TuneProgress,
} from "../api/types.ts";
import { ShaderloomError, asShaderloomError } from "../base/errors.ts";
import { ask, connect, malformedError } from "./connection.ts";
import type { Connection, HeartbeatOptions } from "./connection.ts";
import { packModel } from "./parcel.ts";
import { isAnswer } from "./protocol.ts";
import type { CallMethod, Calls, Port, Streams, ToWorker, WireOptions } from "./protocol.ts";
import { part } from "./part.ts";
import { openRemoteStream } from "./remote_stream.ts";

/** Time the worker gets to free its device in order before it is terminated. */
const UNLOAD_TIMEOUT_MS = 5000;

/** A worker, or a port to something like one. */
export interface WorkerLike extends Port {
  terminate(): void;
}

function wireOptions(options: EngineOptions, model: ModelLocation): WireOptions {
  const { worker: _worker, onProgress: _onProgress, signal: _signal, gpu: _gpu, ...rest } = options;
  return { ...rest, model };
}

async function callWorker<M extends CallMethod>(
  connection: Connection,
  method: M,
  message: (id: number) => ToWorker,
  signal?: AbortSignal,
): Promise<Calls[M]["value"]> {
  const value = await ask(connection, message, { signal });
  if (!isAnswer(method, value)) throw malformedError();
  return value;
}

/** Whether a caller wants chunks. Anything that is no request goes to the worker's validation as it is. */
function wantsStream<R extends { readonly stream?: boolean | null }>(request: R): request is R & { readonly stream: true } {
  return typeof request === "object" && request !== null && request.stream === true;
}

function remoteChat(connection: Connection): Engine["chat"] {
  type Whole = Calls["chat"]["args"][0];
  type Chunked = Streams["chat"]["request"];
  function create(request: Chunked, options?: CallOptions): Promise<AsyncIterable<ChatCompletionChunk>>;
  function create(request: Whole, options?: CallOptions): Promise<ChatCompletion>;
  function create(request: ChatCompletionRequest, options?: CallOptions): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>>;
  async function create(request: Whole | Chunked, options?: CallOptions): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>> {
    const { signal } = readCallOptions(options);
    if (wantsStream(request)) {
      return openRemoteStream(connection, { method: "chat", message: (id) => ({ kind: "stream", id, method: "chat", request }), signal });
    }
    return callWorker(connection, "chat", (id) => ({ kind: "call", id, method: "chat", args: [request] }), signal);
  }
  return { completions: { create } };
}

function remoteCompletions(connection: Connection): Engine["completions"] {
  type Whole = Calls["completions"]["args"][0];
  type Chunked = Streams["completions"]["request"];
  function create(request: Chunked, options?: CallOptions): Promise<AsyncIterable<Completion>>;
  function create(request: Whole, options?: CallOptions): Promise<Completion>;
  function create(request: CompletionRequest, options?: CallOptions): Promise<Completion | AsyncIterable<Completion>>;
  async function create(request: Whole | Chunked, options?: CallOptions): Promise<Completion | AsyncIterable<Completion>> {
    const { signal } = readCallOptions(options);
    const method = "completions";
    if (wantsStream(request)) {
      return openRemoteStream(connection, { method, message: (id) => ({ kind: "stream", id, method, request }), signal });
    }
    return callWorker(connection, method, (id) => ({ kind: "call", id, method, args: [request] }), signal);
  }
  return { create };
}

async function unloadWorker(connection: Connection): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, UNLOAD_TIMEOUT_MS);
  });
  // A worker that fails while it unloads is as good as unloaded.
  const unloaded = ask(connection, (id) => ({ kind: "call", id, method: "unload", args: [] })).catch(() => undefined);
  await Promise.race([unloaded, late]);
  clearTimeout(timer);
  connection.end(unloadedError(), unloadAbortError());
}

function remoteEngine(connection: Connection): Engine {
  let unloading: Promise<void> | undefined;
  const unload = (): Promise<void> => (unloading ??= unloadWorker(connection));
  return {
    chat: remoteChat(connection),
    completions: remoteCompletions(connection),
    tokenize: (text) => callWorker(connection, "tokenize", (id) => ({ kind: "call", id, method: "tokenize", args: [text] })),
    detokenize: (ids) => callWorker(connection, "detokenize", (id) => ({ kind: "call", id, method: "detokenize", args: [ids] })),
    applyChatTemplate: (messages, kwargs) =>
      callWorker(connection, "applyChatTemplate", (id) => ({ kind: "call", id, method: "applyChatTemplate", args: [messages, kwargs] })),
    info: () => callWorker(connection, "info", (id) => ({ kind: "call", id, method: "info", args: [] })),
    stats: () => callWorker(connection, "stats", (id) => ({ kind: "call", id, method: "stats", args: [] })),
    tune: async (options) => {
      const { signal, onProgress } = readTuneOptions(options);
      const value = await ask(connection, (id) => ({ kind: "call", id, method: "tune", args: [] }), {
        signal,
        onProgress: (progress) => "done" in progress && onProgress?.(progress),
      });
      if (!isAnswer("tune", value)) throw malformedError();
      return value;
    },
    profile: async (options) => {
      const { signal } = readCallOptions(options);
      const { signal: _signal, ...rest } = options ?? {};
      return callWorker(connection, "profile", (id) => ({ kind: "call", id, method: "profile", args: [rest] }), signal);
    },
    ...lazySessions(
      async () => (await part(import("./remote_sessions.ts"))).remoteSessions(connection),
      () => import("./remote_sessions.ts"),
    ),
    unload,
    [Symbol.asyncDispose]: unload,
  };
}

/** How the client treats its worker; tests shorten the times. */
export interface ClientOptions {
  readonly heartbeat?: HeartbeatOptions;
}

function watchForFailure(worker: WorkerLike, connection: Connection): void {
  if (!(worker instanceof EventTarget)) return;
  worker.addEventListener("error", (event) => {
    const reason = event instanceof ErrorEvent && event.message !== "" ? event.message : "its script failed";
    connection.end(new ShaderloomError("WORKER.failed", `The engine's worker failed: ${reason}. Create the engine again.`));
  });
  worker.addEventListener("messageerror", () => {
    connection.end(new ShaderloomError("WORKER.message", "A message of the engine's worker could not be read. Create the engine again."));
  });
}

/**
 * Loads a model in a started worker.
 *
 * @throws {ShaderloomError} whatever the load throws, AbortError, WORKER.*; the worker is terminated then
 */
export async function createRemoteEngine(worker: WorkerLike, options: EngineOptions, client: ClientOptions = {}): Promise<Engine> {
  const connection = connect(worker, () => worker.terminate(), client.heartbeat);
  watchForFailure(worker, connection);
  try {
    const { model, transfer } = packModel(options.model);
    const load = wireOptions(options, model);
    const { signal, onProgress } = options;
    const onMoment = (progress: LoadProgress | TuneProgress): void => {
      if ("phase" in progress) onProgress?.(progress);
    };
    await ask(connection, (id) => ({ kind: "load", id, options: load }), { signal, onProgress: onMoment, transfer });
  } catch (error) {
    // Ends the worker too: a half-loaded engine holds GPU memory.
    connection.end(asShaderloomError(error));
    throw error;
  }
  return remoteEngine(connection);
}
