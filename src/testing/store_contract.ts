// What every tier of the model store must do, run over each by its own test file: what is read is what was put, whole or not at
// all, and a set of values is written together. Faults that only one tier can have are tested beside that tier.
import { describe, expect, test } from "vitest";
import type { ChunkStore } from "../store/chunk_store.ts";
import { chunkBytes } from "../store/chunk_store.ts";
import type { KeyValue } from "../store/key_value.ts";
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

/** @param open gives an empty store each time */
export function testChunks(name: string, open: () => Promise<ChunkStore>): void {
  describe(`${name}: chunks`, () => {
    test("reads what was put, chunk by chunk, the short last one too", async () => {
      const store = await open();
      const chunks = [seededBytes(chunkBytes, 1), seededBytes(chunkBytes, 2), seededBytes(1234, 3)];
      for (const [index, bytes] of chunks.entries()) await store.put(fileA, index, bytes);
      for (const index of [2, 0, 1]) {
        const bytes = chunks[index] ?? new Uint8Array();
        expect(sameBytes(await store.read(fileA, index, bytes.length), bytes)).toBe(true);
      }
      store.close();
    });

    test("takes chunks in any order, and a number past the first GiB", async () => {
      const store = await open();
      for (const index of [300, 7, 0]) await store.put(fileA, index, seededBytes(100, index));
      for (const index of [0, 7, 300]) expect(sameBytes(await store.read(fileA, index, 100), seededBytes(100, index))).toBe(true);
      await store.delete(fileA);
      expect(await store.read(fileA, 300, 100)).toBeUndefined();
      store.close();
    });

    test("reads into the place it is given, and beside it when that is too small", async () => {
      const store = await open();
      const bytes = seededBytes(5000, 4);
      await store.put(fileA, 0, bytes);
      const place = new Uint8Array(8000).fill(77);
      const view = place.subarray(1000);
      const read = await store.read(fileA, 0, 5000, view);
      expect(read?.buffer).toBe(place.buffer);
      expect([read?.byteOffset, read?.length]).toEqual([1000, 5000]);
      expect(sameBytes(read, bytes)).toBe(true);
      expect([place[999], place[6000]]).toEqual([77, 77]);
      const small = new Uint8Array(4999).fill(77);
      expect(sameBytes(await store.read(fileA, 0, 5000, small), bytes)).toBe(true);
      expect(small.every((byte) => byte === 77)).toBe(true);
      store.close();
    });

    test("keeps its own copy", async () => {
      const store = await open();
      const bytes = seededBytes(3000, 5);
      await store.put(fileA, 0, bytes);
      bytes.fill(0);
      const first = await store.read(fileA, 0, 3000);
      expect(sameBytes(first, seededBytes(3000, 5))).toBe(true);
      first?.fill(0);
      expect(sameBytes(await store.read(fileA, 0, 3000), seededBytes(3000, 5))).toBe(true);
      store.close();
    });

    test("stores a view's bytes and not its buffer's", async () => {
      const store = await open();
      const whole = seededBytes(9000, 6);
      await store.put(fileA, 0, whole.subarray(1000, 1010));
      expect(sameBytes(await store.read(fileA, 0, 10), whole.slice(1000, 1010))).toBe(true);
      expect(await store.read(fileA, 0, 11)).toBeUndefined();
      store.close();
    });

    test("a second put is what is read", async () => {
      const store = await open();
      await store.put(fileA, 0, seededBytes(4000, 7));
      await store.put(fileA, 0, seededBytes(4000, 8));
      expect(sameBytes(await store.read(fileA, 0, 4000), seededBytes(4000, 8))).toBe(true);
      store.close();
    });

    test("absent chunks and absent files read as undefined", async () => {
      const store = await open();
      expect(await store.read(fileA, 0, 10)).toBeUndefined();
      await store.put(fileA, 0, seededBytes(10, 9));
      expect(await store.read(fileA, 1, 10)).toBeUndefined();
      expect(await store.read(fileB, 0, 10)).toBeUndefined();
      expect(await store.read(fileA, 0, 11)).toBeUndefined();
      store.close();
    });

    test("lists and deletes files one by one; deleting nothing is no error", async () => {
      const store = await open();
      expect(await store.files()).toEqual([]);
      await store.delete(fileA);
      for (const file of [fileB, fileA]) for (const index of [0, 1, 2]) await store.put(file, index, seededBytes(50, index));
      expect((await store.files()).toSorted()).toEqual([fileA, fileB]);
      await store.delete(fileA);
      expect(await store.files()).toEqual([fileB]);
      for (const index of [0, 1, 2]) expect(await store.read(fileA, index, 50)).toBeUndefined();
      expect(sameBytes(await store.read(fileB, 2, 50), seededBytes(50, 2))).toBe(true);
      await store.put(fileA, 1, seededBytes(60, 10));
      expect(sameBytes(await store.read(fileA, 1, 60), seededBytes(60, 10))).toBe(true);
      store.close();
    });

    test("many at once do not mix", async () => {
      const store = await open();
      const indices = [...Array(24).keys()];
      await Promise.all(indices.map((index) => store.put(index % 2 === 0 ? fileA : fileB, index, seededBytes(2000 + index, index))));
      const read = await Promise.all(indices.map((index) => store.read(index % 2 === 0 ? fileA : fileB, index, 2000 + index)));
      expect(read.every((bytes, index) => sameBytes(bytes, seededBytes(2000 + index, index)))).toBe(true);
      store.close();
    });

    test("a closed store says so", async () => {
      const store = await open();
      store.close();
      store.close();
      expect(await errorCode(store.put(fileA, 0, seededBytes(10, 0)))).toBe("STORE.closed");
      expect(await errorCode(store.read(fileA, 0, 10))).toBe("STORE.closed");
      expect(await errorCode(store.delete(fileA))).toBe("STORE.closed");
      expect(await errorCode(store.files())).toBe("STORE.closed");
    });
  });
}

