// What goes wrong under a streamed model: chunks that are gone or damaged, a store that fails, is cleared or says nothing, a lost device,
// answers and sessions that are left in the middle. It is mended or it is a typed error, at once; never another text.

import { describe, expect, test } from "vitest";
import { ShaderloomError } from "../base/errors.ts";
import { gpuOrSkip, sharedGpuOrSkip, type Skipper } from "../testing/gpu.ts";
import { idsOf, layeredModel, leastBudget, openSession, promptOf, request, streamingOf, withSession } from "../testing/streamed_session.ts";
import { type DiskRead, type DiskTrouble, openThrottledStore, type ThrottledStore } from "../testing/throttled_store.ts";
import { watchGpu } from "../testing/watched_gpu.ts";
import type { LoadSessionOptions } from "./load.ts";
import type { Session } from "./session.ts";

const model = layeredModel();
const contextLength = 256;
const wanted = request(promptOf(40), 12);

let known: { readonly expected: number[]; readonly least: number } | undefined;

async function learn(gpu: GPU): Promise<NonNullable<typeof known>> {
  const options = { model, gpu, contextLength };
  known ??= { expected: await withSession(options, (session) => idsOf(session, wanted)), least: await leastBudget(options) };
  return known;
}

interface Scene extends ThrottledStore {
  readonly session: Session;
  /** Of all of the model on the GPU. */
  readonly expected: readonly number[];
}

/** A streamed session over a store that does as it is told; no layer but the first and the last stays. */
async function scene(context: Skipper, use: (scene: Scene) => Promise<void>, more: Partial<LoadSessionOptions> = {}): Promise<void> {
  const gpu = await sharedGpuOrSkip(context);
  const { expected, least } = await learn(gpu);
  const store = openThrottledStore();
  const load = { model, gpu, contextLength, memoryBudget: least + 500_000, execution: { residentLayers: 2 }, ...more };
  await withSession({ ...load, imageStore: store.store }, (session) => use({ ...store, session, expected }));
}

/** An answer that is right, or an error; which one, and nothing else. */
async function outcome({ session, expected }: Scene): Promise<"right" | ShaderloomError> {
  try {
    const ids: number[] = [];
    for await (const event of session.generate(wanted)) {
      if (event.kind === "token") ids.push(event.id);
      // Nothing wrong may come before an error.
      expect(ids).toEqual(expected.slice(0, ids.length));
    }
    expect(ids).toHaveLength(expected.length);
    return "right";
  } catch (thrown) {
    if (thrown instanceof ShaderloomError) return thrown;
    throw thrown;
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => void setTimeout(reject, ms, new Error(`nothing happened in ${ms} ms`)));
  return Promise.race([work, late]);
}

/** Numbers of reads from now on. */
function fromNow(store: ThrottledStore, plan: (number: number, read: DiskRead) => DiskTrouble | undefined): void {
  const before = store.counts().reads;
  store.disk.trouble = (read) => plan(read.number - before, read);
}

