// Conversations beyond the GPU: saved in the store, suspended to this computer's memory, exported as a file. Everywhere the same records, named
// by what they hold, so that none is moved that is there already. Loaded when somebody first asks.

import { ShaderloomError, throwIfAborted } from "../base/errors.ts";
import type { SessionRecord, SessionStore } from "../store/session_store.ts";
import { readSnapshotFile, writeSnapshotFile } from "./snapshot_file.ts";
import {
  checkTarget,
  corruptSnapshot,
  type EngineKey,
  factsOf,
  parseFacts,
  type RecordNames,
  recordNames,
  type SnapshotTarget,
} from "./snapshot_facts.ts";
import { type Captured, type SlotParts, SnapshotSlot } from "./snapshot_slot.ts";
import { counted, described, fits, transferOf } from "./snapshot_report.ts";
import type { Conversations, SavedSession, SaveOptions, SessionTransfer, SuspendedSession } from "./snapshot_types.ts";

export interface SnapshotParts extends SlotParts {
  readonly contextLength: number;
  readonly key: () => Promise<EngineKey>;
  readonly openStore: () => Promise<SessionStore>;
}

/** A conversation in this computer's memory. Its full pages are those of its names. */
interface Suspended {
  readonly ids: readonly number[];
  readonly names: RecordNames;
  readonly rest: Uint8Array | undefined;
}

export class Snapshots implements Conversations {
  readonly #parts: SnapshotParts;
  readonly #slot: SnapshotSlot;
  readonly #suspended = new Map<string, Suspended>();
  /** Full pages of suspended conversations, by their names. */
  readonly #hostPages = new Map<string, Uint8Array>();
  #key: Promise<EngineKey> | undefined;
  #store: Promise<SessionStore> | undefined;

  constructor(parts: SnapshotParts) {
    this.#parts = parts;
    this.#slot = new SnapshotSlot(parts);
  }

