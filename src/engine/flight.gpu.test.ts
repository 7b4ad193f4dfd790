// Tokens in flight: the same text however many there are, whatever ends a request, and nothing left behind in the KV pages.

import { describe, expect, test } from "vitest";
import { greedySampling } from "../sampling/params.ts";
import { delayGpu } from "../testing/delayed_gpu.ts";
import { readRepoFile } from "../testing/files.ts";
import { gpuOrSkip, sharedGpuOrSkip } from "../testing/gpu.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { watchGpu } from "../testing/watched_gpu.ts";
import type { ExecutionOptions } from "./execution.ts";
import { loadSession } from "./load.ts";
import type { GenerateEvent, GenerateRequest, Session } from "./session.ts";

const prompt = Array.from({ length: 40 }, (_, index) => (index * 37 + 11) % 256);

function request(promptIds: readonly number[], maxTokens: number, more: Partial<GenerateRequest> = {}): GenerateRequest {
  return { promptIds, maxTokens, sampling: greedySampling, stopIds: new Set(), ...more };
}

async function idsOf(session: Session, wanted: GenerateRequest): Promise<number[]> {
  const ids: number[] = [];
  for await (const event of session.generate(wanted)) if (event.kind === "token") ids.push(event.id);
  return ids;
}

/** What a session is loaded with. */
interface Loading extends ExecutionOptions {
  readonly model?: Uint8Array<ArrayBuffer>;
  readonly activations?: "f16";
  readonly deviceClass?: "gpu";
}

async function withSession<T>(gpu: GPU, loading: Loading, use: (session: Session) => Promise<T>): Promise<T> {
  const { model = tinyModel({ contextLength: 1024 }), activations, deviceClass, ...execution } = loading;
  const session = await loadSession({ model, gpu, execution, activations, deviceClass });
  try {
    return await use(session);
  } finally {
    session.destroy();
  }
}

const sampled = { ...greedySampling, temperature: 1.1, topP: 0.95, seed: 7 };

const texts = (gpu: GPU, loading: Loading): Promise<number[][]> =>
  withSession(gpu, loading, async (session) => [
    await idsOf(session, request(prompt, 60)),
    await idsOf(session, request([5, ...prompt], 40, { sampling: sampled })),
  ]);

describe("the same greedy and the same seeded text", () => {
  let expected: readonly number[][] | undefined;
  const executions: readonly ExecutionOptions[] = [
    { tokensInFlight: 2, chunkTokens: 1 },
    { tokensInFlight: 3, chunkTokens: 7 },
    { tokensInFlight: 4, chunkTokens: 32 },
    { tokensInFlight: 5, chunkTokens: 256, fusion: "off" },
    { tokensInFlight: 6, chunkTokens: 33 },
    { tokensInFlight: 7, sampler: "cpu" },
    { tokensInFlight: 8, chunkTokens: 7, fusion: "off" },
    {},
  ];
  for (const execution of executions) {
    test(JSON.stringify(execution), async (context) => {
      const gpu = await sharedGpuOrSkip(context);
      expected ??= await texts(gpu, { tokensInFlight: 1 });
      expect(expected.map((ids) => ids.length)).toEqual([60, 40]);
      expect(await texts(gpu, execution)).toEqual(expected);
    });
  }
});

// A trained model: halves that were rounded in another place turn a text of random weights, where all tokens are about as likely.
describe("the same in half precision", () => {
  const executions: readonly ExecutionOptions[] = [
    { tokensInFlight: 2, chunkTokens: 7 },
    { tokensInFlight: 8, chunkTokens: 1 },
    { tokensInFlight: 4, fusion: "off" },
    { sampler: "cpu", chunkTokens: 33 },
  ];
  for (const deviceClass of [undefined, "gpu"] as const) {
    test(`on the ${deviceClass ?? "adapter's own"} program`, async (context) => {
      const gpu = await sharedGpuOrSkip(context);
      const adapter = await gpu.requestAdapter();
      if (!adapter?.features.has("shader-f16")) context.skip("this adapter has no shader-f16");
      const model = await readRepoFile("public/models/shaderloom-tiny.gguf");
      const half = { model, activations: "f16", ...(deviceClass && { deviceClass }) } as const;
      const expected = await texts(gpu, { ...half, tokensInFlight: 1 });
      expect(expected.map((ids) => ids.length)).toEqual([60, 40]);
      for (const execution of executions) expect([execution, await texts(gpu, { ...half, ...execution })]).toEqual([execution, expected]);
    });
  }
});

