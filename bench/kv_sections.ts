// The sections about attention and what is kept of keys and values.

import type { Caps } from "../src/gpu/caps.ts";
import { type AttentionResult, measureAttention } from "./attention.ts";
import { type KvPoliciesResult, measureKvPolicies } from "./kv_policies.ts";
import { type KvQualityResult, measureKvQuality } from "./kv_quality.ts";
import type { TimingOptions } from "./measure.ts";
import type { ModelSpec } from "./model_speed.ts";
import { measurePrefix, type PrefixResult } from "./prefix.ts";
import { measureSessions, type SessionsResult } from "./sessions.ts";

/** Those of them that were measured. */
export interface KvSections {
  readonly attention?: AttentionResult;
  readonly prefix?: PrefixResult;
  readonly kv_quality?: KvQualityResult;
  readonly sessions?: SessionsResult;
  readonly kv_policies?: KvPoliciesResult;
}

export interface KvBench {
  /** For kernels by themselves; whole models open their own. */
  readonly device: GPUDevice;
  readonly caps: Caps;
  readonly clock: TimingOptions["clock"];
  readonly gpu: GPU;
  readonly deviceClass?: "gpu" | "cpu" | undefined;
  readonly models: readonly ModelSpec[];
  readonly say: (line: string) => void;
}

const measures: { readonly [S in keyof Required<KvSections>]: (bench: KvBench) => Promise<NonNullable<KvSections[S]>> } = {
  attention: ({ device, caps, clock }) => measureAttention(device, caps, { clock }),
  prefix: ({ gpu, deviceClass }) => measurePrefix(gpu, deviceClass),
  sessions: ({ gpu, deviceClass }) => measureSessions(gpu, deviceClass),
  kv_quality: ({ gpu, models, say }) => measureKvQuality(gpu, models, say),
  kv_policies: ({ gpu, say }) => measureKvPolicies(gpu, say),
};

/** @param sections  what was asked for, other names among them */
export async function measureKvSections(bench: KvBench, sections: readonly string[]): Promise<KvSections> {
  const found: Record<string, unknown> = {};
  for (const [section, measure] of Object.entries(measures)) {
    if (!sections.includes(section)) continue;
    bench.say(section);
    found[section] = await measure(bench);
  }
  return found;
}
