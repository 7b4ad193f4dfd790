// Locks of this process, for where there are no Web Locks: the same requests over a table. First come, first served, so that an
// exclusive request waits its turn but not for ever. Other processes are not seen.

export type LockMode = "shared" | "exclusive";

/** The part of the Web Locks API that is used: requests that wait, requests that do not, and a list of what is held. */
export interface LockRequests {
  request(
    name: string,
    options: { mode: LockMode; ifAvailable?: boolean; signal?: AbortSignal },
    callback: (lock: unknown) => Promise<void> | undefined,
  ): Promise<unknown>;
  query(): Promise<{ held?: ReadonlyArray<{ name?: string }> }>;
}

interface Request {
  readonly mode: LockMode;
  /** Called once, when it is this request's turn. */
  readonly grant: () => void;
}

interface Queue {
  /** Modes of those who hold the lock: one exclusive or any number of shared. */
  held: LockMode[];
  waiting: Request[];
}

const table = Symbol.for("shaderloom.locks");

/**
 * The one table of this process. It hangs on `globalThis` because two copies of this module, as bundlers make them, must see each
 * other's locks.
 */
export function processLocks(): LockRequests {
  const known: unknown = Reflect.get(globalThis, table);
  if (isLocks(known)) return known;
  const made = createProcessLocks();
  Reflect.set(globalThis, table, made);
  return made;
}

function isLocks(value: unknown): value is LockRequests {
  return typeof value === "object" && value !== null && "request" in value && "query" in value;
}

export function createProcessLocks(): LockRequests {
  const queues = new Map<string, Queue>();
  return {
    request: async (name, { mode, ifAvailable, signal }, callback) => {
      const queue = queues.get(name) ?? { held: [], waiting: [] };
      queues.set(name, queue);
      if (ifAvailable && !(queue.waiting.length === 0 && fits(queue, mode))) return callback(null);
      await wait(queue, mode, signal);
      try {
        return await callback({ name, mode });
      } finally {
        queue.held.splice(queue.held.indexOf(mode), 1);
        grantNext(queue);
        if (queue.held.length + queue.waiting.length === 0) queues.delete(name);
      }
    },
    query: async () => ({ held: [...queues].flatMap(([name, { held }]) => held.map(() => ({ name }))) }),
  };
}

function wait(queue: Queue, mode: LockMode, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      queue.waiting.splice(queue.waiting.indexOf(request), 1);
      grantNext(queue);
      reject(signal?.reason);
    };
    const grant = (): void => {
      signal?.removeEventListener("abort", giveUp);
      resolve();
    };
    const request: Request = { mode, grant };
    signal?.addEventListener("abort", giveUp);
    queue.waiting.push(request);
    grantNext(queue);
  });
}

function grantNext(queue: Queue): void {
  for (let next = queue.waiting[0]; next !== undefined && fits(queue, next.mode); next = queue.waiting[0]) {
    queue.waiting.shift();
    queue.held.push(next.mode);
    next.grant();
  }
}

function fits({ held }: Queue, mode: LockMode): boolean {
  return held.length === 0 || (mode === "shared" && !held.includes("exclusive"));
}
