// Saved conversations: a list of records for each, and the records, which conversations share by name, so that none is written twice. A name
// says what a record holds; what that is, others know. A conversation is there when its list is, and that is written last; every read compares
// a checksum, and what nobody lists any more is removed. In a database of its own: the model store sweeps away what it has no manifest of.

import { ShaderloomError } from "../base/errors.ts";
import type { ChunkStore, StoreTier } from "./chunk_store.ts";
import { checksum64, sha256 } from "./hash.ts";
import { openIndexedDb } from "./indexeddb.ts";
import type { KeyValue } from "./key_value.ts";
import { type Locks, openLocks } from "./locks.ts";
import { memoryStore } from "./memory.ts";
import { seal, unseal } from "./sealed.ts";

/** A record as a conversation lists it. */
export interface SessionRecord {
  /** Hex digits. */
  readonly name: string;
  readonly bytes: number;
  readonly checksum: string;
}

export interface StoredSession {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly savedAt: number;
  /** Plain JSON data of whoever saved it. */
  readonly facts: unknown;
  readonly records: readonly SessionRecord[];
}

/** What a conversation is saved with. */
export interface SessionDraft {
  /** Records that are stored already, undefined for the others. */
  known(names: readonly string[]): Promise<Array<SessionRecord | undefined>>;
  /** @throws {ShaderloomError} QUOTA.full, STORE.* */
  put(records: ReadonlyArray<{ readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> }>): Promise<SessionRecord[]>;
}

export interface SessionReader {
  /** @throws {ShaderloomError} SESSION.missing, SESSION.corrupt, STORE.* */
  session(): Promise<StoredSession>;
  /** @throws {ShaderloomError} SESSION.corrupt when the record is gone or is not what was written; the next save writes it again */
  record(record: SessionRecord): Promise<Uint8Array<ArrayBuffer>>;
}

