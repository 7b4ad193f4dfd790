// StoredFile: one file as checked chunks. A chunk counts as there once its bytes are stored and its record, written after them,
// is too; every later read checks the fast checksum, and a chunk that fails is dropped and reported as absent. The hashes of a
// first download prove that storage gives back what came, not that what came was right: that takes a hash from the origin.

import { ShaderloomError, assert } from "../base/errors.ts";
import type { ChunkStore } from "./chunk_store.ts";
import type { StoreDiagnostics } from "./diagnostics.ts";
import { checksum64, sha256 } from "./hash.ts";
import type { KeyValue } from "./key_value.ts";
import {
  type ChunkRecord,
  type Manifest,
  chunkCountOf,
  chunkKey,
  chunkLengthOf,
  chunkPrefix,
  decodeRecord,
  encodeManifest,
  encodeRecord,
  manifestKey,
  parseChunkKey,
} from "./manifest.ts";

export interface StoredFile {
  readonly manifest: Manifest;
  readonly chunkCount: number;
  /** Bytes of the chunks that are recorded as there. */
  readonly storedBytes: number;
  /** Whether a chunk is recorded as there. */
  has(index: number): boolean;
  /** sha256 of a chunk as recorded, 64 hex digits. */
  sha256Of(index: number): string | undefined;
  /**
   * Hashes the bytes, stores them, then the record; stores nothing when the record says that the same bytes are there. Different chunks may
   * be put at the same time. The bytes are the caller's again when the promise is settled.
   *
   * @throws {ShaderloomError} QUOTA.full, STORE.*; what was stored before stays
   */
  put(index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /**
   * The bytes of a chunk, checked; in `into` when given and large enough.
   *
   * @returns undefined when the chunk is not there or was damaged; it is then no longer `has`
   */
  read(index: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Drops all chunks: the file as a whole was found wrong. */
  clear(): Promise<void>;
  /**
   * Writes the manifest as complete, strictly. All chunks are there. May be called again when more is known, such as that the whole was
   * hashed. A chunk that later turns out damaged takes the file back to partial.
   *
   * @throws {ShaderloomError} STORE.evicted when the chunks were deleted meanwhile, QUOTA.full, STORE.*
   */
  complete(facts: { readonly sha256: string | null; readonly verified: boolean }): Promise<void>;
}

/** A StoredFile as the store itself uses it. */
export interface CheckedFile extends StoredFile {
  /** Forgets a chunk whose bytes turned out wrong, and counts it. */
  drop(index: number): Promise<void>;
}

export interface StoredFileParts {
  readonly manifest: Manifest;
  readonly keyValue: KeyValue;
  /** Of the manifest's tier. */
  readonly chunks: ChunkStore;
  readonly diagnostics: StoreDiagnostics;
}

/**
 * Reads the records of a file whose manifest is stored. Records that cannot be are dropped, and a file that is called complete but lacks a
 * record goes back to partial.
 *
 * @throws {ShaderloomError} QUOTA.full, STORE.*
 */
export async function openStoredFile(parts: StoredFileParts): Promise<CheckedFile> {
  const file = new ChunkedFile(parts);
  await file.readRecords();
  return file;
}

/** Turns of the manifest itself are taken beside those of its chunks. */
const manifestTurn = -1;

class ChunkedFile implements CheckedFile {
  readonly chunkCount: number;
  readonly #keyValue: KeyValue;
  readonly #chunks: ChunkStore;
  readonly #diagnostics: StoreDiagnostics;
  readonly #records = new Map<number, ChunkRecord>();
  /** The last call that changes a chunk, by its number: calls for one chunk run one after another, others side by side. */
  readonly #turns = new Map<number, Promise<unknown>>();
  #clearing: Promise<void> = Promise.resolve();
  #manifest: Manifest;

  constructor({ manifest, keyValue, chunks, diagnostics }: StoredFileParts) {
    assert(manifest.tier === chunks.tier, `${manifest.tier} chunks cannot be read in ${chunks.tier}`);
    this.#manifest = manifest;
    this.#keyValue = keyValue;
    this.#chunks = chunks;
    this.#diagnostics = diagnostics;
    this.chunkCount = chunkCountOf(manifest);
  }

  get manifest(): Manifest {
    return this.#manifest;
  }

  get storedBytes(): number {
    let sum = 0;
    for (const { bytes } of this.#records.values()) sum += bytes;
    return sum;
  }

  async readRecords(): Promise<void> {
    const { id, state } = this.#manifest;
    const keys = await this.#keyValue.keys(`${chunkPrefix}${id}/`);
    const values = await this.#keyValue.getMany(keys);
    const impossible: string[] = [];
    for (const [at, key] of keys.entries()) {
      const index = parseChunkKey(key)?.index ?? this.chunkCount;
      const record = await decodeRecord(id, index, values[at]);
      if (record !== undefined && index < this.chunkCount && record.bytes === this.#lengthOf(index)) this.#records.set(index, record);
      else impossible.push(key);
    }
    const missing = this.chunkCount - this.#records.size;
    this.#diagnostics.damagedChunks += state === "complete" ? missing : impossible.length;
    if (missing > 0) await this.#demote();
    if (impossible.length > 0) await this.#keyValue.delete(impossible);
  }

  has(index: number): boolean {
    return this.#records.has(index);
  }

  sha256Of(index: number): string | undefined {
    return this.#records.get(index)?.sha256;
  }

  async put(index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { id, name, chunkBytes } = this.#manifest;
    assert(Number.isInteger(index) && index >= 0 && index < this.chunkCount, `${name} has no chunk ${index}`);
    assert(bytes.length === this.#lengthOf(index), `chunk ${index} of ${name} has ${this.#lengthOf(index)} bytes, not ${bytes.length}`);
    await this.#inTurn(index, async () => {
      const [hash, checksum] = await Promise.all([sha256(bytes), checksum64(bytes)]);
      const old = this.#records.get(index);
      if (old?.sha256 === hash) return;
      // A record must not stand while the bytes it speaks of are overwritten.
      if (old !== undefined) await this.#forget(index);
      await this.#chunks.put(id, index, bytes, chunkBytes);
      const record: ChunkRecord = { bytes: bytes.length, sha256: hash, checksum };
      await this.#keyValue.set([[chunkKey(id, index), await encodeRecord(id, index, record)]], "relaxed");
      this.#records.set(index, record);
    });
  }

  async read(index: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const record = this.#records.get(index);
    if (record === undefined) return undefined;
    const bytes = (await this.#readChecked(index, record, into)) ?? (await this.#inTurn(index, () => this.#readAgain(index, into)));
    if (bytes !== undefined) this.#diagnostics.storedBytes += bytes.length;
    return bytes;
  }

  async drop(index: number): Promise<void> {
    await this.#inTurn(index, () => this.#dropNow(index));
  }

  async clear(): Promise<void> {
    const before = [this.#clearing, ...this.#turns.values()];
    this.#clearing = (async () => {
      await Promise.allSettled(before);
      await this.#demote();
      const { id } = this.#manifest;
      await this.#keyValue.delete(await this.#keyValue.keys(`${chunkPrefix}${id}/`));
      this.#records.clear();
      await this.#chunks.delete(id);
    })();
    await this.#clearing;
  }

  async complete({ sha256: hash, verified }: { readonly sha256: string | null; readonly verified: boolean }): Promise<void> {
    assert(this.#records.size === this.chunkCount, `${this.#manifest.name} lacks ${this.chunkCount - this.#records.size} chunks`);
    assert(hash !== null || !verified, "only a file with a promised hash can be verified");
    await this.#checkRecords();
    await this.#writeManifest({ ...this.#manifest, state: "complete", sha256: hash, verified });
  }

  /** @returns undefined when the bytes are not there or not those of the record */
  async #readChecked(index: number, record: ChunkRecord, into: Uint8Array<ArrayBuffer> | undefined): Promise<Bytes | undefined> {
    const { id, chunkBytes: spacing } = this.#manifest;
    const bytes = await this.#chunks.read(id, index, record.bytes, { into, spacing });
    if (bytes?.length !== record.bytes) return undefined;
    return (await checksum64(bytes)) === record.checksum ? bytes : undefined;
  }

  /** Before a chunk is given up its record is read anew: another tab may have mended it or be writing it just now. */
  async #readAgain(index: number, into: Uint8Array<ArrayBuffer> | undefined): Promise<Bytes | undefined> {
    if (!this.#records.has(index)) return undefined;
    const { id } = this.#manifest;
    const stored = await this.#keyValue.get(chunkKey(id, index));
    if (stored === undefined) {
      // Dropped elsewhere, and perhaps being written again by now: nothing stored is touched from here.
      this.#diagnostics.damagedChunks++;
      this.#records.delete(index);
      this.#manifest = { ...this.#manifest, state: "partial", verified: false };
      return undefined;
    }
    const record = await decodeRecord(id, index, stored);
    const bytes = record?.bytes === this.#lengthOf(index) ? await this.#readChecked(index, record, into) : undefined;
    if (record === undefined || bytes === undefined) await this.#dropNow(index);
    else this.#records.set(index, record);
    return bytes;
  }

  async #dropNow(index: number): Promise<void> {
    if (!this.#records.has(index)) return;
    this.#diagnostics.damagedChunks++;
    await this.#forget(index);
  }

  /** The manifest first: a crash in between must not leave a file that is called complete and is not. */
  async #forget(index: number): Promise<void> {
    await this.#demote();
    await this.#keyValue.delete([chunkKey(this.#manifest.id, index)]);
    this.#records.delete(index);
  }

  async #demote(): Promise<void> {
    if (this.#manifest.state === "partial") return;
    await this.#writeManifest({ ...this.#manifest, state: "partial", verified: false });
  }

  /** What is written is what is known from then on, also when the write fails: nobody knows then which of the two is stored. */
  async #writeManifest(manifest: Manifest): Promise<void> {
    if (manifest.state === "partial") this.#manifest = manifest;
    await this.#inTurn(manifestTurn, async () => {
      await this.#keyValue.set([[manifestKey(manifest.id), await encodeManifest(manifest)]], "strict");
      this.#manifest = manifest;
    });
  }

  /** Storage may have been cleared under us: what is called complete has to be there now. */
  async #checkRecords(): Promise<void> {
    const { id, name } = this.#manifest;
    if ((await this.#keyValue.keys(`${chunkPrefix}${id}/`)).length >= this.chunkCount) return;
    this.#records.clear();
    await this.readRecords();
    const message = `What was stored of ${name} was deleted by the browser or its user while it was loaded. Load it again to store it again.`;
    throw new ShaderloomError("STORE.evicted", message, { retryable: true, detail: { name } });
  }

  #lengthOf(index: number): number {
    return chunkLengthOf(this.#manifest, index);
  }

  async #inTurn<T>(turn: number, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(turn);
    const mine = Promise.allSettled([before, turn === manifestTurn ? undefined : this.#clearing]).then(work);
    this.#turns.set(turn, mine);
    try {
      return await mine;
    } finally {
      if (this.#turns.get(turn) === mine) this.#turns.delete(turn);
    }
  }
}

type Bytes = Uint8Array<ArrayBuffer>;
