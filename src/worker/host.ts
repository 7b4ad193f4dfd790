// The worker's side: one engine behind a port. Calls come in as messages, answers, chunks and errors go out. Streams are
// pulled only while the page has given credit, so a slow consumer pauses generation instead of filling memory.

import type { AdapterProbe, Engine, EngineOptions, Estimate, EstimateOptions, ProbeOptions } from "../api/types.ts";
import { ShaderloomError, asShaderloomError } from "../base/errors.ts";
import { parseToWorker, wrap } from "./protocol.ts";
import type { FromWorker, Port, ToWorker } from "./protocol.ts";
import { part } from "./part.ts";

/** What this thread can do; each loads the runtime that it needs. */
export interface Services {
  createEngine(options: EngineOptions): Promise<Engine>;
  estimate(options: EstimateOptions): Promise<Estimate>;
  probe(options: ProbeOptions): Promise<AdapterProbe>;
}

/** A stream and how far the page has let it run. */
interface OpenStream {
  readonly iterator: AsyncIterator<unknown>;
  credit: number;
  pumping: boolean;
}

/** Everything the host owns. */
interface Host {
  readonly port: Port;
  readonly services: Services;
  readonly controllers: Map<number, AbortController>;
  readonly streams: Map<number, OpenStream>;
  engine: Engine | undefined;
  loading: boolean;
  dropped: number;
}

function post(host: Host, message: FromWorker): void {
  host.port.postMessage(wrap(message), []);
}

function notLoaded(): ShaderloomError {
  return new ShaderloomError("WORKER.unloaded", "The worker holds no engine. Create one with createEngine() first.");
}

function engineOf(host: Host): Engine {
  if (host.engine === undefined) throw notLoaded();
  return host.engine;
}

async function load(host: Host, message: Extract<ToWorker, { kind: "load" }>, signal: AbortSignal): Promise<void> {
  if (host.loading || host.engine !== undefined) {
    throw new ShaderloomError("WORKER.loaded", "The worker already has an engine. Create another engine for another model.");
  }
  host.loading = true;
  try {
    const onProgress: EngineOptions["onProgress"] = (progress) => post(host, { kind: "progress", id: message.id, progress });
    // For when there is no network.
    import("./remote_sessions.ts").catch(() => undefined);
    host.engine = await host.services.createEngine({ ...message.options, worker: false, onProgress, signal });
  } finally {
    host.loading = false;
  }
}

function runTask(host: Host, message: Extract<ToWorker, { kind: "task" }>, signal: AbortSignal): Promise<unknown> {
  if (message.task === "estimate") return host.services.estimate({ ...message.options, worker: false, signal });
  return host.services.probe({ ...message.options, worker: false, signal });
}

/** The arguments are whatever came over the wire; the engine checks them as it checks any caller's. */
async function call(host: Host, message: Extract<ToWorker, { kind: "call" }>, signal: AbortSignal): Promise<unknown> {
  const engine = engineOf(host);
  switch (message.method) {
    case "chat":
      return engine.chat.completions.create(message.args[0], { signal });
    case "completions":
      return engine.completions.create(message.args[0], { signal });
    case "tokenize":
      return engine.tokenize(message.args[0]);
    case "detokenize":
      return engine.detokenize(message.args[0]);
    case "applyChatTemplate":
      return engine.applyChatTemplate(...message.args);
    case "info":
      return { ...(await engine.info()), worker: true };
    case "stats":
      return engine.stats();
    case "tune":
      return engine.tune({ signal, onProgress: (progress) => post(host, { kind: "progress", id: message.id, progress }) });
    case "profile":
      return engine.profile({ ...message.args[0], signal });
    case "unload":
      await engine.unload();
      return undefined;
    default:
      return (await part(import("./remote_sessions.ts"))).callSession(engine, message, signal);
  }
}

async function openStream(host: Host, message: Extract<ToWorker, { kind: "stream" }>, signal: AbortSignal): Promise<void> {
  const engine = engineOf(host);
  const stream: AsyncIterable<unknown> =
    message.method === "chat"
      ? await engine.chat.completions.create(message.request, { signal })
      : await engine.completions.create(message.request, { signal });
  host.streams.set(message.id, { iterator: stream[Symbol.asyncIterator](), credit: 0, pumping: false });
}

