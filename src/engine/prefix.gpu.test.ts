// Pages of earlier requests: what a prompt takes of them is counted to the token, and changes no text, however prompts branch, alternate or
// push each other out.

import { describe, expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { gpuOrSkip, sharedGpuOrSkip } from "../testing/gpu.ts";
import { idsOf, openSession, promptOf, request, withSession } from "../testing/streamed_session.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { errorCode } from "../testing/typed_error.ts";
import { watchGpu } from "../testing/watched_gpu.ts";
import type { KvOptions } from "./kv_options.ts";
import type { Session } from "./session.ts";

const model = tinyModel({ contextLength: 1024 });

interface Answer {
  readonly ids: readonly number[];
  readonly cached: number;
  /** Tokens of the prompt that were computed. */
  readonly computed: number;
}

async function answer(session: Session, prompt: readonly number[], tokens = 6): Promise<Answer> {
  const before = session.stats().promptTokens;
  const ids: number[] = [];
  let cached = -1;
  for await (const event of session.generate(request(prompt, tokens))) {
    if (event.kind === "token") ids.push(event.id);
    if (event.kind === "prompt") cached = event.cachedTokens;
  }
  return { ids, cached, computed: session.stats().promptTokens - before };
}

/** The answer of a session that has seen nothing else. */
async function fresh(gpu: GPU, prompt: readonly number[], kv?: KvOptions): Promise<readonly number[]> {
  return withSession({ gpu, model, kv }, (session) => idsOf(session, request(prompt, 6)));
}

describe("a prompt takes", () => {
  test("what an earlier chat began with, after others in between; an edit keeps what comes before it", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const [first, second] = [promptOf(150), promptOf(90, 3)];
    await withSession({ gpu, model }, async (session) => {
      const a = await answer(session, first);
      expect(a).toMatchObject({ cached: 0, computed: 150 });
      expect(await answer(session, second)).toMatchObject({ cached: 0, computed: 90 });
      // The first chat goes on: its answer's last token was never computed.
      const longer = [...first, ...a.ids, 5, 6, 7];
      expect(await answer(session, longer)).toEqual({ ids: await fresh(gpu, longer), cached: 155, computed: 4 });
      // An edit in the middle of its fourth page.
      const edited = [...first.slice(0, 110), 77, 78, 79];
      expect(await answer(session, edited)).toEqual({ ids: await fresh(gpu, edited), cached: 110, computed: 3 });
      // And back: what the edit wrote behind token 110 is on a page of its own.
      expect(await answer(session, longer)).toEqual({ ids: await fresh(gpu, longer), cached: longer.length - 1, computed: 1 });
      expect(await answer(session, second)).toMatchObject({ cached: 89, computed: 1, ids: await fresh(gpu, second) });
    });
  });

  test("nothing, where that was asked for, but what the last request left in its place", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    await withSession({ gpu, model, kv: { prefixCache: false } }, async (session) => {
      await answer(session, promptOf(100));
      expect(await answer(session, promptOf(100))).toMatchObject({ cached: 99, computed: 1 });
      await answer(session, promptOf(60, 3));
      expect(await answer(session, promptOf(100))).toMatchObject({ cached: 0, ids: await fresh(gpu, promptOf(100)) });
      expect(session.stats().kvPages.cached).toBe(0);
    });
  });
});

