// Turns on the one session, first in, first out. Whoever holds the turn runs; the rest wait here, up to a bound, and can
// leave while they wait. Knows nothing of what a turn is used for.

import { ShaderloomError, abortError, throwIfAborted } from "../base/errors.ts";

/** Requests that may wait. More are refused rather than kept in memory for an answer nobody may wait for. */
export const MAX_WAITING = 64;

/** Gives the turn back; calls after the first do nothing. */
export type Release = () => void;

interface Waiter {
  readonly start: (release: Release) => void;
  readonly fail: (error: ShaderloomError) => void;
}

/** The turns of one engine. */
export interface TurnQueue {
  /**
   * Resolves when it is the caller's turn.
   *
   * @throws {ShaderloomError} BUSY when 64 already wait, AbortError when the signal fires first, the closing error after close
   */
  take(signal?: AbortSignal): Promise<Release>;
  /** How many wait for a turn (without the one that has it). */
  readonly waiting: number;
  /** Refuses everyone who waits or comes later. Whoever has the turn keeps it. */
  close(error: ShaderloomError): void;
  /** Resolves when nobody has the turn. */
  idle(): Promise<void>;
}

/** State of a queue; the functions below are its transitions. */
interface State {
  readonly waiters: Set<Waiter>;
  readonly idleListeners: Array<() => void>;
  taken: boolean;
  closed: ShaderloomError | undefined;
}

function makeRelease(state: State): Release {
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    const [next] = state.waiters;
    if (next !== undefined) {
      state.waiters.delete(next);
      next.start(makeRelease(state));
      return;
    }
    state.taken = false;
    for (const listener of state.idleListeners.splice(0)) listener();
  };
}

function wait(state: State, signal: AbortSignal | undefined): Promise<Release> {
  return new Promise<Release>((resolve, reject) => {
    const onAbort = (): void => {
      state.waiters.delete(waiter);
      reject(abortError(signal));
    };
    const waiter: Waiter = {
      start: (release) => {
        signal?.removeEventListener("abort", onAbort);
        resolve(release);
      },
      fail: (error) => {
        signal?.removeEventListener("abort", onAbort);
        reject(error);
      },
    };
    state.waiters.add(waiter);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

export function createTurnQueue(): TurnQueue {
  const state: State = { waiters: new Set(), idleListeners: [], taken: false, closed: undefined };
  return {
    async take(signal) {
      throwIfAborted(signal);
      if (state.closed !== undefined) throw state.closed;
      if (!state.taken) {
        state.taken = true;
        return makeRelease(state);
      }
      if (state.waiters.size >= MAX_WAITING) {
        throw new ShaderloomError(
          "BUSY",
          `${MAX_WAITING} requests already wait for this engine. Try again when some have finished, or wait for answers before asking more.`,
          { retryable: true, detail: { waiting: MAX_WAITING } },
        );
      }
      return wait(state, signal);
    },
    get waiting() {
      return state.waiters.size;
    },
    close(error) {
      state.closed ??= error;
      const waiters = [...state.waiters];
      state.waiters.clear();
      for (const waiter of waiters) waiter.fail(error);
    },
    idle() {
      return state.taken ? new Promise((resolve) => void state.idleListeners.push(resolve)) : Promise.resolve();
    },
  };
}
