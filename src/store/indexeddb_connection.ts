// One connection to one IndexedDB database, kept alive: browsers close it when site data is cleared, when their storage process
// dies (Safari's often does) or when another tab wants to change the schema. A lost connection is opened again up to three
// times, then the store counts as lost. Knows transactions; indexeddb.ts knows what is in them.

import { ShaderloomError } from "../base/errors.ts";
import type { Durability } from "./key_value.ts";
import { asStoreError } from "./quota.ts";

/** Raised when the object stores change. Values have versions of their own. */
const schemaVersion = 1;
const objectStores = ["values", "chunks"] as const;
export type ObjectStoreName = (typeof objectStores)[number];

export interface IndexedDbOptions {
  /** Told each time that the connection was lost and is there again. What was stored may be gone: cleared data looks like this. */
  readonly onReconnect?: (() => void) | undefined;
  /** Milliseconds to wait for a database that does not open, mostly because another tab holds an older version of it. */
  readonly openWithin?: number | undefined;
  /** For tests: what else than the browser's own. */
  readonly factory?: IDBFactory | undefined;
}

/** How a transaction is run. */
export interface TransactionKind {
  readonly store: ObjectStoreName;
  readonly mode: IDBTransactionMode;
  readonly durability?: Durability | undefined;
  /** For messages: "Storing a chunk". */
  readonly what: string;
}

/** How many milliseconds before each attempt to open a lost connection again. */
const reopenAfter = [20, 150, 800];
const defaultOpenWithin = 10_000;
/**
 * Milliseconds for transactions to end once the browser closed their connection. Chromium 156 aborts most of them, but of those that were
 * storing Blobs when a site's data was cleared some never end.
 */
const endWithin = 500;

export class Connection {
  readonly #name: string;
  readonly #options: IndexedDbOptions;
  #opening: Promise<IDBDatabase> | undefined;
  #lost = false;
  #closed = false;

  constructor(name: string, options: IndexedDbOptions) {
    this.#name = name;
    this.#options = options;
  }

  /** @throws {ShaderloomError} STORE.unavailable, STORE.blocked, STORE.lost, QUOTA.full */
  open(): Promise<void> {
    return this.#persevere("Opening the model store", async () => undefined);
  }

  /**
   * Runs `work` in a transaction of its own and gives its result when that is complete: a request that succeeded in a transaction
   * that is then refused for want of room has stored nothing. `work` may run again on a new connection.
   *
   * @throws {ShaderloomError} STORE.*, QUOTA.full; or what `work` throws by itself, with nothing written
   */
  run<T>(kind: TransactionKind, work: (store: IDBObjectStore) => T | PromiseLike<T>): Promise<T> {
    return this.#persevere(kind.what, (database) => transact(database, kind, work));
  }

  close(): void {
    this.#closed = true;
    const opening = this.#opening;
    if (opening !== undefined) this.#forget(opening);
  }

