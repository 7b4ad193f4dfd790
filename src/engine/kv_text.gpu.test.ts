// Greedy text does not depend on how keys and values lie in memory or on how they came there: page size, prefill split, prefixes taken or not,
// one range or pages, tokens in flight. Types that are quantized a page at a time have scales over a page, so that text does depend on its size.

import { describe, expect, test } from "vitest";
import type { KvType } from "../base/kv_types.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { idsOf, promptOf, request, withSession } from "../testing/streamed_session.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import type { ExecutionOptions } from "./execution.ts";
import type { KvOptions } from "./kv_options.ts";
import type { Session } from "./session.ts";

const model = tinyModel({ architecture: "qwen3", hidden: 64, heads: 4, kvHeads: 2, ffn: 96, layers: 2, contextLength: 512 });

interface Setting {
  readonly kv?: KvOptions;
  readonly execution?: ExecutionOptions;
}

/** Answers to prompts that share beginnings, that end at, before and behind the ends of pages, and that go on from an answer. */
async function texts(session: Session): Promise<number[][]> {
  const found: number[][] = [];
  for (const length of [1, 64, 129]) found.push(await idsOf(session, request(promptOf(length), 9)));
  // An edit in the middle, then the answer to it and one more turn.
  const edited = [...promptOf(129).slice(0, 77), 1, 2, 3];
  const reply = await idsOf(session, request(edited, 60));
  found.push(reply, await idsOf(session, request([...edited, ...reply, 4, 5, 6], 9)));
  // And the first branch again.
  found.push(await idsOf(session, request(promptOf(140), 9)));
  return found;
}

function textsWith(gpu: GPU, deviceClass: "cpu" | "gpu", { kv, execution }: Setting): Promise<number[][]> {
  return withSession({ gpu, model, deviceClass, ...(kv && { kv }), ...(execution && { execution }) }, texts);
}

function optionsOf(name: KvType | "q4 gear" | "kivi2 gear"): KvOptions {
  if (name === "q4 gear" || name === "kivi2 gear") return { type: name === "q4 gear" ? "q4" : "kivi2", repair: "gear" };
  return { type: name };
}

const splits: readonly Setting[] = [
  { execution: { chunkTokens: 5 } },
  { execution: { chunkTokens: 37, tokensInFlight: 1 } },
  { execution: { chunkTokens: 64, tokensInFlight: 32 } },
  { kv: { prefixCache: false }, execution: { tokensInFlight: 8 } },
];
const pageSizes: readonly Setting[] = [8, 128].map((pageTokens) => ({ kv: { pageTokens } }));

describe.each(["cpu", "gpu"] as const)("with the %s program, the text is the same", (deviceClass) => {
  test.for<readonly [KvType | "q4 gear" | "kivi2 gear", readonly Setting[]]>([
    ["f32", [...splits, ...pageSizes, { kv: { layout: "contiguous" }, execution: { chunkTokens: 50 } }]],
    ["f16", [...splits.slice(1, 2), { kv: { layout: "contiguous" } }]],
    ["q8_0", [...splits.slice(1, 2), ...pageSizes.slice(1, 2)]],
    ["bfp4", splits.slice(1, 2)],
    ["q4", splits],
    ["kivi2", splits.slice(1, 3)],
    ["q4 gear", splits.slice(0, 2)],
    ["kivi2 gear", splits.slice(1, 2)],
  ])("%s, however it came into the cache", async ([name, settings], context) => {
    const gpu = await sharedGpuOrSkip(context);
    const own = optionsOf(name);
    const want = await textsWith(gpu, deviceClass, { kv: own });
    for (const { kv, execution } of settings) {
      const found = await textsWith(gpu, deviceClass, { kv: { ...kv, ...own }, ...(execution && { execution }) });
      expect(found, JSON.stringify({ ...kv, ...execution })).toEqual(want);
    }
  });
});
