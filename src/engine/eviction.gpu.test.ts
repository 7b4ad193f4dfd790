// Policies that drop tokens: how much stays, that text depends on no cut of steps, and that what is left is what a model of one layer
// would have had without the rest.

import { describe, expect, test } from "vitest";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { idsOf, layeredModel, leastBudget, promptOf, request, withSession } from "../testing/streamed_session.ts";
import { tinyModel, type TinyModelOptions } from "../testing/tiny_model.ts";
import { errorCode } from "../testing/typed_error.ts";
import type { KvPolicy } from "./kv_options.ts";
import type { LoadSessionOptions } from "./load.ts";
import type { GenerateEvent, GenerateRequest, Session } from "./session.ts";

async function eventsOf(session: Session, wanted: GenerateRequest): Promise<GenerateEvent[]> {
  const events: GenerateEvent[] = [];
  for await (const event of session.generate(wanted)) events.push(event);
  return events;
}

const model = tinyModel({ contextLength: 256 });
const policies: readonly KvPolicy[] = ["window", "snapkv", "keyformer"];

describe.each(policies)("%s", (policy) => {
  const evict = { policy, keep: 96, sink: 4 };

  test("goes on beyond the context, with the same text however steps are cut and run ahead", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const prompt = promptOf(310);
    const runs = [
      { execution: { tokensInFlight: 1 } },
      { execution: { chunkTokens: 23, tokensInFlight: 7 } },
      { execution: { chunkTokens: 96 }, kv: { prefixCache: false, pageTokens: 8 } },
      { kv: { layout: "contiguous" as const } },
    ];
    const texts: (readonly number[])[] = [];
    for (const { execution, kv } of runs) {
      texts.push(await withSession({ gpu, model, execution, kv: { ...kv, evict } }, (session) => idsOf(session, request(prompt, 80))));
    }
    expect(texts[0]).toHaveLength(80);
    for (const text of texts.slice(1)) expect(text).toEqual(texts[0]);
  });

  test("leaves pages as they are that other prompts begin with", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const prompt = promptOf(90);
    const branches = [
      [...prompt, 5, 6],
      [...prompt, 9],
    ];
    const fresh: (readonly number[])[] = [];
    for (const branch of branches) {
      fresh.push(await withSession({ gpu, model, kv: { evict } }, (session) => idsOf(session, request(branch, 40))));
    }
    await withSession({ gpu, model, kv: { evict } }, async (session) => {
      await idsOf(session, request(prompt, 1));
      for (const [index, branch] of [...branches, ...branches].entries()) {
        const events = await eventsOf(session, request(branch, 40));
        expect(events[0]).toMatchObject({ kind: "prompt", cachedTokens: 90 });
        expect(events.flatMap((event) => (event.kind === "token" ? [event.id] : []))).toEqual(fresh[index % 2]);
      }
    });
  });

  test("has its room in the least budget that a load names", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const options = { gpu, model: layeredModel({ contextLength: 128 }), kv: { evict } };
    const memoryBudget = await leastBudget(options);
    const wanted = request(promptOf(90), 40);
    const whole = await withSession(options, (session) => idsOf(session, wanted));
    expect(await withSession({ ...options, memoryBudget }, (session) => idsOf(session, wanted))).toEqual(whole);
  });

  test("goes on in a second turn, and starts anew for another prompt", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    await withSession({ gpu, model, kv: { evict } }, async (session) => {
      const prompt = promptOf(130);
      const first = await idsOf(session, request(prompt, 40));
      const longer = [...prompt, ...first, 7, 8, 9];
      const second = await idsOf(session, request(longer, 20));
      const other = promptOf(50, 5);
      const fresh = await withSession({ gpu, model }, (plain) => idsOf(plain, request(other, 6)));
      expect(await idsOf(session, request(other, 6))).toEqual(fresh);
      expect(await idsOf(session, request(prompt, 40))).toEqual(first);
      expect(await idsOf(session, request(longer, 20))).toEqual(second);
    });
  });
});

/** Keys turn back whatever they are turned by: neighbours or halves, a table with a scale of its own. */
const layered: Readonly<Record<string, Pick<LoadSessionOptions, "deviceClass"> & { readonly shape: TinyModelOptions }>> = {
  llama: { shape: {} },
  "qwen3, in GPU programs": { shape: { architecture: "qwen3" }, deviceClass: "gpu" },
  "llama with YaRN": {
    shape: {
      metadata: [
        ["llama.rope.scaling.type", "string", "yarn"],
        ["llama.rope.scaling.factor", "f32", 4],
        ["llama.rope.scaling.original_context_length", "u32", 64],
      ],
    },
  },
};

describe.each(Object.entries(layered))("%s of one layer", (_, { shape, deviceClass }) => {
  test("that dropped tokens goes on as if they had never been there", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const one = tinyModel({ contextLength: 256, layers: 1, ...shape });
    const prompt = promptOf(128);
    const evict = { policy: "window", keep: 128, sink: 4 } as const;
    const dropped = await withSession({ gpu, model: one, deviceClass, kv: { evict } }, (session) => idsOf(session, request(prompt, 30)));
    // The first token was chosen with all of them; the next step drops 31 of the 128.
    const left = [...prompt.slice(0, 4), ...prompt.slice(35), dropped[0]];
    const fresh = await withSession({ gpu, model: one, deviceClass }, (session) => idsOf(session, request(left, 29)));
    expect(dropped.slice(1)).toEqual(fresh);
  });
});

test("what cannot be with a policy is refused", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const odd = tinyModel({ architecture: "qwen2", contextLength: 128, hidden: 48, heads: 4, kvHeads: 2 });
  const evict = { policy: "window", keep: 96 } as const;
  const refused = [
    { gpu, model: odd, kv: { evict } },
    { gpu, model, kv: { evict, type: "q8_0" as const } },
  ];
  for (const options of refused) expect(await errorCode(withSession(options, async () => undefined))).toBe("REQUEST.kv");
});

test.for(["window", "snapkv"] as const)(
  "%s: saving at each token costs the answer nothing where there is hardly room",
  async (policy, context) => {
    const gpu = await sharedGpuOrSkip(context);
    const evict = { policy, keep: 96 };
    const wanted = request(promptOf(60), 60);
    const want = await withSession({ gpu, model, kv: { evict } }, (session) => idsOf(session, wanted));
    const pageBytes = await withSession({ gpu, model }, async (session) => (session.stats().kvPages.bytesPerThousandTokens * 32) / 1000);
    await withSession({ gpu, model, kv: { budget: 3 * pageBytes, evict } }, async (session) => {
      const chats = await session.conversations?.();
      const saving: Promise<unknown>[] = [];
      const ids: number[] = [];
      for await (const event of session.generate(wanted)) {
        if (event.kind !== "token") continue;
        ids.push(event.id);
        // Refused once tokens were dropped.
        if (ids.length > 25) saving.push(chats?.save({ id: `at ${ids.length}` }).catch(() => undefined) ?? Promise.resolve());
      }
      await Promise.all(saving);
      expect(ids).toEqual(want);
      expect(saving.length).toBeGreaterThan(30);
    });
  },
);
