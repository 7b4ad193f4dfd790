import { describe, expect, test } from "vitest";
import {
  type Manifest,
  chunkKey,
  chunkLengthOf,
  decodeManifest,
  decodeRecord,
  encodeManifest,
  encodeRecord,
  fileId,
  manifestKey,
  parseChunkKey,
} from "./manifest.ts";
import { seal, unseal } from "./sealed.ts";

const identity = { url: "https://host.test/a/modèle-\u{1f600}.gguf", revision: '"etag\ufffd"' };

async function someManifest(more: Partial<Manifest> = {}): Promise<Manifest> {
  const id = await fileId(identity);
  const size = { bytes: 10_000, chunkBytes: 1024 };
  const state = { tier: "indexeddb", state: "complete", sha256: "ab".repeat(32), verified: true } as const;
  return { version: 1, ...identity, id, model: id, name: "modèle.gguf", ...size, ...state, createdAt: 1, usedAt: 2, ...more };
}

/** Every text that differs from this one in one bit of one UTF-16 unit. */
function* flips(text: string): Generator<string> {
  for (let at = 0; at < text.length; at++) {
    for (let bit = 0; bit < 16; bit++) {
      yield text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << bit)) + text.slice(at + 1);
    }
  }
}

describe("a stored manifest", () => {
  test("is read as it was written", async () => {
    const manifest = await someManifest();
    expect(await decodeManifest(manifest.id, await encodeManifest(manifest))).toEqual(manifest);
    const partial = { ...manifest, state: "partial", sha256: null, verified: false } as const;
    expect(await decodeManifest(manifest.id, await encodeManifest(partial))).toEqual(partial);
  });

  test("with any one bit flipped is none", async () => {
    const manifest = await someManifest();
    let seen = 0;
    for (const flipped of flips(await encodeManifest(manifest))) {
      if ((await decodeManifest(manifest.id, flipped)) !== undefined) expect.fail(flipped);
      seen++;
    }
    expect(seen).toBeGreaterThan(5000);
  });

  test("of another file, or cut short, is none", async () => {
    const text = await encodeManifest(await someManifest());
    const { id } = await someManifest();
    expect(await decodeManifest(await fileId({ ...identity, revision: "2" }), text)).toBeUndefined();
    for (let length = 0; length < text.length; length++) expect(await decodeManifest(id, text.slice(0, length))).toBeUndefined();
    for (const other of [undefined, null, 7, {}, [text], new Uint8Array(3), `${text} `]) {
      expect(await decodeManifest(id, other)).toBeUndefined();
    }
  });

  test("whose checksum is right and whose facts are not is none", async () => {
    const good = await someManifest();
    const wrong: Array<Record<string, unknown>> = [
      { version: 2 },
      { url: 5 },
      { url: "https://host.test/other" },
      { revision: "other" },
      { id: "ab".repeat(16) },
      { model: "../x" },
      { name: null },
      { bytes: -1 },
      { bytes: 0.5 },
      { bytes: "10000" },
      { bytes: 2 ** 53 },
      { chunkBytes: 0 },
      { chunkBytes: 1, bytes: 1e9 },
      { tier: "tape" },
      { state: "done" },
      { sha256: "AB".repeat(32) },
      { sha256: "ab" },
      { sha256: null },
      { verified: 1 },
      { state: "partial" },
      { createdAt: null },
      { usedAt: -5 },
    ];
    for (const change of wrong) {
      const stored = await seal(manifestKey(good.id), { ...good, ...change });
      expect(await decodeManifest(good.id, stored), JSON.stringify(change)).toBeUndefined();
    }
    for (const value of [null, 3, "text", []])
      expect(await decodeManifest(good.id, await seal(manifestKey(good.id), value))).toBeUndefined();
    const more = await seal(manifestKey(good.id), { ...good, constructor: 1 });
    expect(await decodeManifest(good.id, more)).toEqual(good);
  });
});

describe("a stored chunk record", () => {
  const id = "0123456789abcdef".repeat(2);
  const record = { bytes: 1024, sha256: "cd".repeat(32), checksum: "0123456789abcdef" };

  test("is read as it was written, under its own key only", async () => {
    const stored = await encodeRecord(id, 7, record);
    expect(await decodeRecord(id, 7, stored)).toEqual(record);
    expect(await decodeRecord(id, 8, stored)).toBeUndefined();
    expect(await decodeRecord("f".repeat(32), 7, stored)).toBeUndefined();
  });

  test("with any one bit flipped is none", async () => {
    for (const flipped of flips(await encodeRecord(id, 7, record))) {
      if ((await decodeRecord(id, 7, flipped)) !== undefined) expect.fail(flipped);
    }
  });

  test("with wrong facts is none", async () => {
    for (const change of [{ bytes: -1 }, { bytes: null }, { sha256: "cd" }, { checksum: "0123456789ABCDEF" }, { checksum: 5 }]) {
      expect(await decodeRecord(id, 7, await seal(chunkKey(id, 7), { ...record, ...change }))).toBeUndefined();
    }
  });
});

describe("keys and sizes", () => {
  test("keys sort as the chunks do and are read back", () => {
    const id = "0123456789abcdef".repeat(2);
    const keys = [0, 1, 9, 10, 99, 100, 12_345, 999_999].map((index) => chunkKey(id, index));
    expect(keys.toSorted()).toEqual(keys);
    expect(parseChunkKey(chunkKey(id, 12_345))).toEqual({ id, index: 12_345 });
    for (const bad of [chunkKey("x", 1), `chunk/${id}/1`, `chunk/${id}/0000001`, `manifest/${id}`, ""]) {
      expect(parseChunkKey(bad)).toBeUndefined();
    }
  });

  test("the last chunk is shorter, and there is none after it", () => {
    const file = { bytes: 2500, chunkBytes: 1000 };
    expect([0, 1, 2, 3, 4].map((index) => chunkLengthOf(file, index))).toEqual([1000, 1000, 500, 0, 0]);
  });

  test("address and revision together make the id", async () => {
    const ids = await Promise.all([
      fileId({ url: "a", revision: "b" }),
      fileId({ url: "a", revision: "c" }),
      fileId({ url: "ab", revision: "" }),
    ]);
    expect(new Set(ids).size).toBe(3);
    expect(ids.every((id) => /^[0-9a-f]{32}$/.test(id))).toBe(true);
  });
});

test("seal keeps any plain data", async () => {
  const value = { text: 'quote " back \\ line \n tab \t nul \u0000 del \u007f umlaut ä emoji \u{1f600} lone \ud800', list: [1, null] };
  const text = await seal("k", value);
  expect(text).toMatch(/^[\x20-\x7e]+$/);
  expect(await unseal("k", text)).toEqual(value);
  expect(await unseal("l", text)).toBeUndefined();
});