test("pages give way to new ones, those used longest ago first, and bytes stay within the budget", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const bytes = await withSession({ gpu, model }, async (session) => {
    const { bytesPerThousandTokens } = session.stats().kvPages;
    return (bytesPerThousandTokens * 32) / 1000;
  });
  const budget = 12 * bytes;
  await withSession({ gpu, model, kv: { budget } }, async (session) => {
    const chats = [0, 1, 2].map((chat) => promptOf(150, 17 * chat + 1));
    const texts = await Promise.all(chats.map((chat) => fresh(gpu, chat)));
    for (const chat of chats) await answer(session, chat);
    // Room for twelve pages, five each: the first one's last pages went.
    const last = await answer(session, chats[2]);
    expect(last).toMatchObject({ cached: 149, ids: texts[2] });
    const middle = await answer(session, chats[1]);
    expect(middle).toMatchObject({ cached: 149, ids: texts[1] });
    const first = await answer(session, chats[0]);
    expect(first.cached).toBeLessThan(149);
    expect(first).toMatchObject({ ids: texts[0], computed: 150 - first.cached });
    const { used, capacity } = session.stats().kvPages;
    expect(used).toBeLessThanOrEqual(12);
    expect(capacity).toBeLessThanOrEqual(12);
    expect(session.stats().gpuBytes.kv).toBeLessThanOrEqual(budget);
  });
});

test("the last page of a full budget is written over rather than copied", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const bytes = await withSession({ gpu, model }, async (session) => (session.stats().kvPages.bytesPerThousandTokens * 32) / 1000);
  await withSession({ gpu, model, kv: { budget: 5 * bytes } }, async (session) => {
    await answer(session, promptOf(150));
    const edited = [...promptOf(150).slice(0, 140), 9, 9, 9];
    expect(await answer(session, edited)).toEqual({ ids: await fresh(gpu, edited), cached: 140, computed: 3 });
    const error = await answer(session, promptOf(161)).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: "CONTEXT.full" });
    expect(await answer(session, edited)).toMatchObject({ cached: 142, ids: await fresh(gpu, edited) });
  });
});

for (const kv of [{}, { pageTokens: 8 }, { pageTokens: 128 }, { type: "q4", pageTokens: 32 }, { type: "kivi2" }] satisfies KvOptions[]) {
  test(`40 random prompts that branch from each other: the text of a new session, ${JSON.stringify(kv)}`, async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const rng = seededRng(21);
    const session = await openSession({ gpu, model, kv });
    const plain = await openSession({ gpu, model, kv: { ...kv, prefixCache: false } });
    const seen: number[][] = [];
    let cached = 0;
    for (let round = 0; round < 40; round++) {
      const base = seen.length > 0 ? seen[rng.below(seen.length)] : [];
      const added = Array.from({ length: 1 + rng.below(40) }, () => rng.below(256));
      const kept = rng.below(2) === 0 ? base.length : rng.below(base.length + 1);
      const prompt = [...base.slice(0, kept), ...added].slice(0, 300);
      const found = await answer(session, prompt);
      // A prompt that shares nothing comes between, so that it has nothing to take.
      await idsOf(plain, request([255], 1));
      const want = await idsOf(plain, request(prompt, 6));
      expect(found.ids, `round ${round}`).toEqual(want);
      expect(found.cached + found.computed).toBe(prompt.length);
      cached += found.cached;
      seen.push([...prompt, ...found.ids]);
    }
    expect(cached).toBeGreaterThan(1000);
    session.destroy();
    plain.destroy();
  });
}

test("pages that a failed request took are not taken again", async (context) => {
  const buffers: GPUBuffer[] = [];
  const watched = await watchGpu(await gpuOrSkip(context), (device) => ({
    createBuffer: (descriptor) => {
      const buffer = device.createBuffer(descriptor);
      if (descriptor.label?.startsWith("kv of layer")) buffers.push(buffer);
      return buffer;
    },
  }));
  const session = await openSession({ gpu: watched.gpu, model });
  const want = await answer(session, promptOf(150));
  await answer(session, promptOf(20, 3));
  // Every key and value that is kept becomes NaN.
  const device = watched.device();
  for (const buffer of buffers) {
    device.queue.writeBuffer(buffer, 0, new Float32Array(buffer.size / 4).fill(Number.NaN));
  }
  expect(await errorCode(answer(session, promptOf(150)))).toBe("GPU.numeric");
  expect(await answer(session, promptOf(150))).toEqual({ ...want, cached: 0, computed: 150 });
  session.destroy();
});
