// Conversations that share records: each record written once, removed with its last user, and nothing read that is not what was written.

import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { ShaderloomError } from "../base/errors.ts";
import { openFiles } from "./files.ts";
import { openLocks } from "./locks.ts";
import { memoryStore } from "./memory.ts";
import { createSessionStore, openSessionStore, type SessionRecord, type SessionStore, type SessionStoreParts } from "./session_store.ts";

function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const rng = seededRng(seed);
  return Uint8Array.from({ length }, () => rng.below(256));
}

/** Saves records by name, those that are not there; a record's bytes follow from its name. */
async function save(store: SessionStore, id: string, names: readonly string[]): Promise<string[]> {
  const written: string[] = [];
  await store.save(id, async (draft) => {
    const known = await draft.known(names);
    const records: SessionRecord[] = [];
    for (const [index, name] of names.entries()) {
      const record = known[index] ?? (await draft.put([{ name, bytes: noise(100, Number.parseInt(name, 16)) }]))[0];
      if (!known[index]) written.push(name);
      records.push(record);
    }
    return { facts: { names: [...names] }, records };
  });
  return written;
}

async function load(store: SessionStore, id: string): Promise<number[][]> {
  return store.read(id, async (reader) => {
    const { records } = await reader.session();
    const all: number[][] = [];
    for (const record of records) all.push([...(await reader.record(record))]);
    return all;
  });
}

function bytesOf(names: readonly string[]): number[][] {
  return names.map((name) => [...noise(100, Number.parseInt(name, 16))]);
}

function inMemory(): SessionStoreParts {
  return { ...memoryStore(), locks: openLocks(`test ${crypto.randomUUID()}`) };
}

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sessions-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function inFolder(): Promise<SessionStoreParts> {
  const own = join(folder, crypto.randomUUID());
  return { ...(await openFiles(own)), locks: openLocks(own) };
}

const tiers: Array<[name: string, open: () => SessionStoreParts | Promise<SessionStoreParts>]> = [
  ["memory", inMemory],
  ["a folder", inFolder],
];

describe.each(tiers)("in %s", (_, open) => {
  test("what was saved is there, and records are shared", async () => {
    const store = createSessionStore(await open());
    expect(await save(store, "first", ["01", "02", "03"])).toEqual(["01", "02", "03"]);
    expect(await save(store, "second", ["01", "02", "04"])).toEqual(["04"]);
    expect(await load(store, "first")).toEqual(bytesOf(["01", "02", "03"]));
    expect(await load(store, "second")).toEqual(bytesOf(["01", "02", "04"]));
    expect((await store.list()).map(({ id }) => id).toSorted()).toEqual(["first", "second"]);
  });

  test("a record goes with the last conversation that lists it", async () => {
    const parts = await open();
    const store = createSessionStore(parts);
    await save(store, "first", ["01", "02"]);
    await save(store, "second", ["01", "03"]);
    await store.delete("first");
    expect((await parts.chunks.files()).toSorted()).toEqual(["01", "03"]);
    expect(await load(store, "second")).toEqual(bytesOf(["01", "03"]));
    // A longer conversation needs another last record.
    await save(store, "second", ["01", "04", "05"]);
    expect((await parts.chunks.files()).toSorted()).toEqual(["01", "04", "05"]);
    await store.delete("second");
    expect(await parts.chunks.files()).toEqual([]);
    expect(await parts.keyValue.keys("")).toEqual([]);
    await expect(store.delete("second")).rejects.toMatchObject({ code: "SESSION.missing" });
    await expect(load(store, "second")).rejects.toMatchObject({ code: "SESSION.missing", detail: { id: "second" } });
  });

  test("ids are any text", async () => {
    const store = createSessionStore(await open());
    for (const id of ["../x", "a/b", "ü\u{1f600}", "x".repeat(200), "con"]) {
      await save(store, id, ["01"]);
      expect(await load(store, id)).toEqual(bytesOf(["01"]));
    }
    expect(await store.list()).toHaveLength(5);
  });
});

