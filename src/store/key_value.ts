// KeyValue: the small half of the store. Manifests, chunk records, remembered file handles and settings, each under a string
// key. The interface; indexeddb.ts, files.ts and memory.ts implement it.

/** `strict` waits until the operating system has the bytes (where the browser can ask for it); `relaxed` survives a killed process. */
export type Durability = "relaxed" | "strict";

/** Values are plain data that survives structured clone. */
export interface KeyValue {
  /** The value, or undefined when there is none. */
  get(key: string): Promise<unknown>;
  /** In the order of the keys, undefined where there is none. */
  getMany(keys: readonly string[]): Promise<unknown[]>;
  /**
   * Writes all entries or none.
   *
   * @returns when the transaction is complete, not when the request succeeded
   * @throws {ShaderloomError} QUOTA.full, STORE.*
   */
  set(entries: ReadonlyArray<readonly [key: string, value: unknown]>, durability?: Durability): Promise<void>;
  delete(keys: readonly string[]): Promise<void>;
  /** Keys that start with `prefix`, sorted by code unit. */
  keys(prefix: string): Promise<string[]>;
  close(): void;
}
