// A file of a conversation is used whole or not at all, and what it says is compared with the engine that is to go on from it.

import { describe, expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { sha256 } from "../store/hash.ts";
import { typedError } from "../testing/typed_error.ts";
import { checkTarget, type EngineKey, factsOf, parseFacts, recordNames, type SnapshotTarget } from "./snapshot_facts.ts";
import { readSnapshotFile, writeSnapshotFile } from "./snapshot_file.ts";

const key: EngineKey = {
  model: "tiny",
  hash: "ab".repeat(32),
  layout: { type: "f16", pageTokens: 4, activations: "f32" },
  prefix: "0123456789abcdef",
};
const ids = [5, 6, 7, 8, 9, 10];
const rng = seededRng(3);
const records = [40, 24].map((length) => Uint8Array.from({ length }, () => rng.below(256)));
const target: SnapshotTarget = { key, contextLength: 64, vocabSize: 100 };

function code(run: () => unknown): unknown {
  try {
    run();
  } catch (thrown) {
    return thrown;
  }
  return undefined;
}

/** A file whose checksum is right, whatever it says. */
async function sealed(change: (file: Uint8Array<ArrayBuffer>, view: DataView) => void): Promise<Uint8Array> {
  const file = await writeSnapshotFile({ facts: factsOf(key, ids, 6), records });
  change(file, new DataView(file.buffer));
  const body = file.slice(0, -32);
  const digits = await sha256(body);
  file.set(
    Uint8Array.from({ length: 32 }, (_, index) => Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16)),
    body.length,
  );
  return file;
}

describe("the file", () => {
  test("gives back what was written, also from the middle of a buffer", async () => {
    const file = await writeSnapshotFile({ facts: factsOf(key, ids, 6), records });
    const moved = new Uint8Array(file.length + 13);
    moved.set(file, 13);
    for (const bytes of [file, moved.subarray(13)]) {
      const content = await readSnapshotFile(bytes);
      expect(content.facts).toEqual({ version: 1, model: "tiny", hash: key.hash, layout: key.layout, ids, covered: 6 });
      expect(content.records.map((record) => [...record])).toEqual(records.map((record) => [...record]));
    }
  });

  test("is refused with any byte flipped", async () => {
    const file = await writeSnapshotFile({ facts: factsOf(key, ids, 6), records });
    for (let at = 0; at < file.length; at++) {
      for (const bit of [1, 128]) {
        const bad = file.slice();
        bad[at] ^= bit;
        expect((await typedError(readSnapshotFile(bad))).code).toBe("SESSION.corrupt");
      }
    }
  });

  test("is refused at any length but its own", async () => {
    const file = await writeSnapshotFile({ facts: factsOf(key, ids, 6), records });
    for (let length = 0; length < file.length; length++) {
      expect((await typedError(readSnapshotFile(file.slice(0, length)))).code).toBe("SESSION.corrupt");
    }
    const longer = new Uint8Array(file.length + 1);
    longer.set(file);
    expect((await typedError(readSnapshotFile(longer))).code).toBe("SESSION.corrupt");
  });

  test.for<[name: string, change: (file: Uint8Array<ArrayBuffer>, view: DataView) => void, code: string]>([
    ["a version to come", (_, view) => view.setUint32(8, 2, true), "SESSION.version"],
    ["a header beyond its end", (_, view) => view.setUint32(12, 0xffffffff, true), "SESSION.corrupt"],
    ["a header of nothing", (_, view) => view.setUint32(12, 0, true), "SESSION.corrupt"],
    ["a header that is no JSON", (file) => file.set([0x7b, 0x7b], 16), "SESSION.corrupt"],
    ["a header that is no UTF-8", (file) => file.set([0xff, 0xff], 18), "SESSION.corrupt"],
    ["a header of other fields", (file) => file.set(new TextEncoder().encode('{"fucts"'), 16), "SESSION.corrupt"],
  ])("made by somebody else: %s", async ([, change, expected]) => {
    expect((await typedError(readSnapshotFile(await sealed(change)))).code).toBe(expected);
  });
});

describe("facts", () => {
  const good = factsOf(key, ids, 6);

  test("are believed only when they make sense", () => {
    expect(parseFacts(structuredClone(good))).toEqual(good);
    const bad: unknown[] = [
      null,
      [],
      "x",
      { ...good, ids: [1.5] },
      { ...good, ids: [-1] },
      { ...good, ids: "123" },
      { ...good, ids: [1] },
      { ...good, covered: -1 },
      { ...good, covered: 7 },
      { ...good, layout: { a: {} } },
      { ...good, layout: null },
      { ...good, hash: 5 },
      { ...good, version: "1" },
    ];
    for (const facts of bad) expect(parseFacts(facts)).toBeUndefined();
  });

  test("of this engine pass", () => {
    expect(() => checkTarget(good, target)).not.toThrow();
  });

  test.for<[name: string, facts: object, to: Partial<SnapshotTarget>, expected: object]>([
    [
      "other weights",
      { hash: "cd".repeat(32) },
      {},
      { code: "SESSION.foreign", message: expect.stringMatching(/another version of tiny/) },
    ],
    [
      "another model",
      { hash: "cd".repeat(32), model: "big" },
      {},
      { code: "SESSION.foreign", message: expect.stringMatching(/big/), detail: { saved: "big", loaded: "tiny" } },
    ],
    [
      "another type of keys and values",
      { layout: { ...key.layout, type: "q8_0" } },
      {},
      { code: "SESSION.layout", message: expect.stringMatching(/kv\.type: q8_0, or/), detail: { different: ["type"] } },
    ],
    [
      "other page sizes and activations",
      { layout: { ...key.layout, pageTokens: 8, activations: "int8" } },
      {},
      { code: "SESSION.layout", message: expect.stringMatching(/kv\.pageTokens: 8, activations: int8/) },
    ],
    [
      "a repair that is not asked for",
      { layout: { ...key.layout, repair: "gear" } },
      {},
      { code: "SESSION.layout", message: expect.stringMatching(/repair gear instead of none/) },
    ],
    ["a form to come", { version: 2 }, {}, { code: "SESSION.version" }],
    ["a token beyond the vocabulary", {}, { vocabSize: 10 }, { code: "SESSION.corrupt" }],
    [
      "a context that is too short",
      {},
      { contextLength: 5 },
      { code: "CONTEXT.full", message: expect.stringMatching(/contextLength of 7/) },
    ],
  ])("tell %s", async ([, facts, to, expected]) => {
    const thrown = code(() => checkTarget({ ...good, ...facts }, { ...target, ...to }));
    expect(thrown).toMatchObject(expected);
    await typedError(Promise.reject(thrown));
  });

  test("name records by all tokens up to their end", async () => {
    const names = await recordNames(key, ids, 4);
    expect(names.pages).toHaveLength(1);
    expect(names.rest).toMatch(/^[0-9a-f]{40}$/);
    expect(await recordNames(key, ids.slice(0, 4), 4)).toEqual({ pages: names.pages, rest: undefined });
    expect(await recordNames(key, [], 4)).toEqual({ pages: [], rest: undefined });
    const longer = await recordNames(key, [5, 6, 7, 8, 9, 10, 11], 4);
    expect(longer.pages).toEqual(names.pages);
    expect(longer.rest).not.toBe(names.rest);
    // A page of the same tokens behind others is another.
    const [first, second] = (await recordNames(key, [1, 1, 1, 1, 1, 1, 1, 1], 4)).pages;
    expect(first).not.toBe(second);
    expect((await recordNames({ ...key, prefix: "f" }, ids, 4)).pages).not.toEqual(names.pages);
  });
});