describe("failures", () => {
  test("a save that fails leaves the one before", async () => {
    const parts = inMemory();
    const store = createSessionStore(parts);
    await save(store, "chat", ["01", "02"]);
    const failing = store.save("chat", async (draft) => {
      await draft.put([{ name: "09", bytes: noise(10, 9) }]);
      throw new ShaderloomError("QUOTA.full", "No room. Delete something.");
    });
    await expect(failing).rejects.toMatchObject({ code: "QUOTA.full" });
    expect(await load(store, "chat")).toEqual(bytesOf(["01", "02"]));
    // What failed ones wrote is swept away by the next to open the store, and by a delete.
    expect(await parts.chunks.files()).toContain("09");
    await save(createSessionStore(parts), "chat", ["01", "03"]);
    expect((await parts.chunks.files()).toSorted()).toEqual(["01", "03"]);
    expect(await store.read("chat", (reader) => reader.session())).toMatchObject({ id: "chat", facts: { names: ["01", "03"] } });
  });

  test("a damaged record is told of, hurts nobody else, and is written again", async () => {
    const parts = inMemory();
    const store = createSessionStore(parts);
    await save(store, "first", ["01", "02"]);
    await save(store, "second", ["01", "03"]);
    await parts.chunks.put("02", 0, noise(100, 77));
    await expect(load(store, "first")).rejects.toMatchObject({ code: "SESSION.corrupt", detail: { record: "02" } });
    expect(await load(store, "second")).toEqual(bytesOf(["01", "03"]));
    expect(await save(store, "first", ["01", "02"])).toEqual(["02"]);
    expect(await load(store, "first")).toEqual(bytesOf(["01", "02"]));
    await parts.chunks.delete("03");
    await expect(load(store, "second")).rejects.toMatchObject({ code: "SESSION.corrupt" });
  });

  test("a damaged list is told of and can be deleted", async () => {
    const parts = inMemory();
    const store = createSessionStore(parts);
    await save(store, "chat", ["01"]);
    await save(store, "other", ["01", "02"]);
    for (const key of await parts.keyValue.keys("session/")) {
      const value = String(await parts.keyValue.get(key));
      if (value.includes("chat")) await parts.keyValue.set([[key, value.replace("01", "02")]]);
    }
    await expect(load(store, "chat")).rejects.toMatchObject({ code: "SESSION.corrupt" });
    expect((await store.list()).map(({ id }) => id)).toEqual(["other"]);
    await store.delete("chat");
    await expect(load(store, "chat")).rejects.toMatchObject({ code: "SESSION.missing" });
    expect(await load(store, "other")).toEqual(bytesOf(["01", "02"]));
  });

  test("every flipped byte of a folder's files is seen", async () => {
    const own = join(folder, "flipped");
    const parts = { ...(await openFiles(own)), locks: openLocks(own) };
    const store = createSessionStore(parts);
    await save(store, "chat", ["01"]);
    const files = (await readdir(own, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const paths = files.map((entry) => join(entry.parentPath, entry.name)).filter((path) => !path.includes("record_"));
    expect(paths).toHaveLength(2);
    for (const path of paths) {
      const good = await readFile(path);
      for (let at = 0; at < good.length; at += 3) {
        const bad = Buffer.from(good);
        bad[at] ^= 1 << (at % 8);
        await writeFile(path, bad);
        // A value that is no JSON any more is as if it were not there.
        await expect(load(store, "chat")).rejects.toMatchObject({ code: expect.stringMatching(/^SESSION\.(corrupt|missing)$/) });
      }
      await writeFile(path, good);
    }
    expect(await load(store, "chat")).toEqual(bytesOf(["01"]));
  });

  test("an abort while another save runs ends the waiting", async () => {
    const store = createSessionStore(inMemory());
    const gate = new EventTarget();
    const long = store.save("one", async () => {
      await new Promise((resolve) => {
        gate.addEventListener("open", resolve);
      });
      return { facts: null, records: [] };
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    const stop = new AbortController();
    const waiting = store.save("two", async () => ({ facts: null, records: [] }), stop.signal);
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ code: "AbortError" });
    gate.dispatchEvent(new Event("open"));
    await long;
    expect((await store.list()).map(({ id }) => id)).toEqual(["one"]);
  });
});

test("without a database or folder, conversations are saved in memory", async () => {
  const store = await openSessionStore();
  expect(store.tier).toBe("memory");
  const off = await openSessionStore({ folder, mode: "off" });
  expect(off.tier).toBe("memory");
  const kept = await openSessionStore({ folder });
  expect(kept.tier).toBe("files");
  await save(kept, "chat", ["01"]);
  kept.close();
  const again = await openSessionStore({ folder });
  expect(await load(again, "chat")).toEqual(bytesOf(["01"]));
});
