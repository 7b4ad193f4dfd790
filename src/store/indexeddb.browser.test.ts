import { afterEach, describe, expect, test, vi } from "vitest";
import { sameBytes, seededBytes } from "../testing/chunk_cases.ts";
import { testChunks, testKeyValue } from "../testing/store_contract.ts";
import { errorCode, typedError } from "../testing/typed_error.ts";
import { openIndexedDb } from "./indexeddb.ts";
import type { IndexedDbOptions } from "./indexeddb.ts";

const made = new Set<string>();
const file = "c0".repeat(16);

function newName(): string {
  const name = `test-${crypto.randomUUID()}`;
  made.add(name);
  return name;
}

function finished<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error ?? new Error("failed")));
  });
}

/** Another tab's connection: it does as it likes. */
function openRaw(name: string, version?: number): Promise<IDBDatabase> {
  return finished(indexedDB.open(name, version));
}

interface Watched {
  readonly options: IndexedDbOptions;
  readonly databases: IDBDatabase[];
  readonly reconnects: () => number;
}

/** The browser's own factory, with a look at the databases it opens. */
function watched(): Watched {
  const databases: IDBDatabase[] = [];
  let reconnects = 0;
  const factory = Object.create(indexedDB) as IDBFactory;
  factory.deleteDatabase = (name) => indexedDB.deleteDatabase(name);
  factory.open = (name, version) => {
    const request = indexedDB.open(name, version);
    request.addEventListener("success", () => databases.push(request.result));
    return request;
  };
  const onReconnect = (): void => {
    reconnects++;
  };
  return { options: { factory, onReconnect }, databases, reconnects: () => reconnects };
}

/** A factory that fails as often as told before it works. */
function failing(times: number, error: DOMException): { options: IndexedDbOptions; reconnects: () => number; opened: () => number } {
  const { options, reconnects } = watched();
  let left = times;
  let opened = 0;
  const factory = Object.create(options.factory ?? indexedDB) as IDBFactory;
  factory.open = (name, version) => {
    opened++;
    if (left-- <= 0) return indexedDB.open(name, version);
    const request = Object.assign(new EventTarget(), { error });
    queueMicrotask(() => request.dispatchEvent(new Event("error")));
    return request as unknown as IDBOpenDBRequest;
  };
  return { options: { ...options, factory }, reconnects, opened: () => opened };
}

/** Shows each new transaction to `alter` until mocks are restored. */
function alterTransactions(alter: (transaction: IDBTransaction) => void): void {
  const real = Reflect.get(IDBDatabase.prototype, "transaction") as (...given: unknown[]) => IDBTransaction;
  vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementation(function spy(this: IDBDatabase, ...given) {
    const transaction = real.apply(this, given);
    alter(transaction);
    return transaction;
  });
}

afterEach(async () => {
  vi.restoreAllMocks();
  for (const name of made) await finished(indexedDB.deleteDatabase(name));
  made.clear();
});

testChunks("indexeddb", async () => (await openIndexedDb(newName())).chunks);
testKeyValue("indexeddb", async () => (await openIndexedDb(newName())).keyValue);

describe("indexeddb: what lasts", () => {
  test("is there for the next connection, values and chunks", async () => {
    const name = newName();
    const first = await openIndexedDb(name);
    await first.keyValue.set([["a", { b: 1 }]], "strict");
    await first.chunks.put(file, 3, seededBytes(5000, 1));
    first.chunks.close();
    const second = await openIndexedDb(name);
    expect(await second.keyValue.get("a")).toEqual({ b: 1 });
    expect(sameBytes(await second.chunks.read(file, 3, 5000), seededBytes(5000, 1))).toBe(true);
    second.keyValue.close();
  });

  test("a chunk that is a view takes the room of the view, not of its buffer", async () => {
    const name = newName();
    const store = await openIndexedDb(name);
    await store.chunks.put(file, 0, new Uint8Array(8 << 20).subarray(5, 1005));
    const raw = await openRaw(name);
    const value: unknown = await finished(raw.transaction("chunks").objectStore("chunks").get([file, 0]));
    expect(value instanceof Blob && value.size).toBe(1000);
    raw.close();
    store.chunks.close();
  });

  test("values asked to be strict are written so, others are not", async () => {
    const asked: string[] = [];
    alterTransactions((transaction) => asked.push(transaction.durability));
    const store = await openIndexedDb(newName());
    await store.keyValue.set([["a", 1]], "strict");
    await store.keyValue.set([["a", 1]]);
    await store.chunks.put(file, 0, seededBytes(10, 1));
    expect(asked).toEqual(["strict", "relaxed", "relaxed"]);
    store.keyValue.close();
  });

  test("a file handle can be kept as a value", async () => {
    const folder = await navigator.storage.getDirectory();
    const handle = await folder.getFileHandle(`handle-${crypto.randomUUID()}`, { create: true });
    const store = await openIndexedDb(newName());
    await store.keyValue.set([["handle", handle]]);
    const kept = await store.keyValue.get("handle");
    expect(kept instanceof FileSystemFileHandle && (await kept.isSameEntry(handle))).toBe(true);
    await folder.removeEntry(handle.name);
    store.keyValue.close();
  });
});

