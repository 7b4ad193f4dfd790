// What every chunk store must do: what is read is what was put, whole or not at all. Plain functions that throw, without a test
// framework, because OPFS has to be tried inside a worker; store_contract.ts makes tests of them.
import type { ChunkStore } from "../store/chunk_store.ts";
import { chunkBytes } from "../store/chunk_store.ts";
import { errorCode } from "./typed_error.ts";

const fileA = "a0".repeat(16);
const fileB = "b1".repeat(16);

/** Bytes that differ between seeds and between places; a block of zeros or a shifted copy is seen. [length] */
export function seededBytes(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = (seed + 1) * 0x9e3779b1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 0x2c1b3c6d) + 0x297a2d39) | 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** Whether two runs of bytes are equal; `toEqual` on megabytes takes seconds. */
export function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((byte, at) => byte === b[at]);
}

export function check(right: boolean, what: string): void {
  if (!right) throw new Error(what);
}

export function same(actual: unknown, expected: unknown): void {
  const [got, wanted] = [JSON.stringify(actual) ?? "undefined", JSON.stringify(expected) ?? "undefined"];
  check(got === wanted, `got ${got.slice(0, 200)} instead of ${wanted.slice(0, 200)}`);
}

export async function holds(store: ChunkStore, file: string, index: number, bytes: Uint8Array): Promise<void> {
  check(sameBytes(await store.read(file, index, bytes.length), bytes), `chunk ${index} is not what was put`);
}

export async function lacks(store: ChunkStore, file: string, index: number, length: number): Promise<void> {
  check((await store.read(file, index, length)) === undefined, `chunk ${index} has ${length} bytes that were never put`);
}

/** Each is given an empty store and closes it. */
export const chunkCases: Readonly<Record<string, (store: ChunkStore) => Promise<void>>> = {
  "reads what was put, chunk by chunk, the short last one too": async (store) => {
    const chunks = [seededBytes(chunkBytes, 1), seededBytes(chunkBytes, 2), seededBytes(1234, 3)];
    for (const [index, bytes] of chunks.entries()) await store.put(fileA, index, bytes);
    for (const index of [2, 0, 1]) await holds(store, fileA, index, chunks[index] ?? new Uint8Array());
    store.close();
  },

  "takes chunks in any order, and a number past the first GiB": async (store) => {
    for (const index of [300, 7, 0]) await store.put(fileA, index, seededBytes(100, index));
    for (const index of [0, 7, 300]) await holds(store, fileA, index, seededBytes(100, index));
    same(await store.files(), [fileA]);
    await store.delete(fileA);
    for (const index of [0, 7, 300]) await lacks(store, fileA, index, 100);
    same(await store.files(), []);
    store.close();
  },

  "keeps apart files whose chunks lie closer together": async (store) => {
    const spacing = 3000;
    for (const index of [300, 1, 2, 0]) await store.put(fileA, index, seededBytes(spacing, index), spacing);
    await store.put(fileB, 1, seededBytes(chunkBytes, 9));
    for (const index of [0, 1, 2, 300]) {
      const read = await store.read(fileA, index, spacing, { spacing });
      check(sameBytes(read, seededBytes(spacing, index)), `chunk ${index} is not what was put`);
    }
    await holds(store, fileB, 1, seededBytes(chunkBytes, 9));
    await store.delete(fileA);
    for (const index of [0, 1, 2, 300]) same(await store.read(fileA, index, spacing, { spacing }), undefined);
    same(await store.files(), [fileB]);
    store.close();
  },

  "reads into the place it is given, and beside it when that is too small": async (store) => {
    const bytes = seededBytes(5000, 4);
    await store.put(fileA, 0, bytes);
    const place = new Uint8Array(8000).fill(77);
    const read = await store.read(fileA, 0, 5000, { into: place.subarray(1000) });
    check(read?.buffer === place.buffer, "the place given was not used");
    same([read?.byteOffset, read?.length, place[999], place[6000]], [1000, 5000, 77, 77]);
    check(sameBytes(read, bytes), "other bytes in the place given");
    const small = new Uint8Array(4999).fill(77);
    check(sameBytes(await store.read(fileA, 0, 5000, { into: small }), bytes), "other bytes beside the place given");
    check(
      small.every((byte) => byte === 77),
      "a place too small was written to",
    );
    store.close();
  },

  "keeps its own copy": async (store) => {
    const bytes = seededBytes(3000, 5);
    await store.put(fileA, 0, bytes);
    bytes.fill(0);
    const first = await store.read(fileA, 0, 3000);
    check(sameBytes(first, seededBytes(3000, 5)), "what was put changed with the caller's bytes");
    first?.fill(0);
    await holds(store, fileA, 0, seededBytes(3000, 5));
    store.close();
  },

  "stores a view's bytes and not its buffer's": async (store) => {
    const whole = seededBytes(9000, 6);
    await store.put(fileA, 0, whole.subarray(1000, 1010));
    await holds(store, fileA, 0, whole.slice(1000, 1010));
    await lacks(store, fileA, 0, 11);
    store.close();
  },

  "a second put is what is read": async (store) => {
    await store.put(fileA, 0, seededBytes(4000, 7));
    await store.put(fileA, 0, seededBytes(4000, 8));
    await holds(store, fileA, 0, seededBytes(4000, 8));
    store.close();
  },

  "absent chunks and absent files read as undefined": async (store) => {
    await lacks(store, fileA, 0, 10);
    await store.put(fileA, 0, seededBytes(10, 9));
    await lacks(store, fileA, 1, 10);
    await lacks(store, fileB, 0, 10);
    await lacks(store, fileA, 0, 11);
    store.close();
  },

  "lists and deletes files one by one; deleting nothing is no error": async (store) => {
    same(await store.files(), []);
    await store.delete(fileA);
    for (const file of [fileB, fileA]) for (const index of [0, 1, 2]) await store.put(file, index, seededBytes(50, index));
    same((await store.files()).toSorted(), [fileA, fileB]);
    await store.delete(fileA);
    same(await store.files(), [fileB]);
    for (const index of [0, 1, 2]) await lacks(store, fileA, index, 50);
    await holds(store, fileB, 2, seededBytes(50, 2));
    await store.put(fileA, 1, seededBytes(60, 10));
    await holds(store, fileA, 1, seededBytes(60, 10));
    store.close();
  },

  "many at once do not mix": async (store) => {
    const all = [...Array(24).keys()].map((index) => ({
      file: index % 2 === 0 ? fileA : fileB,
      index,
      bytes: seededBytes(2000 + index, index),
    }));
    // Readers of what is not there yet must not get into the writers' way.
    const early = all.map(({ file, index }) => store.read(file, index, 2000));
    await Promise.all(all.map(({ file, index, bytes }) => store.put(file, index, bytes)));
    await Promise.all(early);
    await Promise.all(all.map(({ file, index, bytes }) => holds(store, file, index, bytes)));
    store.close();
  },

  "a closed store says so": async (store) => {
    store.close();
    store.close();
    const calls = [store.put(fileA, 0, seededBytes(10, 0)), store.read(fileA, 0, 10), store.delete(fileA), store.files()];
    for (const call of calls) same(await errorCode(call), "STORE.closed");
  },
};
