// What types of keys and values and policies that drop them cost in quality: perplexity of a held-out text under models of files, over that
// with f16, and over that without a policy.

import type { KvType } from "../src/base/kv_types.ts";
import { loadSession } from "../src/engine/load.ts";
import type { KvOptions, KvPolicy } from "../src/engine/kv_options.ts";
import type { Session } from "../src/engine/session.ts";
import { answerPerplexityOf, documentsOf, type Perplexity, perplexityOf, withoutMarkup } from "../src/testing/perplexity.ts";
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

export interface PolicyQualityRow {
  readonly model: string;
  readonly policy: KvPolicy | "none";
  /** Most tokens held; null without a policy. */
  readonly keep: number | null;
  /** Tokens of each document, of which the first half are a prompt. */
  readonly length: number;
  /** Of these, dropped at the end. */
  readonly dropped: number;
  /** Tokens that were scored, in all documents. */
  readonly tokens: number;
  readonly perplexity: number;
  /** Growth over no policy, a share. */
  readonly growth: number;
}

export interface KvQualityResult {
  readonly rows: readonly KvQualityRow[];
  /** Perplexity with f16 over the type's, of what was promised. */
  readonly ratios: readonly Ratio[];
  readonly policies: readonly PolicyQualityRow[];
}

type FileModel = Extract<ModelSpec, { kind: "file" }>;

const settings: ReadonlyArray<Pick<KvOptions, "repair"> & { readonly type: KvType }> = [
  { type: "f16" },
  { type: "f32" },
  { type: "q8_0" },
  { type: "bfp4" },
  { type: "q4" },
  { type: "kivi2" },
  { type: "q4", repair: "gear" },
  { type: "kivi2", repair: "gear" },
];

const policies: ReadonlyArray<Pick<PolicyQualityRow, "policy" | "keep">> = [
  { policy: "none", keep: null },
  ...[256, 128].flatMap((keep) => (["window", "snapkv", "keyformer"] as const).map((policy) => ({ policy, keep }))),
];

/** Most that perplexity may grow where heads are of 64 or more, which they are in the bundled model. */
const bars: Readonly<Record<string, number>> = { q8_0: 0.002, q4: 0.01 };
const held = "shaderloom-tiny.gguf";
const mostTokens = 1000;
/** Decoded token by token, which takes long. */
const policyDocuments = 2;

function heldOutText(): string {
  const [text] = Object.values<string>(
    import.meta.glob("../scripts/bundled_model/held_out.txt", { query: "?raw", import: "default", eager: true }),
  );
  return text;
}

interface Scoring {
  readonly documents: readonly number[][];
  /** Tokens of each that are taken. */
  readonly length: number;
}

/** What `score` finds with these keys and values, and what the session tells afterwards. */
async function scored<T>(
  { gpu, model, kv }: { readonly gpu: GPU; readonly model: FileModel; readonly kv: KvOptions },
  score: (session: Session, scoring: Scoring) => Promise<Perplexity>,
  told: (session: Session, length: number) => T,
): Promise<Perplexity & T> {
  const session = await loadSession({ model: model.bytes, gpu, tuning: "off", kv });
  try {
    const documents = documentsOf(heldOutText()).map((text) =>
      model.name === held ? session.tokenizer.encodeWithSpecials(text) : session.tokenizer.encode(withoutMarkup(text)),
    );
    const length = Math.min(mostTokens, session.info().contextLength);
    const found = await score(session, { documents, length });
    return { ...found, ...told(session, length) };
  } finally {
    session.destroy();
  }
}

async function measureTypes(gpu: GPU, model: FileModel, say: (line: string) => void): Promise<Pick<KvQualityResult, "rows" | "ratios">> {
  const rows: KvQualityRow[] = [];
  const ratios: Ratio[] = [];
  let base: number | undefined;
  for (const kv of settings) {
    const found = await scored(
      { gpu, model, kv },
      (session, { documents, length }) => perplexityOf(session, documents, length),
      (session) => ({ bytesPerThousandTokens: session.stats().kvPages.bytesPerThousandTokens }),
    );
    base ??= found.perplexity;
    const growth = found.perplexity / base - 1;
    const name = [kv.type, ...(kv.repair ? [kv.repair] : [])].join(" ");
    say(`${model.name} ${name}: ${(100 * growth).toFixed(3)} %`);
    rows.push({ model: model.name, ...kv, ...found, growth });
    const bar = kv.repair ? undefined : bars[kv.type];
    if (model.name !== held || bar === undefined) continue;
    const ratio = base / found.perplexity;
    ratios.push({ name: `quality of ${name}`, ours: name, reference: "f16", ratio, medianRatio: ratio, goal: 1 / (1 + bar) });
  }
  return { rows, ratios };
}

async function measurePolicies(gpu: GPU, model: FileModel, say: (line: string) => void): Promise<PolicyQualityRow[]> {
  const rows: PolicyQualityRow[] = [];
  let base: number | undefined;
  for (const { policy, keep } of policies) {
    const kv: KvOptions = { type: "f32", ...(policy !== "none" && keep !== null && { evict: { policy, keep } }) };
    const found = await scored(
      { gpu, model, kv },
      (session, { documents, length }) =>
        answerPerplexityOf(session, documents.slice(0, policyDocuments), { prompt: Math.floor(length / 2), length }),
      (session, length) => ({ length, dropped: session.kvUsage?.()?.droppedTokens ?? 0 }),
    );
    base ??= found.perplexity;
    const growth = found.perplexity / base - 1;
    say(`${model.name} ${policy} ${keep ?? ""}: ${(100 * growth).toFixed(3)} %`);
    rows.push({ model: model.name, policy, keep, ...found, growth });
  }
  return rows;
}

/** @param models  those that are not files are left out: random weights have no text */
export async function measureKvQuality(gpu: GPU, models: readonly ModelSpec[], say: (line: string) => void): Promise<KvQualityResult> {
  const rows: KvQualityRow[] = [];
  const ratios: Ratio[] = [];
  const dropping: PolicyQualityRow[] = [];
  for (const model of models) {
    if (model.kind !== "file") continue;
    const types = await measureTypes(gpu, model, say);
    rows.push(...types.rows);
    ratios.push(...types.ratios);
    dropping.push(...(await measurePolicies(gpu, model, say)));
  }
  return { rows, ratios, policies: dropping };
}
