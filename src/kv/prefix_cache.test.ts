// The tree of prefixes against a plain model: all sequences that were ever inserted, compared token by token.

import { describe, expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { PageAllocator } from "./page_allocator.ts";
import { commonLength, PrefixCache } from "./prefix_cache.ts";

interface Scene {
  readonly allocator: PageAllocator;
  readonly cache: PrefixCache;
  /** Inserts a sequence on new pages, of which the caller keeps no reference. */
  readonly add: (ids: readonly number[]) => number[];
}

function scene(capacity: number, { pageTokens = 4, parts = true } = {}): Scene {
  const allocator = new PageAllocator(capacity);
  const cache = new PrefixCache({ pageTokens, allocator, parts });
  const add = (ids: readonly number[]): number[] => {
    const pages: number[] = [];
    while (pages.length * pageTokens < ids.length) {
      const page = allocator.take() ?? (cache.evict() ? allocator.take() : undefined);
      if (page === undefined) break;
      pages.push(page);
    }
    cache.insert(ids.slice(0, pages.length * pageTokens), pages);
    for (const page of pages) allocator.release(page);
    return pages;
  };
  return { allocator, cache, add };
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}

describe("a prompt takes", () => {
  test("full pages, and the beginning of one", () => {
    const { cache, add } = scene(16);
    const pages = add(range(0, 10));
    expect(cache.match(range(0, 20), 19)).toEqual({ pages: pages.slice(0, 2), part: { page: pages[2], tokens: 2 }, tokens: 10 });
    expect(cache.match([...range(0, 6), 99, 98], 8)).toEqual({ pages: pages.slice(0, 1), part: { page: pages[1], tokens: 2 }, tokens: 6 });
    expect(cache.match([5, 6, 7], 3)).toEqual({ pages: [], part: undefined, tokens: 0 });
  });

  test("no more than it may", () => {
    const { cache, add } = scene(16);
    const pages = add(range(0, 8));
    expect(cache.match(range(0, 8), 7)).toEqual({ pages: pages.slice(0, 1), part: { page: pages[1], tokens: 3 }, tokens: 7 });
    expect(cache.match(range(0, 8), 0).tokens).toBe(0);
  });

  test("whole pages only, where pages are quantized whole", () => {
    const { cache, add } = scene(16, { parts: false });
    const pages = add(range(0, 11));
    expect(cache.size).toBe(2);
    expect(cache.match(range(0, 11), 10)).toEqual({ pages: pages.slice(0, 2), part: undefined, tokens: 8 });
  });

  test("the longest of several branches", () => {
    const { cache, add } = scene(32);
    add([...range(0, 4), 50, 51]);
    const [, long] = add([...range(0, 4), 60, 61, 62]);
    expect(cache.match([...range(0, 4), 60, 61, 62, 63], 8)).toMatchObject({ part: { page: long, tokens: 3 }, tokens: 7 });
  });
});

test("what is inserted twice is held once; a page that only ended earlier gives way to the longer one", () => {
  const { allocator, cache, add } = scene(16);
  add(range(0, 10));
  expect([cache.size, allocator.used]).toEqual([3, 3]);
  add(range(0, 10));
  expect([cache.size, allocator.used]).toEqual([3, 3]);
  add(range(0, 11));
  expect([cache.size, allocator.used]).toEqual([3, 3]);
  add(range(0, 12));
  expect([cache.size, allocator.used]).toEqual([3, 3]);
});

test("the branch used longest ago goes first, from its end, and never a page in use", () => {
  const { allocator, cache, add } = scene(5);
  const first = add([...range(0, 4), ...range(10, 14)]);
  add([...range(0, 4), ...range(20, 24)]);
  cache.match([...range(0, 4), ...range(10, 14), 1], 9);
  allocator.retain(first[1]);
  expect(cache.evict()).toBe(true);
  expect(cache.match([...range(0, 4), ...range(20, 24), 1], 9).tokens).toBe(4);
  expect(cache.evict()).toBe(false);
  allocator.release(first[1]);
  expect([cache.evict(), cache.evict(), cache.evict()]).toEqual([true, true, false]);
  expect([cache.size, allocator.used]).toEqual([0, 0]);
});

test("what is forgotten takes with it what came after", () => {
  const { allocator, cache, add } = scene(16);
  const pages = add(range(0, 12));
  add([...range(0, 4), 77]);
  cache.forget([pages[1]]);
  expect(cache.match(range(0, 13), 12).tokens).toBe(4);
  expect(allocator.used).toBe(2);
  cache.clear();
  expect(allocator.used).toBe(0);
});

test("3,000 random sequences in little room: nothing is found that was not inserted, all references are accounted for", () => {
  const rng = seededRng(11);
  const { allocator, cache, add } = scene(24);
  const seen: number[][] = [];
  let hits = 0;
  for (let i = 0; i < 3000; i++) {
    const base = seen.length > 0 && rng.below(3) > 0 ? seen[rng.below(Math.min(seen.length, 5))] : [];
    const ids = [...base.slice(0, rng.below(base.length + 1)), ...Array.from({ length: 1 + rng.below(9) }, () => rng.below(3))].slice(
      0,
      30,
    );
    const match = cache.match(ids, ids.length - 1);
    const best = Math.max(0, ...seen.map((other) => commonLength(other, ids)));
    expect(match.tokens).toBeLessThanOrEqual(best);
    expect(match.tokens).toBe(match.pages.length * 4 + (match.part?.tokens ?? 0));
    if (match.tokens > 0) hits++;
    add(ids);
    seen.unshift(ids);
    expect(allocator.used).toBe(cache.size);
  }
  expect(hits).toBeGreaterThan(1000);
});
