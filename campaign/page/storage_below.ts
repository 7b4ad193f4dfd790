// The store seen from below: IndexedDB and the chunk stores as they are, without the code that checks and mends. Looks, and damages
// on purpose.

import type { Rng } from "../../src/base/rng.ts";
import type { ChunkStore } from "../../src/store/chunk_store.ts";
import { openIndexedDb } from "../../src/store/indexeddb.ts";
import { openOpfs } from "../../src/store/opfs.ts";
import { unseal } from "../../src/store/sealed.ts";
import type { BrowserTier, InspectedFile, Order, Outcomes } from "../protocol.ts";

/** The names that src/store/open.ts gives them. */
const databaseName = "shaderloom";
const folderName = "shaderloom";

interface Entry {
  readonly key: string;
  readonly value: unknown;
}

/** The database in the version that it has, or undefined when there is none. */
async function openRaw(): Promise<IDBDatabase | undefined> {
  const known = await indexedDB.databases();
  if (!known.some(({ name }) => name === databaseName)) return undefined;
  return finished(indexedDB.open(databaseName));
}

function finished<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error ?? new Error("a request failed")));
  });
}

/** Keys of all object stores, and values that are no chunks. */
async function entries(): Promise<Entry[]> {
  const database = await openRaw();
  if (database === undefined) return [];
  const found: Entry[] = [];
  for (const name of database.objectStoreNames) {
    const store = database.transaction(name).objectStore(name);
    const [keys, values] = await Promise.all([finished(store.getAllKeys()), finished(store.getAll())]);
    for (const [at, key] of keys.entries()) if (typeof key === "string") found.push({ key, value: values[at] });
  }
  database.close();
  return found;
}

export async function rawKeys(): Promise<Outcomes["keys"]> {
  return (await entries()).map(({ key }) => key);
}

async function openChunks(tier: BrowserTier): Promise<ChunkStore> {
  return tier === "opfs" ? openOpfs(folderName) : (await openIndexedDb(databaseName)).chunks;
}