/** Ways in which an answer ends before its time; all give `given` tokens. */
const given = 9;
const ends: Array<[name: string, run: (session: Session) => Promise<number[]>]> = [
  [
    "leaving the loop",
    async (session) => {
      const ids: number[] = [];
      for await (const event of session.generate(request(prompt, 200))) {
        if (event.kind === "token" && ids.push(event.id) === given) break;
      }
      return ids;
    },
  ],
  [
    "a throw in the loop",
    async (session) => {
      const ids: number[] = [];
      const run = async (): Promise<void> => {
        for await (const event of session.generate(request(prompt, 200))) {
          if (event.kind === "token" && ids.push(event.id) === given) throw new Error("the consumer's own");
        }
      };
      await expect(run()).rejects.toThrow("the consumer's own");
      return ids;
    },
  ],
  [
    "an abort",
    async (session) => {
      const ids: number[] = [];
      const controller = new AbortController();
      const run = async (): Promise<void> => {
        for await (const event of session.generate(request(prompt, 200, { signal: controller.signal }))) {
          if (event.kind === "token" && ids.push(event.id) === given) controller.abort();
        }
      };
      await expect(run()).rejects.toMatchObject({ code: "AbortError" });
      return ids;
    },
  ],
  ["the limit of tokens", (session) => idsOf(session, request(prompt, given))],
];

/** Greedy ids and log-probabilities that follow a conversation. */
async function goesOn(session: Session, ids: readonly number[]): Promise<GenerateEvent[]> {
  const conversation = [...prompt, ...ids, 17, 18, 19];
  const events: GenerateEvent[] = [];
  for await (const event of session.generate(request(conversation, 12, { logprobs: 5 }))) events.push(event);
  return events.filter(({ kind }) => kind === "token");
}

function expectSame(found: readonly GenerateEvent[], expected: readonly GenerateEvent[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [index, event] of found.entries()) {
    const like = expected[index];
    if (event.kind !== "token" || like.kind !== "token") throw new Error("tokens only");
    expect(event.id).toBe(like.id);
    expect(event.score?.logprob).toBeCloseTo(like.score?.logprob ?? Number.NaN, 4);
    expect(event.score?.top.map(({ id }) => id)).toEqual(like.score?.top.map(({ id }) => id));
  }
}

interface Known {
  readonly ids: readonly number[];
  readonly after: readonly GenerateEvent[];
}

/** What sessions say that were never left early. */
async function learn(gpu: GPU): Promise<Known> {
  const ids = await withSession(gpu, { tokensInFlight: 1 }, (session) => idsOf(session, request(prompt, given)));
  return { ids, after: await withSession(gpu, { tokensInFlight: 1 }, (session) => goesOn(session, ids)) };
}

describe("after an early end the conversation goes on as in a new session", () => {
  let known: Known | undefined;

  for (const tokensInFlight of [1, 5, 32]) {
    test(`${tokensInFlight} in flight`, async (context) => {
      const gpu = await sharedGpuOrSkip(context);
      known ??= await learn(gpu);
      const { ids: expected, after } = known;
      // The id may have come earlier, too.
      const stop: (typeof ends)[number] = [
        "a stop id",
        (session) => idsOf(session, request(prompt, 200, { stopIds: new Set([expected[given - 1]]) })),
      ];
      await withSession(gpu, { tokensInFlight }, async (session) => {
        for (const [name, run] of [...ends, stop]) {
          const before = session.stats();
          const ids = await run(session);
          expect(ids, name).toEqual(expected.slice(0, ids.length));
          const { discardedTokens, tokensGenerated, kvPages } = session.stats();
          expect(discardedTokens - before.discardedTokens, name).toBeLessThan(tokensInFlight);
          expect(tokensGenerated - before.tokensGenerated, name).toBe(ids.length);
          expect(kvPages.used - kvPages.cached, name).toBe(Math.ceil((prompt.length + ids.length - 1) / 32));
          if (ids.length === given) expectSame(await goesOn(session, ids), after);
        }
      });
    });
  }
});

