import { describe, expect, test } from "vitest";
import { abortError, ShaderloomError } from "../base/errors.ts";
import { createTurnQueue } from "./queue.ts";
import { collect, createTurnStream } from "./turn_stream.ts";

const settle = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 0));

/** A queue, a stream of `count` numbers on it, and what became of it. */
function setUp(count: number, options: { failAt?: number; hangAt?: number } = {}) {
  const queue = createTurnQueue();
  const user = new AbortController();
  const closers = new Set<(error: ShaderloomError) => void>();
  const unloaded = new ShaderloomError("AbortError", "It was unloaded.");
  const engine = { abort: (): void => [...closers].forEach((close) => close(unloaded)) };
  const log = { begun: 0, freed: 0, made: 0 };
  const stream = createTurnStream<number>({
    queue,
    signal: user.signal,
    closers,
    async *body(signal) {
      log.begun++;
      try {
        for (let i = 0; i < count; i++) {
          if (i === options.failAt) throw new ShaderloomError("GPU.lost", "The device is gone. Load again.");
          if (i === options.hangAt) {
            await new Promise((_, reject) => {
              signal.addEventListener("abort", () => reject(abortError(signal)));
            });
          }
          log.made++;
          yield i;
        }
      } finally {
        log.freed++;
      }
    },
  });
  const expectFree = async (): Promise<void> => {
    const release = await Promise.race([queue.take(), settle().then(() => undefined)]);
    expect(release, "the engine is free").toBeDefined();
    expect(closers.size, "nothing is left behind").toBe(0);
    release?.();
  };
  return { queue, closers, user, engine, stream, log, expectFree };
}

describe("a stream frees the engine", () => {
  test("at its end", async () => {
    const s = setUp(3);
    expect(await collect(s.stream)).toEqual([0, 1, 2]);
    await s.expectFree();
    expect(await s.stream.next()).toEqual({ done: true, value: undefined });
  });

  test("when it is never iterated, and when it is only returned", async () => {
    const s = setUp(3);
    await settle();
    await s.expectFree();
    await s.stream.return?.();
    expect(s.log.begun).toBe(0);
    expect(await collect(s.stream)).toEqual([]);
    await s.expectFree();
  });

  test.each(["break", "throw", "return"])("on %s", async (how) => {
    const s = setUp(3);
    const consume = async (): Promise<void> => {
      for await (const n of s.stream) {
        expect(n).toBe(0);
        if (how === "break") break;
        if (how === "return") return;
        throw new Error("mine");
      }
    };
    if (how === "throw") await expect(consume()).rejects.toThrow("mine");
    else await consume();
    expect(s.log).toEqual({ begun: 1, freed: 1, made: 1 });
    await s.expectFree();
  });

  test("on an error of its own, which the consumer hears once, after what was delivered", async () => {
    const s = setUp(3, { failAt: 2 });
    const got: number[] = [];
    await expect(
      (async () => {
        for await (const n of s.stream) got.push(n);
      })(),
    ).rejects.toMatchObject({ code: "GPU.lost" });
    expect(got).toEqual([0, 1]);
    await s.expectFree();
    expect((await s.stream.next()).done).toBe(true);
  });

  const whose = [
    ["user", "The call was aborted by its signal."],
    ["engine", "It was unloaded."],
  ] as const;

  test.each(whose)("on an abort by the %s while the body runs", async (who, message) => {
    const s = setUp(3, { hangAt: 1 });
    expect((await s.stream.next()).value).toBe(0);
    const pending = s.stream.next();
    s[who].abort();
    await expect(pending).rejects.toMatchObject({ code: "AbortError", message });
    await s.expectFree();
    expect((await s.stream.next()).done).toBe(true);
  });

  test.each(whose)("on an abort by the %s while nobody pulls; the next pull hears of it", async (who, message) => {
    const s = setUp(3);
    await s.stream.next();
    s[who].abort();
    await settle();
    expect(s.log.freed).toBe(1);
    await s.expectFree();
    await expect(s.stream.next()).rejects.toMatchObject({ code: "AbortError", message });
    expect((await s.stream.next()).done).toBe(true);
  });

  test("on an abort before the first pull, without having begun", async () => {
    const s = setUp(3);
    s.user.abort();
    await expect(s.stream.next()).rejects.toMatchObject({ code: "AbortError" });
    expect(s.log.begun).toBe(0);
    await s.expectFree();
  });

  test("on an abort while it waits for its turn", async () => {
    const s = setUp(3);
    const release = await s.queue.take();
    const pending = s.stream.next();
    s.user.abort();
    await expect(pending).rejects.toMatchObject({ code: "AbortError" });
    expect(s.log.begun).toBe(0);
    release();
    await s.expectFree();
  });

  test("an abort after the end changes nothing", async () => {
    const s = setUp(1);
    await collect(s.stream);
    s.user.abort();
    expect((await s.stream.next()).done).toBe(true);
    await s.expectFree();
  });
});

test("a slow consumer pauses the body", async () => {
  const s = setUp(100);
  await s.stream.next();
  await s.stream.next();
  await settle();
  expect(s.log.made).toBe(2);
  await s.stream.return?.();
});