function isFacts(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

export async function inspect(tier: BrowserTier): Promise<Outcomes["inspect"]> {
  const sealed = (await entries()).filter(({ key }) => /^(manifest|chunk)\//.test(key));
  const unreadable: string[] = [];
  const files: InspectedFile[] = [];
  const facts = new Map<string, Record<string, unknown>>();
  for (const { key, value } of sealed) {
    const read = await unseal(key, value);
    if (isFacts(read)) facts.set(key, read);
    else if (typeof value === "string") unreadable.push(key);
  }
  const chunks = await openChunks(tier);
  for (const [key, manifest] of facts) {
    const id = /^manifest\/(.*)$/.exec(key)?.[1];
    if (id === undefined || manifest["tier"] !== tier) continue;
    const found: Array<InspectedFile["chunks"][number]> = [];
    const spacing = Number(manifest["chunkBytes"]);
    for (const [other, record] of facts) {
      const [, file, number] = /^chunk\/(.*)\/(\d+)$/.exec(other) ?? [];
      if (file !== id) continue;
      const index = Number(number);
      const bytes = await chunks.read(id, index, Math.min(spacing, Number(manifest["bytes"]) - index * spacing), { spacing });
      const actual = bytes === undefined ? "" : hex(await crypto.subtle.digest("SHA-256", bytes));
      found.push({ index, gone: bytes === undefined, right: actual === record["sha256"], sha256: String(record["sha256"]) });
    }
    files.push({
      id,
      url: String(manifest["url"]),
      revision: String(manifest["revision"]),
      state: String(manifest["state"]),
      verified: manifest["verified"] === true,
      bytes: Number(manifest["bytes"]),
      tier: String(manifest["tier"]),
      chunks: found,
    });
  }
  chunks.close();
  return { files, unreadable };
}

function hex(buffer: ArrayBuffer): string {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function tamper({ key, bit }: Extract<Order, { act: "tamper" }>): Promise<null> {
  const database = await openRaw();
  for (const name of database?.objectStoreNames ?? []) {
    const store = database?.transaction(name, "readwrite").objectStore(name);
    const value: unknown = store && (await finished(store.get(key)));
    if (store === undefined || typeof value !== "string") continue;
    const at = Math.floor(bit / 8) % value.length;
    await finished(store.put(value.slice(0, at) + String.fromCharCode(value.charCodeAt(at) ^ (1 << (bit % 8))) + value.slice(at + 1), key));
    database?.close();
    return null;
  }
  throw new Error(`no value under ${key}`);
}

/**
 * A connection of a version that knows no `versionchange` and stays open, and a newer one's wish to change the schema, which waits for it:
 * every tab that opens the database after them waits too.
 */
export async function squat(): Promise<null> {
  const database = await finished(indexedDB.open(databaseName));
  const wish = indexedDB.open(databaseName, database.version + 1);
  await new Promise((resolve) => wish.addEventListener("blocked", resolve));
  return null;
}

export async function upgrade(): Promise<null> {
  const request = indexedDB.open(databaseName, 1_000_000);
  const blocked = new Promise<never>((_, reject) => {
    request.addEventListener("blocked", () => setTimeout(() => reject(new Error("another tab blocks the upgrade")), 3000));
  });
  (await Promise.race([finished(request), blocked])).close();
  return null;
}

/** Runs `instead` in place of a method for as long as it strikes. */
function waylay(owner: object, name: string, strikes: () => boolean, instead: (self: unknown, given: unknown[]) => unknown): void {
  const method: unknown = Reflect.get(owner, name);
  if (typeof method !== "function") throw new Error(`there is no ${name}`);
  Reflect.set(owner, name, function waylaid(this: unknown, ...given: unknown[]): unknown {
    return strikes() ? instead(this, given) : Reflect.apply(method, this, given);
  });
}

export function breakBrowser({ how, times }: Extract<Order, { act: "break" }>): null {
  let left = times;
  const strikes = (): boolean => left-- > 0;
  if (how === "estimate") {
    waylay(navigator.storage, "estimate", strikes, async () => ({ usage: 0, quota: 0 }));
  } else if (how === "open") {
    waylay(IDBFactory.prototype, "open", strikes, () => {
      const error = new DOMException("Internal error opening backing store for indexedDB.open.", "UnknownError");
      const request = Object.assign(new EventTarget(), { error, readyState: "done", transaction: null });
      setTimeout(() => request.dispatchEvent(new Event("error")), 5);
      return request;
    });
  } else if (how === "connection") {
    waylay(IDBDatabase.prototype, "transaction", strikes, (self) => {
      if (self instanceof IDBDatabase) self.close();
      throw new DOMException("The database connection is closing.", "InvalidStateError");
    });
  } else loseWrites(strikes);
  return null;
}

/** Spins, as the file system's calls do: what waits with a promise lets other steps go on. */
function spin(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

function always(): boolean {
  return true;
}

/** A disk that takes its time: before and after each write to a file, and before each transaction that writes. */
export function slowDown(most: number, rng: Rng): void {
  const handle: unknown = Reflect.get(globalThis, "FileSystemSyncAccessHandle");
  if (typeof handle !== "function") throw new Error("there are no sync access handles");
  const files = handle.prototype as object;
  const write = Reflect.get(files, "write") as (...given: unknown[]) => number;
  waylay(files, "write", always, (self, given) => {
    spin(rng.unit() * most);
    const written = Reflect.apply(write, self, given);
    spin(rng.unit() * most);
    return written;
  });
  const transaction = Reflect.get(IDBDatabase.prototype, "transaction") as (...given: unknown[]) => IDBTransaction;
  waylay(IDBDatabase.prototype, "transaction", always, (self, given) => {
    if (given[1] === "readwrite") spin(rng.unit() * most);
    return Reflect.apply(transaction, self, given);
  });
}

/** Zeros in place of the bytes of large writes; the file has the right length afterwards. */
function loseWrites(strikes: () => boolean): void {
  const handle: unknown = Reflect.get(globalThis, "FileSystemSyncAccessHandle");
  if (typeof handle !== "function") throw new Error("there are no sync access handles");
  const owner = handle.prototype as object;
  const write = Reflect.get(owner, "write") as (...given: unknown[]) => number;
  waylay(owner, "write", strikes, (self, [bytes, options]) => {
    const { byteLength } = bytes as Uint8Array;
    return Reflect.apply(write, self, [new Uint8Array(byteLength), options]);
  });
}
