import { expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { PageAllocator } from "./page_allocator.ts";

test("pages are handed out once, low numbers first, and come back", () => {
  const pages = new PageAllocator(3);
  expect([pages.take(), pages.take(), pages.take(), pages.take()]).toEqual([0, 1, 2, undefined]);
  pages.release(1);
  expect(pages.used).toBe(2);
  expect(pages.take()).toBe(1);
});

test("a shared page is free after its last user", () => {
  const pages = new PageAllocator(1);
  const page = pages.take();
  expect(page).toBe(0);
  pages.retain(0);
  pages.release(0);
  expect(pages.take()).toBeUndefined();
  pages.release(0);
  expect(pages.take()).toBe(0);
  expect(() => {
    pages.release(0);
    pages.release(0);
  }).toThrow(/page 0 is free/);
});

test("growth keeps pages in use and adds the rest", () => {
  const pages = new PageAllocator(1);
  expect(pages.take()).toBe(0);
  pages.grow(4);
  expect([pages.take(), pages.take(), pages.take(), pages.take()]).toEqual([1, 2, 3, undefined]);
  expect(pages).toMatchObject({ used: 4, capacity: 4 });
});

test("10,000 random calls agree with a plain model of reference counts", () => {
  const rng = seededRng(5);
  const pages = new PageAllocator(8);
  const counts = new Map<number, number>();
  for (let i = 0; i < 10_000; i++) {
    const held = [...counts.keys()];
    const choice = rng.below(3);
    if (choice === 0) {
      const page = pages.take();
      expect(page === undefined).toBe(held.length === pages.capacity);
      if (page !== undefined) {
        expect(counts.has(page)).toBe(false);
        counts.set(page, 1);
      }
    } else if (held.length > 0) {
      const page = held[rng.below(held.length)];
      const count = counts.get(page) ?? 0;
      if (choice === 1) {
        pages.retain(page);
        counts.set(page, count + 1);
      } else {
        pages.release(page);
        if (count === 1) counts.delete(page);
        else counts.set(page, count - 1);
      }
    }
    expect(pages.used).toBe(counts.size);
  }
});