describe("a damaged image is mended from the model, and the answer is right", () => {
  test.for(["missing", "flipped"] as const)("%s once: read again, nothing to mend", async (trouble, context) => {
    await scene(context, async (found) => {
      // Once for each chunk: reads are under way side by side, so the next may be another's or the same one's again.
      const troubled = new Set<number>();
      fromNow(found, (number, { index }) => (number % 5 === 0 && troubled.size < troubled.add(index).size ? trouble : undefined));
      expect(await outcome(found)).toBe("right");
      expect(troubled.size).toBeGreaterThan(2);
      expect(streamingOf(found.session).repairs).toBe(0);
    });
  });

  for (const trouble of ["lost", "spoiled"] as const) {
    for (const at of [1, 3, 4, 9]) {
      test(`${trouble} at read ${at}`, async (context) => {
        await scene(context, async (found) => {
          fromNow(found, (number) => (number === at ? trouble : undefined));
          expect(await outcome(found)).toBe("right");
          expect(streamingOf(found.session).repairs).toBe(1);
          expect(await outcome(found)).toBe("right");
          expect(streamingOf(found.session).repairs).toBe(1);
        });
      });
    }
  }

  test("every seventh read", async (context) => {
    await scene(context, async (found) => {
      fromNow(found, (number) => (number % 7 === 0 ? "spoiled" : undefined));
      expect(await outcome(found)).toBe("right");
      expect(streamingOf(found.session).repairs).toBeGreaterThan(3);
    });
  });

  test("the store is cleared in the middle of an answer", async (context) => {
    await scene(context, async (found) => {
      const ids: number[] = [];
      for await (const event of found.session.generate(wanted)) {
        if (event.kind === "token" && ids.push(event.id) === 4) await found.clear();
      }
      expect(ids).toEqual(found.expected);
      expect(streamingOf(found.session).repairs).toBeGreaterThan(0);
      expect(await outcome(found)).toBe("right");
    });
  });

  test("a chunk that is gone each time that it is read is kept in memory", async (context) => {
    await scene(context, async (found) => {
      fromNow(found, (_, { index }) => (index === 5 ? "missing" : undefined));
      expect(await within(5000, outcome(found))).toBe("right");
      expect(streamingOf(found.session).repairs).toBe(2);
      expect(await within(5000, outcome(found))).toBe("right");
      expect(streamingOf(found.session).repairs).toBe(2);
    });
  });

  test("the store is cleared between loads", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const { expected, least } = await learn(gpu);
    const { store, clear } = openThrottledStore();
    const load = { model, gpu, contextLength, memoryBudget: least, imageStore: store };
    expect(await withSession(load, (session) => idsOf(session, wanted))).toEqual(expected);
    await clear();
    expect(await withSession(load, (session) => idsOf(session, wanted))).toEqual(expected);
  });
});

describe("what cannot be mended is a typed error, and the session goes on when it is over", () => {
  test("the store itself fails", async (context) => {
    await scene(context, async (found) => {
      fromNow(found, (number) => (number > 6 ? new ShaderloomError("STORE.failed", "The disk is out of order.") : undefined));
      expect(await within(5000, outcome(found))).toMatchObject({ code: "STORE.failed" });
      found.disk.trouble = undefined;
      expect(await outcome(found)).toBe("right");
    });
  });

  test("the store fails in a way that nobody foresaw", async (context) => {
    await scene(context, async (found) => {
      fromNow(found, (number) => (number === 5 ? new TypeError("undefined is not a function") : undefined));
      expect(await within(5000, outcome(found))).toBeInstanceOf(ShaderloomError);
      expect(await outcome(found)).toBe("right");
    });
  });

  test("the model's file is gone when a layer has to be made anew", async (context) => {
    const file = new FadingFile([model], "fading.gguf");
    await scene(
      context,
      async (found) => {
        file.gone = true;
        fromNow(found, (number) => (number === 4 ? "spoiled" : undefined));
        const failure = await within(5000, outcome(found));
        expect(failure).toBeInstanceOf(ShaderloomError);
        expect(failure).toMatchObject({ code: expect.stringMatching(/^(SOURCE|STORE)\./) });
        // Still gone: the same again, no hang.
        expect(await within(5000, outcome(found))).toBeInstanceOf(ShaderloomError);
        file.gone = false;
        expect(await outcome(found)).toBe("right");
      },
      { model: file },
    );
  });

  test("the device is lost in the middle of a step", async (context) => {
    const watched = await watchGpu(await gpuOrSkip(context));
    const { least } = await learn(watched.gpu);
    const { store, disk } = openThrottledStore();
    const session = await openSession({ model, gpu: watched.gpu, contextLength, memoryBudget: least, imageStore: store });
    const { bytesPerStep } = streamingOf(session);
    await idsOf(session, request(promptOf(5), 2));
    disk.bytesPerSecond = bytesPerStep * 5;
    const running = idsOf(session, request(promptOf(40), 100));
    setTimeout(() => watched.device().destroy(), 300);
    await expect(within(5000, running)).rejects.toMatchObject({ code: "GPU.lost", retryable: true });
    await expect(within(5000, idsOf(session, wanted))).rejects.toMatchObject({ code: "GPU.lost" });
    session.destroy();
  });
});