  async #persevere<T>(what: string, attempt: (database: IDBDatabase) => Promise<T>): Promise<T> {
    for (let attempts = 0; ; attempts++) {
      if (this.#closed) throw new ShaderloomError("STORE.closed", "The model store was closed. Open it again.");
      const opening = this.#open();
      try {
        return await attempt(await opening);
      } catch (thrown) {
        if (thrown instanceof WorkError) throw thrown.cause;
        if (!isLoss(thrown)) throw asStoreError(thrown, what);
        this.#forget(opening);
        const pause = reopenAfter[attempts];
        if (pause === undefined) throw lostStore(what, thrown);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  #open(): Promise<IDBDatabase> {
    if (this.#opening !== undefined) return this.#opening;
    const opening: Promise<IDBDatabase> = this.#connect(() => this.#forget(opening));
    this.#opening = opening;
    opening.catch(() => this.#forget(opening));
    return opening;
  }

  /** @param onEnd called when the browser ends the connection or another tab waits for us to do so */
  async #connect(onEnd: () => void): Promise<IDBDatabase> {
    const factory = this.#options.factory ?? browserFactory();
    const within = this.#options.openWithin ?? defaultOpenWithin;
    let database = await openDatabase(factory, this.#name, within);
    if (objectStores.some((name) => !database.objectStoreNames.contains(name))) {
      // Damage on disk can lose the schema and keep the version. What may be left under it is of no use without the rest.
      database.close();
      await answer(factory.deleteDatabase(this.#name), within);
      database = await openDatabase(factory, this.#name, within);
      this.#lost = true;
    }
    database.addEventListener("close", onEnd);
    database.addEventListener("versionchange", onEnd);
    if (this.#lost) this.#options.onReconnect?.();
    this.#lost = false;
    return database;
  }

  /** A burst of failures on one connection loses it once, and never the one that came after it. */
  #forget(opening: Promise<IDBDatabase>): void {
    opening.then(
      (database) => database.close(),
      () => undefined,
    );
    if (this.#opening !== opening) return;
    this.#opening = undefined;
    this.#lost = true;
  }
}

/** What `work` itself threw, told apart from what the database did. */
class WorkError extends Error {}

async function transact<T>(database: IDBDatabase, kind: TransactionKind, work: (store: IDBObjectStore) => T | PromiseLike<T>): Promise<T> {
  const transaction = database.transaction(kind.store, kind.mode, { durability: kind.durability ?? "default" });
  const done = completion(transaction);
  let result: T | PromiseLike<T>;
  try {
    result = work(transaction.objectStore(kind.store));
  } catch (thrown) {
    // Without this, what was put before the throw would be written.
    transaction.abort();
    await done.catch(() => undefined);
    throw new WorkError("the transaction was not made", { cause: thrown });
  }
  // The transaction knows why it failed; its requests often say only that they were aborted, or never say anything.
  Promise.resolve(result).catch(() => undefined);
  await done;
  return result;
}

function completion(transaction: IDBTransaction): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  const done = new Promise<void>((resolve, reject) => {
    let failed: unknown;
    transaction.addEventListener("complete", () => resolve(), { signal });
    transaction.addEventListener(
      "error",
      ({ target }) => {
        failed ??= target instanceof IDBRequest ? target.error : undefined;
      },
      { signal },
    );
    transaction.addEventListener("abort", () => reject(transaction.error ?? failed ?? new DOMException("aborted", "AbortError")), {
      signal,
    });
    transaction.db.addEventListener(
      "close",
      () => {
        const timer = setTimeout(() => reject(new DOMException("the connection was closed", "InvalidStateError")), endWithin);
        signal.addEventListener("abort", () => clearTimeout(timer));
      },
      { signal },
    );
  });
  return done.finally(() => over.abort());
}

/** Errors that a new connection may mend. `UnknownError` is what Chrome and Safari call a lost storage process or a broken disk. */
const lossNames = ["InvalidStateError", "UnknownError", "AbortError", "TransactionInactiveError", "NotFoundError", "TimeoutError"];

function isLoss(thrown: unknown): boolean {
  return thrown instanceof DOMException && lossNames.includes(thrown.name);
}

function lostStore(what: string, cause: unknown): ShaderloomError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `${what} failed: the browser's storage is lost and did not come back (${reason}). Reload the page to store again; loading also works without storing.`;
  return new ShaderloomError("STORE.lost", message, { retryable: true, detail: { what, reopened: reopenAfter.length }, cause });
}

function browserFactory(): IDBFactory {
  // Typed as always there; missing in Node and old private modes, and the getter throws in sandboxed frames of some browsers.
  const factory: IDBFactory | undefined = globalThis.indexedDB;
  if (factory === undefined) throw new DOMException("there is no IndexedDB", "SecurityError");
  return factory;
}

async function openDatabase(factory: IDBFactory, name: string, within: number): Promise<IDBDatabase> {
  const request = factory.open(name, schemaVersion);
  let refused: DOMException | null = null;
  request.addEventListener("upgradeneeded", () => {
    const { result: database, transaction } = request;
    for (const store of objectStores) if (!database.objectStoreNames.contains(store)) database.createObjectStore(store);
    // The request itself will only say that it was aborted.
    transaction?.addEventListener("abort", () => {
      refused = transaction.error;
    });
  });
  try {
    return await answer(request, within);
  } catch (thrown) {
    if (refused !== null) throw refused;
    // Private windows of Firefox once refused in these words; a later loss of connection is not seen here.
    if (thrown instanceof DOMException && thrown.name === "InvalidStateError") throw new DOMException(thrown.message, "SecurityError");
    throw thrown;
  }
}

/** @throws {ShaderloomError} STORE.blocked after `within` milliseconds: never a hang */
function answer<T>(request: IDBOpenDBRequest & IDBRequest<T>, within: number): Promise<T> {
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      const message =
        "The model store does not open: another tab of this site holds an older version of it. Close the other tabs and reload.";
      reject(new ShaderloomError("STORE.blocked", message, { retryable: true, detail: { waitedMs: within } }));
    }, within);
    request.addEventListener("success", () => {
      clearTimeout(timer);
      // Left open, it would block others in turn.
      if (late) closeIfDatabase(request.result);
      resolve(request.result);
    });
    request.addEventListener("error", () => {
      clearTimeout(timer);
      reject(request.error ?? new DOMException("the database did not open", "UnknownError"));
    });
  });
}

function closeIfDatabase(result: unknown): void {
  if (result instanceof IDBDatabase) result.close();
}