function endCall(host: Host, id: number): void {
  host.controllers.delete(id);
  host.streams.delete(id);
}

function fail(host: Host, id: number, thrown: unknown): void {
  endCall(host, id);
  post(host, { kind: "error", id, error: asShaderloomError(thrown).toPlain() });
}

/** Moves chunks while there is credit. One pump per stream at a time. */
async function pump(host: Host, id: number, stream: OpenStream): Promise<void> {
  if (stream.pumping) return;
  stream.pumping = true;
  try {
    while (stream.credit > 0) {
      stream.credit--;
      const next = await stream.iterator.next();
      if (next.done === true) {
        endCall(host, id);
        post(host, { kind: "end", id });
        return;
      }
      post(host, { kind: "chunk", id, value: next.value });
    }
  } catch (thrown) {
    fail(host, id, thrown);
  } finally {
    stream.pumping = false;
  }
}

/** Runs one call to its answer. Never rejects: failures are messages. */
async function answer(host: Host, message: Extract<ToWorker, { kind: "load" | "task" | "call" | "stream" }>): Promise<void> {
  const { id } = message;
  // An id in use is a forged or repeated message; answering would confuse two calls.
  if (host.controllers.has(id)) {
    host.dropped++;
    return;
  }
  const controller = new AbortController();
  host.controllers.set(id, controller);
  try {
    if (message.kind === "stream") {
      await openStream(host, message, controller.signal);
      post(host, { kind: "result", id, value: undefined });
      return;
    }
    const value = await valueOf(host, message, controller.signal);
    endCall(host, id);
    post(host, { kind: "result", id, value });
  } catch (thrown) {
    fail(host, id, thrown);
  }
}

async function valueOf(host: Host, message: Extract<ToWorker, { kind: "load" | "task" | "call" }>, signal: AbortSignal): Promise<unknown> {
  if (message.kind === "load") return load(host, message, signal);
  return message.kind === "task" ? runTask(host, message, signal) : call(host, message, signal);
}

function abort(host: Host, id: number): void {
  const stream = host.streams.get(id);
  host.controllers.get(id)?.abort();
  if (stream === undefined || stream.pumping) return;
  // Nobody pulls a stream that is out of credit, so nobody would notice the abort and drop the record.
  endCall(host, id);
}

function receive(host: Host, message: ToWorker): void {
  switch (message.kind) {
    case "ping":
      return post(host, { kind: "pong", id: message.id });
    case "abort":
      return abort(host, message.id);
    case "credit": {
      const stream = host.streams.get(message.id);
      if (stream === undefined) return;
      stream.credit += message.count;
      void pump(host, message.id, stream);
      return;
    }
    default:
      void answer(host, message);
  }
}

/** The running host, for tests. */
export interface EngineHost {
  /** Messages that were no message of ours. */
  readonly dropped: number;
  /** Calls and streams that have not ended. */
  readonly open: number;
  /** Says that the worker itself failed. */
  fault(thrown: unknown): void;
}

/**
 * Serves one engine on a port and greets the page.
 *
 * @param services make the engine, or do a task, in this thread
 * @param webgpu whether this thread has WebGPU; without it the page loads the engine itself
 */
export function serveEngine(port: Port, services: Services, webgpu: boolean): EngineHost {
  const host: Host = { port, services, controllers: new Map(), streams: new Map(), engine: undefined, loading: false, dropped: 0 };
  port.addEventListener("message", (event) => {
    const message = parseToWorker(event.data);
    if (message === undefined) host.dropped++;
    else receive(host, message);
  });
  post(host, { kind: "hello", webgpu });
  return {
    get dropped() {
      return host.dropped;
    },
    get open() {
      return host.controllers.size;
    },
    fault: (thrown) => post(host, { kind: "fault", error: asShaderloomError(thrown).toPlain() }),
  };
}
