// The sections about attention and what is kept of keys and values.

import { measurePrefix, type PrefixResult } from "./prefix.ts";

/** Those of them that were measured. */
export interface KvSections {
  readonly prefix?: PrefixResult;
}

export interface KvBench {
  readonly gpu: GPU;
  readonly deviceClass?: "gpu" | "cpu" | undefined;
  readonly say: (line: string) => void;
}

const measures: { readonly [S in keyof Required<KvSections>]: (bench: KvBench) => Promise<NonNullable<KvSections[S]>> } = {
  prefix: ({ gpu, deviceClass }) => measurePrefix(gpu, deviceClass),
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
