// Small vocabularies as GGUF metadata: every capability of the tokenizer on data the repository makes itself.

import type { Metadata, MetaValue } from "../base/metadata.ts";
import { byteAlphabet } from "./tiny_model.ts";

/** GGUF's token types. */
const [normal, unknown, control, userDefined, byte] = [1, 2, 3, 4, 6];

export interface VocabularyChanges {
  /** Entries replaced or added, by key without `tokenizer.ggml.`; undefined removes one. */
  readonly entries?: Readonly<Record<string, MetaValue | undefined>>;
}

function toMetadata(entries: Readonly<Record<string, MetaValue | undefined>>): Metadata {
  const metadata = new Map<string, MetaValue>();
  for (const [key, value] of Object.entries(entries)) if (value !== undefined) metadata.set(`tokenizer.ggml.${key}`, value);
  return metadata;
}

export const bpeMerges: readonly string[] = [
  "h e",
  "l l",
  "he ll",
  "hell o",
  "\u0120 w",
  "o r",
  "\u0120w or",
  "\u0120wor l",
  "\u0120worl d",
  "i m",
];
export const bpeControls: readonly string[] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|eot_id|>"];
export const bpeUserDefined: readonly string[] = ["<tool>", "\u00fc\u00fc"];

/** Byte-level BPE: 256 bytes, ten merges, four control and two user-defined tokens. */
export function bpeVocabulary({ entries }: VocabularyChanges = {}): Metadata {
  const tokens = [...byteAlphabet(), ...bpeMerges.map((merge) => merge.replace(" ", "")), ...bpeControls, ...bpeUserDefined];
  const kinds = tokens.map((token) => (bpeControls.includes(token) ? control : bpeUserDefined.includes(token) ? userDefined : normal));
  return toMetadata({
    model: "gpt2",
    pre: "gpt-2",
    tokens,
    token_type: Int32Array.from(kinds),
    merges: [...bpeMerges],
    bos_token_id: tokens.indexOf("<|endoftext|>"),
    eos_token_id: tokens.indexOf("<|im_end|>"),
    ...entries,
  });
}

export const spmWords: readonly string[] = [
  "\u2581",
  "h",
  "e",
  "l",
  "o",
  "w",
  "r",
  "d",
  "a",
  "he",
  "ll",
  "hell",
  "hello",
  "\u2581hello",
  "\u2581w",
  "or",
  "\u2581wor",
  "ld",
  "\u2581world",
  "aa",
  "aaaa",
  "\u2581\u2581",
  "\u00e9",
];

/** SentencePiece: unknown, bos, eos, 256 bytes, words with falling scores. */
export function spmVocabulary({ entries }: VocabularyChanges = {}): Metadata {
  const bytes = Array.from({ length: 256 }, (_, value) => `<0x${value.toString(16).toUpperCase().padStart(2, "0")}>`);
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...spmWords, "<end_of_turn>", "<tool>"];
  const special = new Map([
    ["<unk>", unknown],
    ["<s>", control],
    ["</s>", control],
    ["<end_of_turn>", control],
    ["<tool>", userDefined],
  ]);
  return toMetadata({
    model: "llama",
    tokens,
    scores: Float32Array.from(tokens, (token) => -spmWords.indexOf(token)),
    token_type: Int32Array.from(tokens, (token) => special.get(token) ?? (bytes.includes(token) ? byte : normal)),
    ...entries,
  });
}
