// What every tier of the model store must do, run over each by its own test file: what is read is what was put, whole or not at
// all, and a set of values is written together. Faults that only one tier can have are tested beside that tier.
import { describe, expect, test } from "vitest";
import type { ChunkStore } from "../store/chunk_store.ts";
import type { KeyValue } from "../store/key_value.ts";
import { chunkCases } from "./chunk_cases.ts";
import { errorCode } from "./typed_error.ts";

export { sameBytes, seededBytes } from "./chunk_cases.ts";

/** @param open gives an empty store each time */
export function testChunks(name: string, open: () => Promise<ChunkStore>): void {
  describe(`${name}: chunks`, () => {
    for (const [title, run] of Object.entries(chunkCases)) test(title, async () => run(await open()));
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
