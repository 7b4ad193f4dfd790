import { describe, expect, test } from "vitest";
import { ShaderloomError } from "../base/errors.ts";
import { seededRng } from "../base/rng.ts";
import { MAX_WAITING, createTurnQueue } from "./queue.ts";
import type { Release } from "./queue.ts";

const settle = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 0));

describe("turns", () => {
  test("are first in, first out", async () => {
    const queue = createTurnQueue();
    const order: number[] = [];
    const first = await queue.take();
    const rest = [1, 2, 3].map(async (n) => {
      const release = await queue.take();
      order.push(n);
      release();
    });
    expect(queue.waiting).toBe(3);
    expect(order).toEqual([]);
    first();
    await Promise.all(rest);
    expect(order).toEqual([1, 2, 3]);
    expect(queue.waiting).toBe(0);
  });

  test("a second release of the same turn frees nobody else's", async () => {
    const queue = createTurnQueue();
    const first = await queue.take();
    const second = queue.take();
    first();
    const releaseSecond = await second;
    let thirdHasTurn = false;
    const third = queue.take().then((release) => {
      thirdHasTurn = true;
      return release;
    });
    first();
    await settle();
    expect(thirdHasTurn).toBe(false);
    releaseSecond();
    (await third)();
    await queue.idle();
  });

  test("the 65th that waits is told BUSY, and there is room again when one leaves", async () => {
    const queue = createTurnQueue();
    const release = await queue.take();
    const controller = new AbortController();
    const leaving = queue.take(controller.signal);
    const waiting = Array.from({ length: MAX_WAITING - 1 }, () => queue.take().then((r) => r()));
    await expect(queue.take()).rejects.toMatchObject({ code: "BUSY", retryable: true });
    controller.abort();
    await expect(leaving).rejects.toMatchObject({ code: "AbortError" });
    const late = queue.take().then((r) => r());
    release();
    await Promise.all([...waiting, late]);
  });

  test("an abort before or while waiting takes no turn", async () => {
    const queue = createTurnQueue();
    await expect(queue.take(AbortSignal.abort())).rejects.toMatchObject({ code: "AbortError" });
    const release = await queue.take();
    const controller = new AbortController();
    const waiting = queue.take(controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
    release();
    (await queue.take())();
  });

  test("an abort after the turn began is not the queue's business", async () => {
    const queue = createTurnQueue();
    const first = await queue.take();
    const controller = new AbortController();
    const second = queue.take(controller.signal);
    first();
    const release = await second;
    controller.abort();
    release();
    (await queue.take())();
  });

  test("close refuses those who wait and those who come, and lets the running one end", async () => {
    const queue = createTurnQueue();
    const release = await queue.take();
    const waiting = queue.take();
    queue.close(new ShaderloomError("REQUEST.unloaded", "Gone. Make another."));
    await expect(waiting).rejects.toMatchObject({ code: "REQUEST.unloaded" });
    await expect(queue.take()).rejects.toMatchObject({ code: "REQUEST.unloaded" });
    let idle = false;
    const whenIdle = queue.idle().then(() => void (idle = true));
    await settle();
    expect(idle).toBe(false);
    release();
    await whenIdle;
    expect(idle).toBe(true);
  });
});

test("1,000 random schedules: one turn at a time, FIFO among those who stay, no one left waiting", async () => {
  for (let seed = 0; seed < 1000; seed++) {
    const rng = seededRng(seed);
    const queue = createTurnQueue();
    const model: number[] = [];
    const served: number[] = [];
    let holding = 0;
    const jobs = Array.from({ length: 12 }, async (_, n) => {
      for (let i = rng.below(4); i > 0; i--) await Promise.resolve();
      const controller = new AbortController();
      let release: Release;
      const waits = queue.take(controller.signal);
      model.push(n);
      if (rng.unit() < 0.3) queueMicrotask(() => controller.abort());
      try {
        release = await waits;
      } catch {
        model.splice(model.indexOf(n), 1);
        return;
      }
      expect(++holding).toBe(1);
      served.push(n);
      for (let i = rng.below(3); i > 0; i--) await Promise.resolve();
      holding--;
      release();
    });
    await Promise.all(jobs);
    expect(served, `seed ${seed}`).toEqual(model);
    expect(queue.waiting).toBe(0);
    (await queue.take())();
  }
});