/** A file that can go away, as a removed disk's do. */
class FadingFile extends File {
  gone = false;

  override slice(...range: Parameters<File["slice"]>): Blob {
    if (this.gone) throw new DOMException("The file could not be read.", "NotFoundError");
    return super.slice(...range);
  }
}

describe("what is left in the middle", () => {
  test("an abort while a layer is awaited ends at once, and the next answer is right", async (context) => {
    await scene(context, async (found) => {
      const { session, disk, expected } = found;
      // Two seconds a step.
      disk.bytesPerSecond = streamingOf(session).bytesPerStep / 2;
      // In the prompt, and in the step after it.
      for (const afterMs of [0, 30, 400, 2600]) {
        const controller = new AbortController();
        const running = idsOf(session, { ...wanted, signal: controller.signal });
        setTimeout(() => controller.abort(), afterMs);
        const start = performance.now();
        await expect(within(afterMs + 3000, running)).rejects.toMatchObject({ code: "AbortError" });
        expect(performance.now() - start).toBeLessThan(afterMs + 1000);
      }
      disk.bytesPerSecond = undefined;
      expect(await idsOf(session, wanted)).toEqual(expected);
    });
  });

  test.for([1, 2, 8])("an abort and a reader that leaves after any token, %d in flight", async (tokensInFlight, context) => {
    await scene(
      context,
      async (found) => {
        const { session, disk, expected } = found;
        disk.bytesPerSecond = streamingOf(session).bytesPerStep * 40;
        for (const after of [1, 2, 5]) {
          for (const how of ["abort", "leave"] as const) {
            const controller = new AbortController();
            const ids: number[] = [];
            const run = async (): Promise<void> => {
              for await (const event of session.generate({ ...wanted, maxTokens: 60, signal: controller.signal })) {
                if (event.kind !== "token" || ids.push(event.id) < after) continue;
                if (how === "leave") break;
                controller.abort();
              }
            };
            await run().catch((error: unknown) => expect(error).toMatchObject({ code: "AbortError" }));
            expect(ids).toEqual(expected.slice(0, after));
            // Another conversation, then the first: nothing of the steps that were left may show.
            await idsOf(session, request(promptOf(10, 77), 3));
            expect(await idsOf(session, wanted), `${how} after ${after}`).toEqual(expected);
          }
        }
      },
      { execution: { residentLayers: 1, tokensInFlight } },
    );
  });

  test("a store that never answers: an abort ends the request, an unload everything", async (context) => {
    await scene(context, async ({ session, ...found }) => {
      fromNow({ ...found }, (number) => (number > 5 ? "silent" : undefined));
      const controller = new AbortController();
      const running = idsOf(session, { ...wanted, signal: controller.signal });
      setTimeout(() => controller.abort(), 200);
      await expect(within(3000, running)).rejects.toMatchObject({ code: "AbortError" });
      const again = idsOf(session, wanted);
      setTimeout(() => session.destroy(), 200);
      await expect(within(3000, again)).rejects.toMatchObject({ code: expect.stringMatching(/^(REQUEST.unloaded|GPU.lost)$/) });
    });
  });

  test("a session that is unloaded while it reads and computes", async (context) => {
    await scene(context, async ({ session, disk }) => {
      disk.bytesPerSecond = streamingOf(session).bytesPerStep * 4;
      const running = idsOf(session, request(promptOf(40), 50));
      setTimeout(() => session.destroy(), 350);
      await expect(within(3000, running)).rejects.toMatchObject({ code: "REQUEST.unloaded" });
      expect(session.stats().gpuBytes.total).toBe(0);
      // What was under way comes back to nobody.
      await new Promise((resolve) => void setTimeout(resolve, 300));
    });
  });
});