/** @param open gives an empty store each time */
export function testKeyValue(name: string, open: () => Promise<KeyValue>): void {
  describe(`${name}: values`, () => {
    test("gets what was set, and undefined for the rest", async () => {
      const store = await open();
      const value = { text: "ä\u{1f600}\u0000", list: [1, null, { deep: true }], empty: {} };
      await store.set([["one", value]], "strict");
      expect(await store.get("one")).toEqual(value);
      expect(await store.get("two")).toBeUndefined();
      expect(await store.getMany(["two", "one", "one"])).toEqual([undefined, value, value]);
      expect(await store.getMany([])).toEqual([]);
      store.close();
    });

    test("overwrites and deletes", async () => {
      const store = await open();
      await store.set([
        ["a", 1],
        ["b", 2],
        ["c", 3],
      ]);
      await store.set([["a", "new"]], "relaxed");
      await store.delete(["b", "absent"]);
      await store.delete([]);
      await store.set([]);
      expect(await store.getMany(["a", "b", "c"])).toEqual(["new", undefined, 3]);
      store.close();
    });

    test("lists keys by prefix, by code unit, whatever characters they have", async () => {
      const store = await open();
      const keys = ["m/b", "m/a", "m", "n/a", "M/a", "m/ä", "m/\u{1f600}", "m/\uffff", "m/a b", "m/%2F", "m/con", "m/..", 'm/?*:"<>|\\'];
      await store.set(keys.map((key) => [key, key]));
      const inOrder = keys.filter((key) => key.startsWith("m/")).toSorted();
      expect(await store.keys("m/")).toEqual(inOrder);
      expect(await store.keys("")).toEqual(keys.toSorted());
      expect(await store.keys("absent")).toEqual([]);
      expect(await store.getMany(keys)).toEqual(keys);
      store.close();
    });

    test("writes all entries of a set or none", async () => {
      const store = await open();
      await store.set([["a", "old"]]);
      const bad = store.set([
        ["a", "new"],
        ["b", "new"],
        ["c", () => "no clone of a function"],
      ]);
      await expect(bad).rejects.toThrow();
      expect(await store.getMany(["a", "b", "c"])).toEqual(["old", undefined, undefined]);
      store.close();
    });

    test("keeps its own copy", async () => {
      const store = await open();
      const value = { list: [1] };
      await store.set([["a", value]]);
      value.list.push(2);
      const got = await store.get("a");
      expect(got).toEqual({ list: [1] });
      (got as typeof value).list.push(3);
      expect(await store.get("a")).toEqual({ list: [1] });
      store.close();
    });

    test("a closed store says so", async () => {
      const store = await open();
      store.close();
      expect(await errorCode(store.get("a"))).toBe("STORE.closed");
      expect(await errorCode(store.getMany(["a"]))).toBe("STORE.closed");
      expect(await errorCode(store.set([["a", 1]]))).toBe("STORE.closed");
      expect(await errorCode(store.delete(["a"]))).toBe("STORE.closed");
      expect(await errorCode(store.keys(""))).toBe("STORE.closed");
    });
  });
}
