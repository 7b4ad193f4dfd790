import { expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { pageHash, pageHashes } from "./page_hash.ts";

test("a hash is of all tokens up to the page's end, page by page", () => {
  const ids = Array.from({ length: 100 }, (_, index) => index);
  const hashes = pageHashes(ids, 32);
  expect(hashes.length).toBe(3);
  expect(hashes[1]).toBe(pageHash(hashes[0], ids.slice(32, 64)));
  expect(hashes[0]).toMatch(/^[0-9a-f]{32}$/);
  expect(pageHashes(ids.slice(0, 96), 32)).toEqual(hashes);
  expect(pageHashes([7, ...ids.slice(1)], 32)[2]).not.toBe(hashes[2]);
});

test("order, length and each single token change it", () => {
  const ids = Array.from({ length: 32 }, (_, index) => index);
  const seen = new Set([pageHash(undefined, ids), pageHash(undefined, ids.toReversed()), pageHash(undefined, ids.slice(1))]);
  for (let at = 0; at < 32; at++) seen.add(pageHash(undefined, ids.with(at, 1000)));
  for (const length of [0, 1, 2, 3])
    seen.add(
      pageHash(
        undefined,
        Array.from({ length }, () => 0),
      ),
    );
  expect(seen.size).toBe(3 + 32 + 4);
});

test("200,000 pages of few different tokens: no two alike, and each half of a hash is as good as random", () => {
  const rng = seededRng(3);
  const whole = new Set<string>();
  const halves = [new Set<string>(), new Set<string>()];
  const pages = new Set<string>();
  for (let i = 0; i < 200_000; i++) {
    const ids = Array.from({ length: 8 }, () => rng.below(6));
    pages.add(ids.join());
    const hash = pageHash(undefined, ids);
    whole.add(hash);
    halves[0].add(hash.slice(0, 16));
    halves[1].add(hash.slice(16));
  }
  expect(whole.size).toBe(pages.size);
  expect(halves.map(({ size }) => size)).toEqual([pages.size, pages.size]);
});
