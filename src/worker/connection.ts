// The page's end of the port: calls out, answers back, and the verdict that a worker is dead. A worker that was terminated
// or hangs gives no event at all, so while an answer is outstanding a heartbeat asks whether anyone is there.

import type { LoadProgress, TuneProgress } from "../api/types.ts";
import { ShaderloomError, abortError, throwIfAborted } from "../base/errors.ts";
import { parseFromWorker, wrap } from "./protocol.ts";
import type { FromWorker, Port, ToWorker } from "./protocol.ts";

/** A call that has not ended. */
export interface OpenCall {
  /** Its result only says that chunks may follow. */
  readonly isStream?: boolean;
  readonly onResult: (value: unknown) => void;
  readonly onError: (error: ShaderloomError) => void;
  readonly onChunk?: (value: unknown) => void;
  readonly onEnd?: () => void;
  readonly onProgress?: (progress: LoadProgress | TuneProgress) => void;
}

export interface HeartbeatOptions {
  /** Milliseconds between pings. */
  readonly intervalMs: number;
  /**
   * Pings without any message in return after which the worker counts as dead. Ticks, not time: a page that was frozen
   * comes back with no ticks in between, and so does its worker.
   */
  readonly misses: number;
}

/** 10 s: the longest single task of a healthy worker (a tokenizer of 152k entries) takes 1 to 2 s on a slow machine. */
export const defaultHeartbeat: HeartbeatOptions = { intervalMs: 1000, misses: 10 };

/** The port, the calls on it, and whether it lives. */
export interface Connection {
  /** Ids are never used twice, so a late answer meets nobody. */
  nextId(): number;
  /** @throws {ShaderloomError} the error that ended the connection, or REQUEST.data when the message cannot be cloned */
  send(message: ToWorker, transfer?: Transferable[]): void;
  open(id: number, call: OpenCall): void;
  close(id: number): void;
  /**
   * Ends the connection. Idempotent; the first end stands.
   * @param error of every later call
   * @param openError of the calls that are open, where it is another
   */
  end(error: ShaderloomError, openError?: ShaderloomError): void;
  readonly ended: ShaderloomError | undefined;
  /** Messages that were none of ours or belong to no open call. */
  readonly dropped: number;
}

interface State {
  readonly port: Port;
  readonly heartbeat: HeartbeatOptions;
  readonly calls: Map<number, OpenCall>;
  readonly onEnd: (error: ShaderloomError) => void;
  lastId: number;
  dropped: number;
  silentPings: number;
  timer: ReturnType<typeof setInterval> | undefined;
  ended: ShaderloomError | undefined;
}

function stopHeartbeat(state: State): void {
  clearInterval(state.timer);
  state.timer = undefined;
}

function beat(state: State): void {
  if (state.silentPings >= state.heartbeat.misses) {
    const seconds = (state.heartbeat.intervalMs * state.heartbeat.misses) / 1000;
    endConnection(
      state,
      new ShaderloomError("WORKER.silent", `The engine's worker has not answered for ${seconds} s. Create the engine again.`, {
        retryable: true,
      }),
    );
    return;
  }
  state.silentPings++;
  state.lastId++;
  state.port.postMessage(wrap<ToWorker>({ kind: "ping", id: state.lastId }), []);
}

function startHeartbeat(state: State): void {
  if (state.timer !== undefined || state.ended !== undefined) return;
  state.silentPings = 0;
  state.timer = setInterval(() => beat(state), state.heartbeat.intervalMs);
}

function endConnection(state: State, error: ShaderloomError, openError = error): void {
  if (state.ended !== undefined) return;
  state.ended = error;
  stopHeartbeat(state);
  const calls = [...state.calls.values()];
  state.calls.clear();
  state.onEnd(error);
  for (const call of calls) call.onError(openError);
}

function closeCall(state: State, id: number): void {
  state.calls.delete(id);
  if (state.calls.size === 0) stopHeartbeat(state);
}

function receive(state: State, message: FromWorker): void {
  state.silentPings = 0;
  if (message.kind === "pong" || message.kind === "hello") return;
  if (message.kind === "fault") return endConnection(state, ShaderloomError.fromPlain(message.error));
  const call = state.calls.get(message.id);
  if (call === undefined) {
    state.dropped++;
    return;
  }
  switch (message.kind) {
    case "progress":
      return call.onProgress?.(message.progress);
    case "chunk":
      return call.onChunk?.(message.value);
    case "result":
      if (call.isStream !== true) closeCall(state, message.id);
      return call.onResult(message.value);
    case "end":
      closeCall(state, message.id);
      return call.onEnd?.();
    case "error":
      closeCall(state, message.id);
      return call.onError(ShaderloomError.fromPlain(message.error));
  }
}

function send(state: State, message: ToWorker, transfer: Transferable[]): void {
  if (state.ended !== undefined) throw state.ended;
  try {
    state.port.postMessage(wrap(message), transfer);
  } catch (cause) {
    throw new ShaderloomError(
      "REQUEST.data",
      "The arguments hold something that cannot go to a worker (a function, for example). Use plain data.",
      {
        cause,
      },
    );
  }
}

/** @param onEnd called once when the connection ends, before the calls hear of it */
export function connect(port: Port, onEnd: (error: ShaderloomError) => void, heartbeat: HeartbeatOptions = defaultHeartbeat): Connection {
  const state: State = {
    port,
    heartbeat,
    calls: new Map(),
    onEnd,
    lastId: 0,
    dropped: 0,
    silentPings: 0,
    timer: undefined,
    ended: undefined,
  };
  port.addEventListener("message", (event) => {
    if (state.ended !== undefined) {
      state.dropped++;
      return;
    }
    const message = parseFromWorker(event.data);
    if (message === undefined) state.dropped++;
    else receive(state, message);
  });
  return {
    nextId: () => ++state.lastId,
    send: (message, transfer = []) => send(state, message, transfer),
    open(id, call) {
      state.calls.set(id, call);
      startHeartbeat(state);
    },
    close: (id) => closeCall(state, id),
    end: (error, openError) => endConnection(state, error, openError),
    get ended() {
      return state.ended;
    },
    get dropped() {
      return state.dropped;
    },
  };
}

/** Options of one call. */
export interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: LoadProgress | TuneProgress) => void) | undefined;
  readonly transfer?: Transferable[];
}

/** The error of an answer that does not have its method's shape. */
export function malformedError(): ShaderloomError {
  return new ShaderloomError("WORKER.message", "The engine's worker gave an answer that makes no sense. Create the engine again.");
}

/**
 * One call with one answer. An abort rejects at once and tells the worker; the worker's own answer is then dropped.
 *
 * @throws {ShaderloomError} whatever the worker answers, AbortError, WORKER.*
 */
export async function ask(connection: Connection, message: (id: number) => ToWorker, options: AskOptions = {}): Promise<unknown> {
  const { signal, onProgress } = options;
  throwIfAborted(signal);
  const id = connection.nextId();
  connection.send(message(id), options.transfer);
  return new Promise<unknown>((resolve, reject) => {
    const onAbort = (): void => {
      connection.close(id);
      connection.send({ kind: "abort", id });
      reject(abortError());
    };
    const settle = (): void => signal?.removeEventListener("abort", onAbort);
    signal?.addEventListener("abort", onAbort, { once: true });
    connection.open(id, {
      onResult: (value) => {
        settle();
        resolve(value);
      },
      onError: (error) => {
        settle();
        reject(error);
      },
      ...(onProgress === undefined ? {} : { onProgress }),
    });
  });
}
