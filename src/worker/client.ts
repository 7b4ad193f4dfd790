// The engine of a worker with the interface of an engine here. Owns the worker: when the engine is unloaded or the worker
// fails, the worker is terminated and every open call is told.

import type {
  CallOptions,
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  Completion,
  CompletionRequest,
  Engine,
  EngineInfo,
  EngineOptions,
  EngineStats,
  ModelLocation,
} from "../api/types.ts";
import { ShaderloomError, abortError } from "../base/errors.ts";
import { unloadedError } from "../api/engine_state.ts";
import { ask, connect } from "./connection.ts";
import type { Connection, HeartbeatOptions } from "./connection.ts";
import type { CallMethod, Port, WireOptions } from "./protocol.ts";
import { openRemoteStream } from "./remote_stream.ts";

/** Time the worker gets to free its device in order before it is terminated. */
const UNLOAD_TIMEOUT_MS = 5000;

/** A worker, or a port to something like one. */
export interface WorkerLike extends Port {
  terminate(): void;
}

/** What crosses, and what of it moves instead of being copied. */
interface Parcel {
  readonly model: ModelLocation;
  readonly transfer: Transferable[];
}

/** Bytes are copied once, so that the caller keeps his own; Blobs cross as handles; addresses become absolute. */
function packModel(model: ModelLocation): Parcel {
  if (model instanceof Uint8Array) {
    // A clone of a view clones all of the buffer under it.
    const copy = model.slice();
    return { model: copy, transfer: [copy.buffer] };
  }
  if (typeof model !== "string" && !(model instanceof URL)) return { model, transfer: [] };
  const address = String(model);
  // The worker's base address is its script's, not the page's.
  const base = typeof document === "undefined" ? undefined : document.baseURI;
  const relative = base !== undefined && !address.startsWith("hf:") && URL.canParse(address, base);
  return { model: relative ? new URL(address, base).href : address, transfer: [] };
}

function wireOptions(options: EngineOptions, model: ModelLocation): WireOptions {
  const { worker: _worker, onProgress: _onProgress, signal: _signal, gpu: _gpu, ...rest } = options;
  return { ...rest, model };
}

/** A loaded engine in a worker. */
class RemoteEngine implements Engine {
  readonly chat: Engine["chat"];
  readonly completions: Engine["completions"];
  readonly #connection: Connection;
  #unloading: Promise<void> | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.chat = { completions: { create: this.#create<ChatCompletionRequest, ChatCompletion, ChatCompletionChunk>("chat") } };
    this.completions = { create: this.#create<CompletionRequest, Completion, Completion>("completions") };
  }

  #create<Request extends { readonly stream?: boolean | null }, Answer, Chunk>(method: "chat" | "completions") {
    const create = async (request: Request, options: CallOptions = {}): Promise<Answer | AsyncIterable<Chunk>> => {
      // Anything that is no request goes to the worker's validation as it is.
      const stream = typeof request === "object" && request !== null && request.stream === true;
      if (stream) return openRemoteStream<Chunk>(this.#connection, method, request, options.signal);
      return (await this.#call(method, [request], options.signal)) as Answer;
    };
    return create as {
      (request: Request & { readonly stream: true }, options?: CallOptions): Promise<AsyncIterable<Chunk>>;
      (request: Request & { readonly stream?: false | null }, options?: CallOptions): Promise<Answer>;
    };
  }

  #call(method: CallMethod, args: readonly unknown[], signal?: AbortSignal): Promise<unknown> {
    return ask(this.#connection, (id) => ({ kind: "call", id, method, args }), { signal });
  }

  async tokenize(text: string): Promise<number[]> {
    return (await this.#call("tokenize", [text])) as number[];
  }

  async detokenize(ids: readonly number[]): Promise<string> {
    return (await this.#call("detokenize", [ids])) as string;
  }

  async applyChatTemplate(...args: Parameters<Engine["applyChatTemplate"]>): Promise<string> {
    return (await this.#call("applyChatTemplate", args)) as string;
  }

  async info(): Promise<EngineInfo> {
    return (await this.#call("info", [])) as EngineInfo;
  }

  async stats(): Promise<EngineStats> {
    return (await this.#call("stats", [])) as EngineStats;
  }

  unload(): Promise<void> {
    this.#unloading ??= this.#unload();
    return this.#unloading;
  }

  async #unload(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, UNLOAD_TIMEOUT_MS);
    });
    // A worker that fails while it unloads is as good as unloaded.
    await Promise.race([this.#call("unload", []).catch(() => undefined), late]);
    clearTimeout(timer);
    this.#connection.end(unloadedError());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.unload();
  }
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
    await ask(connection, (id) => ({ kind: "load", id, options: load }), { signal, onProgress, transfer });
  } catch (error) {
    // Ends the worker too: a half-loaded engine holds GPU memory.
    connection.end(error instanceof ShaderloomError ? error : abortError());
    throw error;
  }
  return new RemoteEngine(connection);
}
