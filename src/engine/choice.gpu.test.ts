// Where a token is chosen makes no difference: seeded texts and scores of the GPU's sampler are the CPU's, masks and stops hold in both.

import { expect, test } from "vitest";
import { maskWords } from "../base/layout.ts";
import { greedySampling, type SamplingParams } from "../sampling/params.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { tinyModel, tinyVocabSize } from "../testing/tiny_model.ts";
import { loadSession } from "./load.ts";
import type { GenerateEvent, GenerateRequest, Session } from "./session.ts";

const prompt = [10, 20, 30, 20, 10];

function request(more: Partial<GenerateRequest> = {}): GenerateRequest {
  return { promptIds: prompt, maxTokens: 30, sampling: greedySampling, stopIds: new Set(), ...more };
}

type TokenEvent = Extract<GenerateEvent, { kind: "token" }>;

async function tokensOf(session: Session, wanted: GenerateRequest): Promise<TokenEvent[]> {
  const tokens: TokenEvent[] = [];
  for await (const event of session.generate(wanted)) if (event.kind === "token") tokens.push(event);
  return tokens;
}

async function idsOf(session: Session, wanted: GenerateRequest): Promise<number[]> {
  return (await tokensOf(session, wanted)).map(({ id }) => id);
}

/** The same model with its tokens chosen on the GPU and on the CPU. */
async function withBoth(gpu: GPU, use: (onGpu: Session, onCpu: Session) => Promise<void>): Promise<void> {
  const open = (sampler: "gpu" | "cpu"): Promise<Session> =>
    loadSession({ model: tinyModel(), gpu, tuning: "off", execution: { sampler, tokensInFlight: 6 } });
  const [onGpu, onCpu] = [await open("gpu"), await open("cpu")];
  try {
    await use(onGpu, onCpu);
  } finally {
    onGpu.destroy();
    onCpu.destroy();
  }
}

/** A mask of these ids. */
function only(...ids: number[]): Uint32Array {
  const words = new Uint32Array(maskWords(tinyVocabSize));
  for (const id of ids) words[id >> 5] |= 1 << (id & 31);
  return words;
}

const samplings: ReadonlyArray<Partial<SamplingParams>> = [
  {},
  { temperature: 1 },
  { temperature: 0.7, topK: 20 },
  { temperature: 1.3, topP: 0.8 },
  { temperature: 1.5, minP: 0.1 },
  { temperature: 1, topK: 50, topP: 0.9, minP: 0.02, repetitionPenalty: 1.3, frequencyPenalty: 0.4, presencePenalty: 0.2 },
  { repetitionPenalty: 1.7, frequencyPenalty: 1 },
  {
    temperature: 0.9,
    logitBias: new Map([
      [65, 6],
      [66, -100],
    ]),
  },
];

test("seeded texts, step by step with six in flight, are those of the CPU's sampler", async (context) => {
  await withBoth(await sharedGpuOrSkip(context), async (onGpu, onCpu) => {
    expect([onGpu, onCpu].map((session) => session.stats().tokensInFlight)).toEqual([6, 1]);
    for (const [index, sampling] of samplings.entries()) {
      for (const seed of [1, 2]) {
        const wanted = request({ sampling: { ...greedySampling, ...sampling, seed } });
        expect(await idsOf(onGpu, wanted), `sampling ${index}, seed ${seed}`).toEqual(await idsOf(onCpu, wanted));
      }
    }
    expect([onGpu, onCpu].map((session) => session.stats().tokensInFlight)).toEqual([6, 1]);
  });
});