test("a context that ends ends every step in flight: none is submitted beyond it", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const session = await loadSession({ model: tinyModel(), gpu, contextLength: 64, execution: { tokensInFlight: 8 } });
  const events: GenerateEvent[] = [];
  for await (const event of session.generate(request(prompt, 500))) events.push(event);
  expect(events.at(-1)).toMatchObject({ kind: "end", reason: "length", generated: 25 });
  expect(session.stats()).toMatchObject({ discardedTokens: 0, decodeSteps: 24 });
  session.destroy();
});

test("pools that grow while tokens are in flight keep what they hold", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const long = Array.from({ length: 500 }, (_, index) => (index * 31 + 3) % 256);
  const run = (tokensInFlight: number): Promise<number[]> =>
    withSession(gpu, { tokensInFlight }, async (session) => {
      const ids = await idsOf(session, request(long, 40));
      expect(session.stats().kvPages).toMatchObject({ growths: 1, capacity: 32 });
      return ids;
    });
  expect(await run(8)).toEqual(await run(1));
});

test("results that come late: many in flight, the same text, and one wait for all instead of one each", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const lateMs = 50;
  const [atOnce, late] = [gpu, delayGpu(gpu, lateMs)];
  const expected = await withSession(atOnce, {}, (session) => idsOf(session, request(prompt, 200)));
  await withSession(late, {}, async (session) => {
    expect(await idsOf(session, request(prompt, 200))).toEqual(expected);
    const { tokensInFlight, discardedTokens } = session.stats();
    expect(tokensInFlight).toBeGreaterThanOrEqual(4);
    expect(discardedTokens).toBe(0);
  });
});

test("a device lost with tokens in flight ends with GPU.lost, at once and for good", async (context) => {
  const watched = await watchGpu(await gpuOrSkip(context));
  const session = await loadSession({ model: tinyModel(), gpu: watched.gpu, execution: { tokensInFlight: 8 } });
  const run = async (): Promise<void> => {
    for await (const event of session.generate(request(prompt, 100))) {
      if (event.kind === "token") watched.device().destroy();
    }
  };
  await expect(run()).rejects.toMatchObject({ code: "GPU.lost", retryable: true });
  await expect(idsOf(session, request(prompt, 1))).rejects.toMatchObject({ code: "GPU.lost" });
  session.destroy();
});

test("after a stop with steps in flight the same prompt goes on, token by token", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  await withSession(gpu, { tokensInFlight: 8 }, async (session) => {
    const expected = await idsOf(session, request(prompt, 30));
    for (const at of [0, 3, 17]) {
      const stopped = await idsOf(session, request(prompt, 30, { stopIds: new Set([expected[at]]) }));
      expect(stopped).toEqual(expected.slice(0, expected.indexOf(expected[at]) + 1));
      expect(await idsOf(session, request(prompt, 30))).toEqual(expected);
    }
  });
});

/** The first pool that grows finds no memory, or the second. */
for (const refused of [1, 2]) {
  test(`no memory for pool ${refused} of a longer context: what is in flight is given, then GPU.oom, and the rest goes on`, async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const long = Array.from({ length: 490 }, (_, index) => (index * 31 + 3) % 256);
    let scopes = 0;
    const watched = await watchGpu(gpu, (device) => ({
      popErrorScope: async () => {
        const error = await device.popErrorScope();
        return --scopes === 0 ? { message: "out of memory" } : error;
      },
    }));
    const session = await loadSession({ model: tinyModel({ contextLength: 1024 }), gpu: watched.gpu, execution: { tokensInFlight: 8 } });
    scopes = refused;
    const ids: number[] = [];
    const run = async (): Promise<void> => {
      for await (const event of session.generate(request(long, 100))) if (event.kind === "token") ids.push(event.id);
    };
    await expect(run()).rejects.toMatchObject({ code: "GPU.oom", detail: { fits: 512 } });
    // Positions up to 511 are there; the last token needs none.
    expect(ids).toHaveLength(512 - 490 + 1);
    expect(session.stats().kvPages).toMatchObject({ growths: 0, capacity: 16 });
    const fresh = await withSession(gpu, { tokensInFlight: 1 }, (other) => idsOf(other, request([...long, ...ids], 20)));
    expect(await idsOf(session, request([...long, ...ids], 20))).toEqual(fresh);
    expect(session.stats().kvPages).toMatchObject({ growths: 1, capacity: 32 });
    session.destroy();
  });
}
