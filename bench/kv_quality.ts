// What types of keys and values cost in quality: perplexity of a held-out text under models of files, over that with f16.

import type { KvType } from "../src/base/kv_types.ts";
import { loadSession } from "../src/engine/load.ts";
import type { KvOptions } from "../src/engine/kv_options.ts";
import { documentsOf, perplexityOf, withoutMarkup } from "../src/testing/perplexity.ts";
import type { ModelSpec } from "./model_speed.ts";
import type { Ratio } from "./ratios.ts";

export interface KvQualityRow {
  readonly model: string;
  readonly type: KvType;
  readonly repair?: "gear";
  readonly bytesPerThousandTokens: number;
  readonly tokens: number;
  readonly perplexity: number;
  /** Growth over f16, a share. */
  readonly growth: number;
}

export interface KvQualityResult {
  readonly rows: readonly KvQualityRow[];
  /** Perplexity with f16 over the type's, of what was promised. */
  readonly ratios: readonly Ratio[];
}

const settings: ReadonlyArray<Pick<KvOptions, "repair"> & { readonly type: KvType }> = [
  { type: "f16" },
  { type: "f32" },
  { type: "q8_0" },
  { type: "bfp4" },
  { type: "q4" },
  { type: "kivi2" },
];

/** Most that perplexity may grow where heads are of 64 or more, which they are in the bundled model. */
const bars: Readonly<Record<string, number>> = { q8_0: 0.002, q4: 0.01 };
const held = "shaderloom-tiny.gguf";
const mostTokens = 1000;

function heldOutText(): string {
  const [text] = Object.values<string>(
    import.meta.glob("../scripts/bundled_model/held_out.txt", { query: "?raw", import: "default", eager: true }),
  );
  return text;
}

async function measure(
  gpu: GPU,
  model: Extract<ModelSpec, { kind: "file" }>,
  kv: KvOptions & { readonly type: KvType },
): Promise<KvQualityRow> {
  const session = await loadSession({ model: model.bytes, gpu, tuning: "off", kv });
  try {
    const { contextLength } = session.info();
    const documents = documentsOf(heldOutText());
    const ids = documents.map((text) =>
      model.name === held ? session.tokenizer.encodeWithSpecials(text) : session.tokenizer.encode(withoutMarkup(text)),
    );
    const found = await perplexityOf(session, ids, Math.min(mostTokens, contextLength));
    const { bytesPerThousandTokens } = session.stats().kvPages;
    return { model: model.name, ...kv, bytesPerThousandTokens, ...found, growth: 0 };
  } finally {
    session.destroy();
  }
}

/** @param models  those that are not files are left out: random weights have no text */
export async function measureKvQuality(gpu: GPU, models: readonly ModelSpec[], say: (line: string) => void): Promise<KvQualityResult> {
  const rows: KvQualityRow[] = [];
  const ratios: Ratio[] = [];
  for (const model of models) {
    if (model.kind !== "file") continue;
    let base: number | undefined;
    for (const kv of settings) {
      const row = await measure(gpu, model, kv);
      base ??= row.perplexity;
      const growth = row.perplexity / base - 1;
      const name = [kv.type, ...(kv.repair ? [kv.repair] : [])].join(" ");
      say(`${model.name} ${name}: ${(100 * growth).toFixed(3)} %`);
      rows.push({ ...row, growth });
      const bar = kv.repair ? undefined : bars[kv.type];
      if (model.name !== held || bar === undefined) continue;
      const ratio = base / row.perplexity;
      ratios.push({ name: `quality of ${name}`, ours: name, reference: "f16", ratio, medianRatio: ratio, goal: 1 / (1 + bar) });
    }
  }
  return { rows, ratios };
}
