// What types of keys and values cost in quality: perplexity of a fixed text under the bundled model, whose heads are of 64.
// The bench measures all of the text and other models (bench/kv_quality.ts).

import { expect, test } from "vitest";
import type { KvType } from "../base/kv_types.ts";
import { readRepoFile } from "../testing/files.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { answerPerplexityOf, documentsOf, perplexityOf } from "../testing/perplexity.ts";
import { loadSession } from "./load.ts";

/** Most that perplexity may grow over f16. */
const bars = { q8_0: 0.002, q4: 0.01 } satisfies Partial<Record<KvType, number>>;
const documents = 1;
/** Of a context of 1,024. */
const tokens = 1000;

test("perplexity under the bundled model grows by no more than types promise", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const model = await readRepoFile("public/models/shaderloom-tiny.gguf");
  const texts = documentsOf(new TextDecoder().decode(await readRepoFile("scripts/bundled_model/held_out.txt"))).slice(0, documents);
  const measure = async (type: KvType): Promise<number> => {
    const session = await loadSession({ model, gpu, tuning: "off", kv: { type } });
    try {
      const ids = texts.map((text) => session.tokenizer.encodeWithSpecials(text));
      const found = await perplexityOf(session, ids, tokens);
      expect(found.tokens).toBe(documents * (tokens - 1));
      return found.perplexity;
    } finally {
      session.destroy();
    }
  };
  const plain = await measure("f16");
  // The text is in the model's language, or nothing would follow from it.
  expect(plain).toBeGreaterThan(1.2);
  expect(plain).toBeLessThan(1.8);
  for (const [type, bar] of Object.entries(bars)) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of the table above
    expect((await measure(type as KvType)) / plain - 1, type).toBeLessThanOrEqual(bar);
  }
}, 300_000);

test("a text forced token by token is scored as it is in a prompt, by raw logits", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const model = await readRepoFile("public/models/shaderloom-tiny.gguf");
  const [text] = documentsOf(new TextDecoder().decode(await readRepoFile("scripts/bundled_model/held_out.txt")));
  const session = await loadSession({ model, gpu, tuning: "off" });
  try {
    const ids = session.tokenizer.encodeWithSpecials(text).slice(0, 60);
    const scored = await perplexityOf(session, [ids], ids.length);
    // Everything but the first token, which nothing comes before.
    const forced = await answerPerplexityOf(session, [ids], { prompt: 1, length: ids.length });
    expect(forced.tokens).toBe(scored.tokens);
    expect(forced.perplexity / scored.perplexity).toBeCloseTo(1, 3);
    // A masked choice by itself would be certain.
    expect(forced.perplexity).toBeGreaterThan(1.2);
  } finally {
    session.destroy();
  }
}, 120_000);
