// What policies that drop tokens still know, and what they do not: on a model whose answers are known by its making.

import { describe, expect, test } from "vitest";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { type Fact, needle, secondTurn } from "../testing/recall.ts";
import { recallModel } from "../testing/recall_model.ts";
import { withSession } from "../testing/streamed_session.ts";
import type { KvOptions, KvPolicy } from "./kv_options.ts";

const tokens = 300;
const depths = [0, 0.25, 0.5, 0.75, 0.95];

const evict = (policy: KvPolicy): KvOptions => ({ evict: { policy, keep: 128, sink: 4 } });

/** Whether the fact is found, at each depth. */
async function found(gpu: GPU, kv: KvOptions | undefined, fact: Fact): Promise<boolean[]> {
  const model = await recallModel(512);
  return withSession({ gpu, model, kv }, async (session) => {
    const right: boolean[] = [];
    for (const depth of depths) right.push(await needle(session, { tokens, depth, fact }));
    return right;
  });
}

const all = depths.map(() => true);

describe("a needle is found", () => {
  test("at every depth without a policy", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    for (const type of ["f32", "f16"] as const) {
      for (const fact of ["plain", "notable"] as const) expect(await found(gpu, { type }, fact)).toEqual(all);
    }
  });

  test("by a window among the sinks and the newest tokens only", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    for (const fact of ["plain", "notable"] as const)
      expect(await found(gpu, evict("window"), fact)).toEqual([true, false, false, true, true]);
  });

  test("by SnapKV at every depth: it drops nothing before the question is seen", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    for (const fact of ["plain", "notable"] as const) expect(await found(gpu, evict("snapkv"), fact)).toEqual(all);
  });

  test("by Keyformer where other tokens attended to it before the question came", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    expect(await found(gpu, evict("keyformer"), "notable")).toEqual(all);
    expect(await found(gpu, evict("keyformer"), "plain")).toEqual([true, false, false, false, true]);
  });
});

async function second(gpu: GPU, kv: KvOptions | undefined): Promise<unknown> {
  const model = await recallModel(512);
  return withSession({ gpu, model, kv }, (session) => secondTurn(session, tokens));
}

describe("a second turn over a shared context knows", () => {
  test("everything without a policy, and what each policy keeps", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    expect(await second(gpu, undefined)).toEqual({ first: true, asked: true, unasked: true, unaskedNotable: true });
    // Facts at 30 to 60 % of 300 tokens left a window of 128 long ago.
    expect(await second(gpu, evict("window"))).toEqual({ first: false, asked: false, unasked: false, unaskedNotable: false });
    expect(await second(gpu, evict("snapkv"))).toEqual({ first: true, asked: true, unasked: false, unaskedNotable: true });
    expect(await second(gpu, evict("keyformer"))).toEqual({ first: false, asked: false, unasked: false, unaskedNotable: true });
  });
});