test("scores of chosen tokens are those that the CPU makes of all logits", async (context) => {
  await withBoth(await sharedGpuOrSkip(context), async (onGpu, onCpu) => {
    for (const logprobs of [0, 3, 20]) {
      const wanted = request({ sampling: { ...greedySampling, temperature: 1, seed: 5 }, maxTokens: 12, logprobs });
      const [found, expected] = [await tokensOf(onGpu, wanted), await tokensOf(onCpu, wanted)];
      expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
      for (const [index, { score }] of found.entries()) {
        const like = expected[index].score ?? expect.fail("no score");
        expect(score?.id).toBe(like.id);
        expect(score?.logprob).toBeCloseTo(like.logprob, 4);
        expect(score?.top).toHaveLength(logprobs);
        expect(score?.top.map(({ id }) => id)).toEqual(like.top.map(({ id }) => id));
        for (const [rank, { logprob }] of (score?.top ?? []).entries()) expect(logprob).toBeCloseTo(like.top[rank].logprob, 4);
      }
    }
  });
});

test("a mask is asked for before every token, one at a time, and holds", async (context) => {
  await withBoth(await sharedGpuOrSkip(context), async (onGpu, onCpu) => {
    const texts: number[][] = [];
    for (const session of [onGpu, onCpu]) {
      const asked: number[][] = [];
      // Even steps allow three ids, odd ones everything.
      const mask = (ids: readonly number[]): Uint32Array | undefined => {
        asked.push([...ids]);
        return ids.length % 2 === 0 ? only(65, 66, 200) : undefined;
      };
      const ids = await idsOf(session, request({ sampling: { ...greedySampling, temperature: 1.2, seed: 4 }, maxTokens: 20, mask }));
      expect(asked).toEqual(Array.from({ length: 20 }, (_, index) => ids.slice(0, index)));
      expect(ids.filter((id, index) => index % 2 === 0 && ![65, 66, 200].includes(id))).toEqual([]);
      texts.push(ids);
      expect(session.stats().tokensInFlight).toBe(1);
    }
    expect(texts[0]).toEqual(texts[1]);
    // The next request has none.
    expect(await idsOf(onGpu, request())).toEqual(await idsOf(onCpu, request()));
    expect(onGpu.stats().tokensInFlight).toBe(6);
  });
});

test("a mask that allows nothing ends with GRAMMAR.dead_end, at once or later, and leaves the conversation exact", async (context) => {
  await withBoth(await sharedGpuOrSkip(context), async (onGpu, onCpu) => {
    for (const at of [0, 3]) {
      for (const session of [onGpu, onCpu]) {
        const ids: number[] = [];
        const mask = (before: readonly number[]): Uint32Array | undefined => (before.length === at ? only() : undefined);
        const run = async (): Promise<void> => {
          for await (const event of session.generate(request({ mask }))) if (event.kind === "token") ids.push(event.id);
        };
        await expect(run()).rejects.toMatchObject({ code: "GRAMMAR.dead_end" });
        expect(ids).toHaveLength(at);
        const [first] = await collect(session, request({ promptIds: [...prompt, ...ids, 9], maxTokens: 1 }));
        expect(first).toMatchObject({ kind: "prompt", cachedTokens: at === 0 ? expect.any(Number) : prompt.length + at });
      }
      const conversation = request({ promptIds: [...prompt, 7, 8, 9] });
      expect(await idsOf(onGpu, conversation)).toEqual(await idsOf(onCpu, conversation));
    }
  });
});

test("stop ids beyond those that the GPU knows stop, too", async (context) => {
  await withBoth(await sharedGpuOrSkip(context), async (onGpu, onCpu) => {
    const expected = await idsOf(onCpu, request());
    const unused = Array.from({ length: tinyVocabSize }, (_, id) => id).filter((id) => !expected.includes(id));
    const last = expected.find((id, index) => index > 4 && expected.indexOf(id) === index) ?? expected[0];
    const stopIds = new Set([...unused.slice(0, 40), last]);
    const wanted = expected.slice(0, expected.indexOf(last) + 1);
    expect(await idsOf(onGpu, request({ stopIds }))).toEqual(wanted);
    expect(await idsOf(onCpu, request({ stopIds }))).toEqual(wanted);
    expect(await idsOf(onGpu, request())).toEqual(expected);
  });
});

async function collect(session: Session, wanted: GenerateRequest): Promise<GenerateEvent[]> {
  const events: GenerateEvent[] = [];
  for await (const event of session.generate(wanted)) events.push(event);
  return events;
}