/** Lets requests succeed and then aborts their transaction, as a browser does that has no room. */
function refuseFor(error: DOMException, times: number): void {
  let left = times;
  alterTransactions((transaction) => {
    if (left-- <= 0) return;
    Object.defineProperty(transaction, "error", { value: error });
    const store = transaction.objectStore(transaction.objectStoreNames[0] ?? "");
    const put = store.put.bind(store);
    store.put = (value, key) => {
      const request = put(value, key);
      request.addEventListener("success", () => transaction.abort());
      return request;
    };
  });
}

describe("indexeddb: no room", () => {
  const full = new DOMException("no room", "QuotaExceededError");

  test("row 48: a request that succeeds in a transaction that is then refused has stored nothing, and says QUOTA.full", async () => {
    const { options, reconnects } = watched();
    const store = await openIndexedDb(newName(), options);
    refuseFor(full, 1);
    expect(await errorCode(store.chunks.put(file, 0, seededBytes(100, 1)))).toBe("QUOTA.full");
    expect(await store.chunks.read(file, 0, 100)).toBeUndefined();
    vi.restoreAllMocks();
    refuseFor(full, 1);
    const entries = [
      ["a", 1],
      ["b", 2],
    ] as const;
    expect(await errorCode(store.keyValue.set(entries))).toBe("QUOTA.full");
    expect(await store.keyValue.getMany(["a", "b"])).toEqual([undefined, undefined]);
    await store.keyValue.set(entries);
    expect(await store.keyValue.getMany(["a", "b"])).toEqual([1, 2]);
    expect(reconnects()).toBe(0);
    store.keyValue.close();
  });
});

describe("indexeddb: lost connections", () => {
  test("row 53: a backing store that fails to open twice is there the third time", async () => {
    const backing = new DOMException("Internal error opening backing store for indexedDB.open.", "UnknownError");
    const { options, reconnects, opened } = failing(2, backing);
    const store = await openIndexedDb(newName(), options);
    await store.keyValue.set([["a", 1]]);
    expect([opened(), reconnects(), await store.keyValue.get("a")]).toEqual([3, 1, 1]);
    store.keyValue.close();
  });

  test("row 53: one that never comes back is STORE.lost after three more tries", async () => {
    const lost = new DOMException("Connection to Indexed Database server lost. Refresh the page to try again", "UnknownError");
    const { options, reconnects, opened } = failing(99, lost);
    const error = await typedError(openIndexedDb(newName(), options));
    expect([error.code, error.retryable, opened(), reconnects()]).toEqual(["STORE.lost", true, 4, 0]);
  });

  test("row 50: a connection that the browser ends is opened again, once for all who wait", async () => {
    const { options, databases, reconnects } = watched();
    const store = await openIndexedDb(newName(), options);
    await store.chunks.put(file, 0, seededBytes(1000, 1));
    databases[0]?.close();
    databases[0]?.dispatchEvent(new Event("close"));
    const calls = [store.chunks.read(file, 0, 1000), store.chunks.read(file, 0, 1000), store.chunks.read(file, 0, 1000)];
    for (const bytes of await Promise.all(calls)) expect(sameBytes(bytes, seededBytes(1000, 1))).toBe(true);
    expect([databases.length, reconnects()]).toEqual([2, 1]);
    store.chunks.close();
  });

  test("row 50: one that ends without an event (InvalidStateError) too", async () => {
    const { options, databases, reconnects } = watched();
    const store = await openIndexedDb(newName(), options);
    databases[0]?.close();
    await Promise.all([store.chunks.put(file, 0, seededBytes(1000, 1)), store.keyValue.set([["a", 1]])]);
    expect(sameBytes(await store.chunks.read(file, 0, 1000), seededBytes(1000, 1))).toBe(true);
    expect([databases.length, reconnects(), await store.keyValue.get("a")]).toEqual([2, 1, 1]);
    store.chunks.close();
  });

  test("a transaction that is aborted under us is run again", async () => {
    const { options, reconnects } = watched();
    const store = await openIndexedDb(newName(), options);
    refuseFor(new DOMException("The connection was closed.", "AbortError"), 2);
    await store.chunks.put(file, 0, seededBytes(1000, 1));
    expect(sameBytes(await store.chunks.read(file, 0, 1000), seededBytes(1000, 1))).toBe(true);
    expect(reconnects()).toBe(2);
    store.chunks.close();
  });

  test("data deleted by another tab is simply gone; the store stays usable", async () => {
    const name = newName();
    const { options, reconnects } = watched();
    const store = await openIndexedDb(name, options);
    await store.keyValue.set([["a", 1]]);
    await finished(indexedDB.deleteDatabase(name));
    expect(await store.keyValue.get("a")).toBeUndefined();
    await store.keyValue.set([["a", 2]]);
    expect([await store.keyValue.get("a"), reconnects()]).toEqual([2, 1]);
    store.keyValue.close();
  });
});

