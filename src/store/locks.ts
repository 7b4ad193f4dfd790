// Locks by name, shared or exclusive, over all tabs: Web Locks where there are any, else a table of this process (Node). A lock
// of a tab that died frees itself. Waiting for an exclusive lock would block everybody who comes later for a shared one, so
// whoever can do without uses `tryAcquire`.

import { abortError, assert, throwIfAborted } from "../base/errors.ts";
import type { Hold } from "./model_store.ts";
import { type LockMode, type LockRequests, processLocks } from "./process_locks.ts";

export interface Locks {
  /**
   * Waits for the lock.
   *
   * @throws {ShaderloomError} AbortError
   */
  acquire(name: string, mode: LockMode, signal?: AbortSignal): Promise<Hold>;
  /** @returns undefined when somebody has it, or waits for it */
  tryAcquire(name: string, mode: LockMode): Promise<Hold | undefined>;
  /** Names of held locks that start with `prefix`. */
  held(prefix: string): Promise<string[]>;
}

/** @param scope set before each name: what has different scopes is never the same lock */
export function openLocks(scope: string, requests: LockRequests = findRequests()): Locks {
  return {
    acquire: async (name, mode, signal) => {
      throwIfAborted(signal);
      const hold = await take(requests, scope + name, { mode, ...(signal ? { signal } : {}) }).catch((thrown: unknown) => {
        throw signal?.aborted ? abortError() : thrown;
      });
      assert(hold !== undefined, "only a request that does not wait comes back without its lock");
      return hold;
    },
    tryAcquire: (name, mode) => take(requests, scope + name, { mode, ifAvailable: true }),
    held: async (prefix) => {
      const { held = [] } = await requests.query();
      return held.flatMap(({ name }) => (name?.startsWith(scope + prefix) ? [name.slice(scope.length)] : []));
    },
  };
}

/** Typed as always there, which it is neither on http: pages nor in older Node. */
function findRequests(): LockRequests {
  const manager: LockManager | undefined = globalThis.navigator?.locks;
  return manager ?? processLocks();
}

/** A lock as a thing to release, instead of a callback to return from. */
function take(requests: LockRequests, name: string, options: Parameters<LockRequests["request"]>[1]): Promise<Hold | undefined> {
  return new Promise((resolve, reject) => {
    requests
      .request(name, options, (lock) => {
        if (lock === null) {
          resolve(undefined);
          return undefined;
        }
        return new Promise<void>((release) => {
          resolve({ release });
        });
      })
      .catch(reject);
  });
}