  async save({ id = globalThis.crypto.randomUUID(), signal }: SaveOptions = {}): Promise<SavedSession & SessionTransfer> {
    return this.#captured(async (captured, names, key) => {
      const started = performance.now();
      const moved = { movedPages: 0 };
      const store = await this.#openStore();
      const write: Parameters<SessionStore["save"]>[1] = async (draft) => {
        const { recordBytes } = this.#slot.transfer;
        const known = await draft.known(names.pages);
        const records: Array<SessionRecord | undefined> = known.map((record) => (record?.bytes === recordBytes ? record : undefined));
        const missing = records.flatMap((record, number) => (record ? [] : [number]));
        captured.release(records.flatMap((record, number) => (record ? [number] : [])));
        await this.#pagesOf(captured, names, {
          wanted: missing,
          signal,
          take: async (numbers, pages) => {
            const written = await draft.put(numbers.map((number, index) => ({ name: names.pages[number], bytes: pages[index] })));
            numbers.forEach((number, index) => (records[number] = written[index]));
            moved.movedPages += numbers.length;
          },
        });
        if (names.rest !== undefined && captured.rest) {
          records.push(...(await draft.put([{ name: names.rest, bytes: await captured.rest }])));
          moved.movedPages++;
        }
        throwIfAborted(signal);
        this.#parts.check();
        return { facts: { ...factsOf(key, captured.ids, captured.covered) }, records: records.flatMap((record) => record ?? []) };
      };
      const session = await store.save(id, write, signal);
      return {
        ...described(session, factsOf(key, captured.ids, captured.covered), { store, usable: true }),
        ...transferOf(session, moved, started),
      };
    });
  }

  async load(id: string, signal?: AbortSignal): Promise<SavedSession & SessionTransfer> {
    const started = performance.now();
    const [store, target] = await Promise.all([this.#openStore(), this.#target()]);
    return store.read(
      id,
      async (reader) => {
        const session = await reader.session();
        const facts = parseFacts(session.facts);
        if (!facts) throw corruptSnapshot("it is no conversation");
        checkTarget(facts, target);
        const ids = facts.ids.slice(0, facts.covered);
        this.#checkRecords(await recordNames(target.key, ids, this.#slot.pageTokens), session.records);
        // Everything is looked at before anything is changed.
        const known = this.#slot.known(ids);
        const records = new Map<number, Uint8Array>();
        for (const [number, record] of session.records.entries()) {
          throwIfAborted(signal);
          if (number >= known) records.set(number, await reader.record(record));
        }
        this.#parts.check();
        const recordOf = async (number: number): Promise<Uint8Array> => records.get(number) ?? reader.record(session.records[number]);
        const movedPages = await this.#slot.fill(ids, recordOf, signal);
        return { ...described(session, facts, { store, usable: true }), ...transferOf(session, { movedPages }, started) };
      },
      signal,
    );
  }

  async list(): Promise<SavedSession[]> {
    const [store, target] = await Promise.all([this.#openStore(), this.#target()]);
    return (await store.list()).flatMap((session) => {
      const facts = parseFacts(session.facts);
      return facts ? described(session, facts, { store, usable: fits(facts, target) }) : [];
    });
  }

  async delete(id: string): Promise<void> {
    const suspended = this.#suspended.delete(id);
    this.#dropHostPages();
    try {
      await (await this.#openStore()).delete(id);
    } catch (thrown) {
      const missing = thrown instanceof ShaderloomError && thrown.code === "SESSION.missing";
      if (!missing || !suspended) throw thrown;
    }
  }

  async suspend(id: string = globalThis.crypto.randomUUID(), signal?: AbortSignal): Promise<SuspendedSession> {
    return this.#captured(async (captured, names) => {
      const started = performance.now();
      const wanted = names.pages.flatMap((name, number) => (this.#hostPages.has(name) ? [] : [number]));
      const pages = new Map<string, Uint8Array>();
      await this.#pagesOf(captured, names, {
        wanted,
        signal,
        take: (numbers, records) => numbers.forEach((number, index) => pages.set(names.pages[number], records[index])),
      });
      const rest = await captured.rest;
      throwIfAborted(signal);
      this.#parts.check();
      for (const [name, page] of pages) this.#hostPages.set(name, page);
      this.#suspended.set(id, { ids: captured.ids.slice(0, captured.covered), names, rest });
      this.#dropHostPages();
      captured.release();
      this.#slot.free();
      return { id, ...counted(captured.ids.length, names, wanted.length + (rest ? 1 : 0), started) };
    });
  }

  async resume(id: string, signal?: AbortSignal): Promise<SuspendedSession> {
    const started = performance.now();
    const chat = this.#suspended.get(id);
    if (!chat) throw notSuspended(id);
    const { ids, names, rest } = chat;
    const recordOf = async (number: number): Promise<Uint8Array> => {
      const record = number === names.pages.length ? rest : this.#hostPages.get(names.pages[number]);
      if (!record) throw corruptSnapshot(`page ${number} is not there`);
      return record;
    };
    const movedPages = await this.#slot.fill(ids, recordOf, signal);
    return { id, ...counted(ids.length, names, movedPages, started) };
  }

  async export(signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    return this.#captured(async (captured, names, key) => {
      const records: Uint8Array[] = [];
      await this.#pagesOf(captured, names, {
        wanted: [...names.pages.keys()],
        signal,
        take: (numbers, pages) => numbers.forEach((number, index) => (records[number] = pages[index])),
      });
      const rest = await captured.rest;
      throwIfAborted(signal);
      this.#parts.check();
      return writeSnapshotFile({ facts: factsOf(key, captured.ids, captured.covered), records: rest ? [...records, rest] : records });
    });
  }

  async import(bytes: Uint8Array, signal?: AbortSignal): Promise<SessionTransfer> {
    const started = performance.now();
    const { facts, records } = await readSnapshotFile(bytes);
    const target = await this.#target();
    checkTarget(facts, target);
    const ids = facts.ids.slice(0, facts.covered);
    const names = await recordNames(target.key, ids, this.#slot.pageTokens);
    const named = [...names.pages, ...(names.rest === undefined ? [] : [names.rest])];
    this.#checkRecords(
      names,
      records.map((record, number) => ({ name: named[number], bytes: record.length })),
    );
    throwIfAborted(signal);
    this.#parts.check();
    const movedPages = await this.#slot.fill(ids, async (number) => records[number], signal);
    return counted(facts.ids.length, names, movedPages, started);
  }

  /** Nothing is saved or loaded after it. */
  close(): void {
    this.#suspended.clear();
    this.#hostPages.clear();
    this.#store?.then((store) => store.close()).catch(() => undefined);
  }

  /** Runs `use` with the conversation as it is now. */
  async #captured<T>(use: (captured: Captured, names: RecordNames, key: EngineKey) => Promise<T>): Promise<T> {
    this.#parts.check();
    const captured = this.#slot.capture();
    try {
      const key = await this.#engineKey();
      return await use(captured, await recordNames(key, captured.ids.slice(0, captured.covered), this.#slot.pageTokens), key);
    } catch (error) {
      // What a device or session that ended leaves behind is told as what it is.
      this.#parts.check();
      throw error;
    } finally {
      captured.release();
    }
  }

  /** Full pages, from this computer's memory where they are there. */
  async #pagesOf(
    captured: Captured,
    names: RecordNames,
    { wanted, take, signal }: Parameters<SnapshotSlot["read"]>[2] & { readonly wanted: readonly number[] },
  ): Promise<void> {
    const held = wanted.filter((number) => this.#hostPages.has(names.pages[number]));
    for (const number of held) {
      throwIfAborted(signal);
      await take([number], [(this.#hostPages.get(names.pages[number]) ?? new Uint8Array()).slice()]);
    }
    const rest = wanted.filter((number) => !this.#hostPages.has(names.pages[number]));
    await this.#slot.read(captured, rest, { take, signal });
  }

  /** @throws {ShaderloomError} SESSION.corrupt */
  #checkRecords({ pages, rest }: RecordNames, records: ReadonlyArray<Pick<SessionRecord, "name" | "bytes">>): void {
    const { transfer, restBytes } = this.#slot;
    const expected = [
      ...pages.map((name) => ({ name, bytes: transfer.recordBytes })),
      ...(rest === undefined ? [] : [{ name: rest, bytes: restBytes }]),
    ];
    const same =
      expected.length === records.length &&
      expected.every(({ name, bytes }, number) => records[number].name === name && records[number].bytes === bytes);
    if (!same) throw corruptSnapshot("its pages are not those of its tokens");
  }

  #dropHostPages(): void {
    const named = new Set([...this.#suspended.values()].flatMap(({ names }) => names.pages));
    for (const name of this.#hostPages.keys()) if (!named.has(name)) this.#hostPages.delete(name);
  }

  #engineKey(): Promise<EngineKey> {
    this.#key ??= this.#parts.key();
    return this.#key;
  }

  async #target(): Promise<SnapshotTarget> {
    const { contextLength, vocabSize } = this.#parts;
    return { key: await this.#engineKey(), contextLength, vocabSize };
  }

  #openStore(): Promise<SessionStore> {
    const store = this.#store ?? this.#parts.openStore();
    this.#store = store;
    // The next call tries again.
    store.catch(() => (this.#store = undefined));
    return store;
  }
}

function notSuspended(id: string): ShaderloomError {
  const message = `No conversation is suspended under the id ${JSON.stringify(id)}. Use the id that suspendSession gave; saved ones are loaded with loadSession.`;
  return new ShaderloomError("SESSION.missing", message, { detail: { id } });
}
