// Turns a GGUF vocabulary of kind `gpt2` (byte-level BPE) into the tokenizer.json that web-tokenizers reads.
// Sennrich 2016 (arXiv:1508.07909); the byte alphabet is GPT-2's.

import { ShaderloomError } from "../base/errors.ts";
import type { Metadata } from "../base/metadata.ts";
import { readGgufVocabulary, stringArray, vocabularyError } from "./gguf_vocabulary.ts";
import type { GgufVocabulary } from "./gguf_vocabulary.ts";
import { findPreTokenizer } from "./pre_tokenizers.ts";
import type { PreTokenizer } from "./pre_tokenizers.ts";
import { tokenKind } from "./vocabulary.ts";

const maxMerges = 1 << 22;

/** A merge rule: two texts whose union is a token too. */
export type MergeRule = readonly [string, string];

/**
 * @returns the vocabulary, and a tokenizer.json that holds no added token and can yield no control token
 * @throws {ShaderloomError} TOKENIZER.pre for an unknown split, TOKENIZER.vocab for a damaged vocabulary
 */
export function readByteLevelBpe(metadata: Metadata): { vocabulary: GgufVocabulary; json: string } {
  const pre = readPreTokenizer(metadata);
  const rules = readRules(metadata);
  // Asked for the few tokens that look like an end; a set of all unions would take megabytes.
  const isLearned = (text: string): boolean =>
    rules.some(([left, right]) => left.length + right.length === text.length && left + right === text);
  const vocabulary = readGgufVocabulary(metadata, { addBos: pre.addBos, ids: {}, isLearned });
  const json = JSON.stringify({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        ...pre.patterns.map((pattern) => ({ type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false })),
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: null,
    model: bpeModel(encodableTokens(vocabulary), { rules, ids: vocabulary.ids, ignoreMerges: pre.ignoreMerges }),
  });
  return { vocabulary, json };
}

function readPreTokenizer(metadata: Metadata): PreTokenizer {
  const name = metadata.get("tokenizer.ggml.pre") ?? "default";
  const pre = typeof name === "string" ? findPreTokenizer(name) : undefined;
  if (pre !== undefined) return pre;
  const shown = String(name).slice(0, 40);
  const message = `The pre-tokenizer "${shown}" is unknown, and guessing one would give wrong tokens. Use another file of this model.`;
  throw new ShaderloomError("TOKENIZER.pre", message, { detail: { pre: shown } });
}

function readRules(metadata: Metadata): MergeRule[] {
  const merges = stringArray(metadata, "merges");
  if (merges === undefined) throw vocabularyError("it has no merges");
  if (merges.length > maxMerges) throw vocabularyError(`${merges.length} merges are too many`);
  return merges.map((merge) => {
    // A token may start with a space, so the separator is looked for from the second character.
    const space = merge.indexOf(" ", 1);
    if (space < 0 || space + 1 === merge.length) throw vocabularyError(`the merge "${merge.slice(0, 40)}" is no pair`);
    return [merge.slice(0, space), merge.slice(space + 1)];
  });
}

/** Text and id of the tokens that plain text may become. Control tokens stay out, so that no merge can yield them. */
function encodableTokens({ texts, kinds }: GgufVocabulary): Array<readonly [string, number]> {
  const tokens: Array<readonly [string, number]> = [];
  for (let id = 0; id < texts.length; id++) {
    if (texts[id] !== "" && kinds[id] !== tokenKind.control && kinds[id] !== tokenKind.unknown) tokens.push([texts[id], id]);
  }
  return tokens;
}

export interface BpeRules {
  readonly rules: readonly MergeRule[];
  /** Every token of the file, to tell a damaged merge from one of a control token. */
  readonly ids: ReadonlyMap<string, number>;
  readonly ignoreMerges: boolean;
}

/**
 * The `model` of a tokenizer.json.
 *
 * @throws {ShaderloomError} TOKENIZER.vocab for a merge whose parts or union are no tokens (Rust would abort on it)
 */
export function bpeModel(
  tokens: ReadonlyArray<readonly [string, number]>,
  { rules, ids, ignoreMerges }: BpeRules,
): Record<string, unknown> {
  const vocab = Object.fromEntries(tokens);
  const encodable = new Set(tokens.map(([text]) => text));
  const merges: MergeRule[] = [];
  const seen = new Set<string>();
  for (const rule of rules) {
    const [left, right] = rule;
    const union = left + right;
    for (const text of [left, right, union]) {
      if (!ids.has(text)) throw vocabularyError(`the merge "${left.slice(0, 20)} ${right.slice(0, 20)}" names an unknown token`);
    }
    const key = `${left} ${right}`;
    if (seen.has(key) || !encodable.has(left) || !encodable.has(right) || !encodable.has(union)) continue;
    // Rust keeps the last of two equal rules; the first is the one with the rank that training gave it.
    seen.add(key);
    merges.push(rule);
  }
  return { type: "BPE", dropout: null, unk_token: null, fuse_unk: false, byte_fallback: false, ignore_merges: ignoreMerges, vocab, merges };
}