export interface SessionStore {
  readonly tier: StoreTier;
  /** Those that can be read, the last saved first. */
  list(): Promise<StoredSession[]>;
  /**
   * Saves a conversation, over an earlier one of the same id once all of it is there; a failure leaves the earlier one. One at a time, over all
   * tabs.
   * @throws {ShaderloomError} QUOTA.full, STORE.*, AbortError, what `write` throws
   */
  save(
    id: string,
    write: (draft: SessionDraft) => Promise<Pick<StoredSession, "facts" | "records">>,
    signal?: AbortSignal,
  ): Promise<StoredSession>;
  /** Runs `use` while nothing is saved or deleted. */
  read<T>(id: string, use: (reader: SessionReader) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** @throws {ShaderloomError} SESSION.missing */
  delete(id: string): Promise<void>;
  close(): void;
}

export interface SessionStoreOptions {
  readonly folder?: string | undefined;
  /** `off`: in memory alone. */
  readonly mode?: "use" | "refresh" | "off" | undefined;
  /** Of the database and the locks. */
  readonly name?: string | undefined;
}

/**
 * Opens what was saved in this origin or folder; where there is neither, or nothing may be stored, in memory.
 * @throws {ShaderloomError} STORE.*, QUOTA.full
 */
export async function openSessionStore({ folder, mode, name = "shaderloom-sessions" }: SessionStoreOptions = {}): Promise<SessionStore> {
  const factory: IDBFactory | undefined = globalThis.indexedDB;
  if (mode === "off" || (folder === undefined && factory === undefined)) {
    return createSessionStore({ ...memoryStore(), locks: openLocks(`${name} ${globalThis.crypto.randomUUID()}`) });
  }
  const locks = openLocks(`${name} ${folder ?? ""}`);
  if (folder === undefined) return createSessionStore({ ...(await openIndexedDb(name)), locks });
  // A chunk of its own: pages have no folders.
  const { openFiles } = await import("./files.ts");
  return createSessionStore({ ...(await openFiles(`${folder}/sessions`)), locks });
}

export interface SessionStoreParts {
  readonly keyValue: KeyValue;
  readonly chunks: ChunkStore;
  readonly locks: Locks;
  readonly now?: () => number;
}

const sessionPrefix = "session/";
const recordPrefix = "record/";
const lockName = "/saved";

export function createSessionStore({ keyValue, chunks, locks, now = Date.now }: SessionStoreParts): SessionStore {
  const parts: Parts = { keyValue, chunks };
  /** What saves that were cut off left behind need not be looked for twice. */
  let swept = false;
  const locked = async <T>(mode: "shared" | "exclusive", run: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    const hold = await locks.acquire(lockName, mode, signal);
    try {
      return await run();
    } finally {
      hold.release();
    }
  };
  return {
    tier: chunks.tier,
    list: () => locked("shared", () => listSessions(parts)),
    save: (id, write, signal) => {
      return locked(
        "exclusive",
        async () => {
          const key = await keyOf(id);
          const written = await write({ known: (names) => knownRecords(parts, names), put: (records) => putRecords(parts, records) });
          const session: StoredSession = { id, savedAt: now(), ...written };
          const before = sessionOf(await unseal(key, await keyValue.get(key)));
          await keyValue.set([[key, await seal(key, session)]], "strict");
          // What is left over takes room until the next delete.
          await (swept ? removeUnlisted(parts, before?.records ?? []) : sweep(parts)).catch(() => undefined);
          swept = true;
          return session;
        },
        signal,
      );
    },
    read: (id, use, signal) => {
      const reader: SessionReader = { session: () => readSession(parts, id), record: (record) => readRecord(parts, record) };
      return locked("shared", () => use(reader), signal);
    },
    delete: (id) => {
      return locked("exclusive", async () => {
        const key = await keyOf(id);
        if ((await keyValue.get(key)) === undefined) throw missing(id);
        await keyValue.delete([key]);
        await sweep(parts).catch(() => undefined);
      });
    },
    close: () => {
      keyValue.close();
      chunks.close();
    },
  };
}

type Parts = Pick<SessionStoreParts, "keyValue" | "chunks">;

/** Ids are anything that a caller likes; keys are names of files, too. */
async function keyOf(id: string): Promise<string> {
  return `${sessionPrefix}${(await sha256(new TextEncoder().encode(id))).slice(0, 40)}`;
}

async function listSessions({ keyValue }: Parts): Promise<StoredSession[]> {
  const keys = await keyValue.keys(sessionPrefix);
  const values = await keyValue.getMany(keys);
  const sessions = await Promise.all(values.map(async (value, index) => sessionOf(await unseal(keys[index], value))));
  return sessions.flatMap((session) => session ?? []).toSorted((a, b) => b.savedAt - a.savedAt);
}

async function readSession({ keyValue }: Parts, id: string): Promise<StoredSession> {
  const key = await keyOf(id);
  const value = await keyValue.get(key);
  if (value === undefined) throw missing(id);
  const session = sessionOf(await unseal(key, value));
  if (session?.id !== id) throw corrupt({ id });
  return session;
}

function missing(id: string): ShaderloomError {
  const message = `No saved conversation has the id ${JSON.stringify(id)}. List the saved ones to see which there are.`;
  return new ShaderloomError("SESSION.missing", message, { detail: { id } });
}

function corrupt(detail: Record<string, string>): ShaderloomError {
  const message = "The saved conversation is damaged, so none of it is used. Send the conversation again, and save it again or delete it.";
  return new ShaderloomError("SESSION.corrupt", message, { detail });
}

/** @returns undefined when it is something else */
function sessionOf(value: unknown): StoredSession | undefined {
  if (!isObject(value)) return undefined;
  const { id, savedAt, facts, records } = value;
  if (typeof id !== "string" || typeof savedAt !== "number" || !Array.isArray(records)) return undefined;
  const listed = records.flatMap((record) => recordOf(record) ?? []);
  return listed.length === records.length ? { id, savedAt, facts, records: listed } : undefined;
}

function recordOf(value: unknown): SessionRecord | undefined {
  if (!isObject(value)) return undefined;
  const { name, bytes, checksum } = value;
  if (typeof name !== "string" || typeof bytes !== "number" || typeof checksum !== "string") return undefined;
  return { name, bytes, checksum };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

async function knownRecords({ keyValue }: Parts, names: readonly string[]): Promise<Array<SessionRecord | undefined>> {
  const keys = names.map((name) => recordPrefix + name);
  const values = await keyValue.getMany(keys);
  return Promise.all(values.map(async (value, index) => recordOf(await unseal(keys[index], value))));
}

/** Bytes first: a record that is listed is there. */
async function putRecords({ keyValue, chunks }: Parts, records: Parameters<SessionDraft["put"]>[0]): Promise<SessionRecord[]> {
  const written = await Promise.all(
    records.map(async ({ name, bytes }) => {
      const checksum = await checksum64(bytes);
      await chunks.put(name, 0, bytes);
      return { name, bytes: bytes.length, checksum };
    }),
  );
  await keyValue.set(
    await Promise.all(written.map(async (record) => [recordPrefix + record.name, await seal(recordPrefix + record.name, record)] as const)),
  );
  return written;
}

async function readRecord({ keyValue, chunks }: Parts, { name, bytes, checksum }: SessionRecord): Promise<Uint8Array<ArrayBuffer>> {
  const found = await chunks.read(name, 0, bytes);
  if (found && (await checksum64(found)) === checksum) return found;
  // Known records are not written again.
  await keyValue.delete([recordPrefix + name]).catch(() => undefined);
  throw corrupt({ record: name });
}

async function listedNames(parts: Parts): Promise<ReadonlySet<string>> {
  return new Set((await listSessions(parts)).flatMap(({ records }) => records.map(({ name }) => name)));
}

/** Removes those of some records that no conversation lists. Nothing else runs meanwhile. */
async function removeUnlisted(parts: Parts, records: readonly SessionRecord[]): Promise<void> {
  if (records.length === 0) return;
  const { keyValue, chunks } = parts;
  const listed = await listedNames(parts);
  const names = records.flatMap(({ name }) => (listed.has(name) ? [] : [name]));
  await keyValue.delete(names.map((name) => recordPrefix + name));
  for (const name of names) await chunks.delete(name);
}

/** Removes records that no conversation lists. Nothing else runs meanwhile. */
async function sweep(parts: Parts): Promise<void> {
  const { keyValue, chunks } = parts;
  const listed = await listedNames(parts);
  const keys = await keyValue.keys(recordPrefix);
  await keyValue.delete(keys.filter((key) => !listed.has(key.slice(recordPrefix.length))));
  for (const name of await chunks.files()) if (!listed.has(name)) await chunks.delete(name);
}
