// Saved conversations in the browser's database: there for whoever opens it next, and gone with their last page.

import { afterAll, expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { errorCode } from "../testing/typed_error.ts";
import { openIndexedDb } from "./indexeddb.ts";
import { openSessionStore, type SessionStore } from "./session_store.ts";

/** Of this file alone: others run beside it in the same origin. */
const name = `test-sessions-${crypto.randomUUID()}`;

afterAll(() => {
  indexedDB.deleteDatabase(name);
});

function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const rng = seededRng(seed);
  return Uint8Array.from({ length }, () => rng.below(256));
}

async function save(store: SessionStore, id: string, seeds: readonly number[]): Promise<number> {
  let written = 0;
  await store.save(id, async (draft) => {
    const names = seeds.map((seed) => `${seed}0`);
    const known = await draft.known(names);
    const missing = names.flatMap((record, index) => (known[index] ? [] : [{ name: record, bytes: noise(100_000, seeds[index]) }]));
    written = missing.length;
    const put = await draft.put(missing);
    return {
      facts: { seeds: [...seeds] },
      records: names.flatMap((record, at) => known[at] ?? put.find((one) => one.name === record) ?? []),
    };
  });
  return written;
}

function load(store: SessionStore, id: string): Promise<boolean> {
  return store.read(id, async (reader) => {
    const { facts, records } = await reader.session();
    const { seeds = [] } = facts as { readonly seeds?: readonly number[] };
    const found = await Promise.all(records.map((record) => reader.record(record)));
    const expected = seeds.map((seed) => noise(100_000, seed));
    return found.length === seeds.length && found.every((bytes, index) => bytes.every((byte, at) => byte === expected[index][at]));
  });
}

test("what one opening saves another finds, shares and removes", async () => {
  const first = await openSessionStore({ name });
  expect(first.tier).toBe("indexeddb");
  expect(await save(first, "a", [1, 2, 3])).toBe(3);
  first.close();
  const second = await openSessionStore({ name });
  expect(await load(second, "a")).toBe(true);
  expect(await save(second, "b", [1, 2, 4])).toBe(1);
  const third = await openSessionStore({ name });
  // Saves of two tabs take turns.
  await Promise.all([save(second, "c", [1, 5]), save(third, "d", [1, 5]), third.delete("a")]);
  expect(await Promise.all(["b", "c", "d"].map((id) => load(third, id)))).toEqual([true, true, true]);
  expect(await errorCode(load(second, "a"))).toBe("SESSION.missing");
  for (const id of ["b", "c", "d"]) await second.delete(id);
  const { keyValue, chunks } = await openIndexedDb(name);
  expect([await keyValue.keys(""), await chunks.files()]).toEqual([[], []]);
  for (const one of [second, third, chunks]) one.close();
});

test("a page that the browser lost is told of, and written again", async () => {
  const store = await openSessionStore({ name });
  await save(store, "a", [7, 8]);
  const { chunks } = await openIndexedDb(name);
  await chunks.delete("80");
  expect(await errorCode(load(store, "a"))).toBe("SESSION.corrupt");
  expect(await save(store, "a", [7, 8])).toBe(1);
  expect(await load(store, "a")).toBe(true);
  await store.delete("a");
  store.close();
  chunks.close();
});