describe("indexeddb: refusals", () => {
  test("row 56: another tab that keeps an old schema open is STORE.blocked in bounded time, and leaves nothing behind", async () => {
    const name = newName();
    const other = await openRaw(name, 1);
    const before = performance.now();
    const error = await typedError(openIndexedDb(name, { openWithin: 200 }));
    expect([error.code, error.retryable]).toEqual(["STORE.blocked", true]);
    expect(performance.now() - before).toBeLessThan(2000);
    other.close();
    const store = await openIndexedDb(name);
    await store.keyValue.set([["a", 1]]);
    expect(await store.keyValue.get("a")).toBe(1);
    store.keyValue.close();
  });

  test("row 56: we let go when another tab wants a newer schema, and are told to reload", async () => {
    const name = newName();
    const store = await openIndexedDb(name);
    await store.keyValue.set([["a", 1]]);
    const other = await openRaw(name, 2);
    const error = await typedError(store.keyValue.get("a"));
    expect([error.code, error.retryable]).toEqual(["STORE.blocked", false]);
    expect(error.message).toContain("Reload");
    expect(await errorCode(openIndexedDb(name))).toBe("STORE.blocked");
    other.close();
    store.keyValue.close();
  });

  test("storage that is switched off is STORE.unavailable", async () => {
    const off = failing(
      99,
      new DOMException("A mutation operation was attempted on a database that did not allow mutations.", "InvalidStateError"),
    );
    expect(await errorCode(openIndexedDb(newName(), off.options))).toBe("STORE.unavailable");
    expect(off.opened()).toBe(1);
    const factory = Object.create(indexedDB) as IDBFactory;
    factory.open = () => {
      throw new DOMException("denied", "SecurityError");
    };
    expect(await errorCode(openIndexedDb(newName(), { factory }))).toBe("STORE.unavailable");
    vi.spyOn(globalThis, "indexedDB", "get").mockReturnValue(undefined as unknown as IDBFactory);
    expect(await errorCode(openIndexedDb(newName()))).toBe("STORE.unavailable");
  });

  test("a payload that cannot be read is an absent chunk", async () => {
    const store = await openIndexedDb(newName());
    await store.chunks.put(file, 0, seededBytes(1000, 1));
    // No byte stream, so that they are read whole.
    vi.spyOn(Blob.prototype, "stream").mockImplementation(() => new ReadableStream());
    for (const name of ["NotReadableError", "NotFoundError"]) {
      vi.spyOn(Blob.prototype, "arrayBuffer").mockRejectedValueOnce(new DOMException("payload", name));
      expect(await store.chunks.read(file, 0, 1000)).toBeUndefined();
    }
    vi.spyOn(Blob.prototype, "arrayBuffer").mockResolvedValueOnce(new ArrayBuffer(999));
    expect(await store.chunks.read(file, 0, 1000)).toBeUndefined();
    expect(sameBytes(await store.chunks.read(file, 0, 1000), seededBytes(1000, 1))).toBe(true);
    store.chunks.close();
  });
});
