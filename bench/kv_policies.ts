// What policies that drop tokens still know, and how long it takes to move what stays. Recall is asked of a model whose answers are known by
// its making; what policies cost in perplexity kv_quality.ts measures; no times are compared with others.

import type { KvType } from "../src/base/kv_types.ts";
import { loadSession } from "../src/engine/load.ts";
import type { KvOptions, KvPolicy } from "../src/engine/kv_options.ts";
import { greedySampling } from "../src/sampling/params.ts";
import { needle, secondTurn, type SecondTurn } from "../src/testing/recall.ts";
import { fillerWith, recallModel } from "../src/testing/recall_model.ts";
import { median } from "./statistics.ts";

export interface RecallRow {
  readonly policy: KvPolicy | "none";
  readonly type: KvType;
  /** Depths out of `depths` at which a needle is found that filler attends to less, or more, than to anything else. */
  readonly plain: number;
  readonly notable: number;
  readonly secondTurn: SecondTurn;
}

export interface EvictionTime {
  readonly policy: KvPolicy;
  readonly keep: number;
  /** Milliseconds between two tokens with an eviction in between, and the median without. */
  readonly evictionMs: number;
  readonly stepMs: number;
}

export interface KvPoliciesResult {
  readonly tokens: number;
  readonly keep: number;
  readonly depths: number;
  readonly recall: readonly RecallRow[];
  readonly times: readonly EvictionTime[];
}

const contextLength = 1024;
const tokens = 900;
const keep = 256;
const depths = 11;
const timedKeep = 4096;
const policies: readonly KvPolicy[] = ["window", "snapkv", "keyformer"];

const settings: ReadonlyArray<{ readonly policy: KvPolicy | "none"; readonly type: KvType }> = [
  ...(["f32", "f16", "q8_0", "bfp4", "q4", "kivi2"] as const).map((type) => ({ policy: "none" as const, type })),
  ...policies.flatMap((policy) => (["f32", "f16"] as const).map((type) => ({ policy, type }))),
];

function optionsOf(policy: KvPolicy | "none", type: KvType): KvOptions {
  return { type, ...(policy !== "none" && { evict: { policy, keep } }) };
}

async function recallOf(gpu: GPU, { policy, type }: (typeof settings)[number]): Promise<RecallRow> {
  const model = await recallModel(contextLength);
  const session = await loadSession({ model, gpu, tuning: "off", kv: optionsOf(policy, type) });
  try {
    const found = { plain: 0, notable: 0 };
    for (const fact of ["plain", "notable"] as const) {
      for (let at = 0; at < depths; at++) if (await needle(session, { tokens, depth: at / (depths - 1), fact })) found[fact]++;
    }
    return { policy, type, ...found, secondTurn: await secondTurn(session, tokens) };
  } finally {
    session.destroy();
  }
}

/** Of one layer with two kv heads of 64. */
async function timeOf(gpu: GPU, policy: KvPolicy): Promise<EvictionTime> {
  const kv: KvOptions = { evict: { policy, keep: timedKeep } };
  const session = await loadSession({ model: await recallModel(2 * timedKeep), gpu, tuning: "off", kv, execution: { tokensInFlight: 1 } });
  try {
    const gaps: number[] = [];
    let last: number | undefined;
    const promptIds = fillerWith(timedKeep - 16, new Map());
    const request = { promptIds, maxTokens: 40, sampling: greedySampling, stopIds: new Set<number>() };
    for await (const event of session.generate(request)) {
      if (event.kind !== "token") continue;
      const now = performance.now();
      if (last !== undefined) gaps.push(now - last);
      last = now;
    }
    return { policy, keep: timedKeep, evictionMs: Math.max(...gaps), stepMs: median(gaps) };
  } finally {
    session.destroy();
  }
}

export async function measureKvPolicies(gpu: GPU, say: (line: string) => void): Promise<KvPoliciesResult> {
  const recall: RecallRow[] = [];
  for (const setting of settings) {
    say(`recall ${setting.policy} ${setting.type}`);
    recall.push(await recallOf(gpu, setting));
  }
  const times: EvictionTime[] = [];
  for (const policy of policies) {
    say(`time of ${policy}`);
    times.push(await timeOf(gpu, policy));
  }
  return { tokens, keep, depths, recall, times };
}
