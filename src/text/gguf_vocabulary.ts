// Reads the vocabulary of a GGUF file's metadata, and trusts none of it: every array length, id, duplicate and byte token is
// checked before an encoder is built from it. Keys: github.com/ggml-org/ggml/blob/master/docs/gguf.md, section tokenizer.

import { ShaderloomError } from "../base/errors.ts";
import type { Metadata, MetaValue } from "../base/metadata.ts";
import type { AddedToken } from "./added_tokens.ts";
import { endOfGenerationSet, isEndText } from "./end_of_generation.ts";
import { byteOfToken, tokenKind } from "./vocabulary.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** The kinds of GGUF vocabulary that can be encoded. */
export type GgufVocabularyKind = "gpt2" | "llama";

const prefix = "tokenizer.ggml.";
/** A vocabulary of 4 million tokens is 16 times the largest one published. */
const maxTokens = 1 << 22;
/** Ids that the file itself names as an end. */
const endKeys = ["eos_token_id", "eot_token_id", "eom_token_id", "fim_pad_token_id", "fim_rep_token_id", "fim_sep_token_id"];

export function vocabularyError(message: string, detail: Record<string, string | number> = {}): ShaderloomError {
  return new ShaderloomError("TOKENIZER.vocab", `The vocabulary of this file is damaged: ${message}. Download the file again.`, { detail });
}

/** @throws {ShaderloomError} TOKENIZER.vocab without one; TOKENIZER.kind for one that cannot be encoded */
export function ggufVocabularyKind(metadata: Metadata): GgufVocabularyKind {
  const kind = metadata.get(`${prefix}model`);
  if (typeof kind !== "string") throw vocabularyError("it names no kind of tokenizer");
  if (kind === "gpt2" || kind === "llama") return kind;
  const message = `Tokenizers of kind "${kind.slice(0, 40)}" are not supported. Use a model with a "gpt2" or "llama" vocabulary.`;
  throw new ShaderloomError("TOKENIZER.kind", message, { detail: { kind: kind.slice(0, 40) } });
}

/** What an encoder needs beside the vocabulary. */
export interface GgufVocabulary extends Vocabulary {
  /** [vocabSize] text to id; empty texts are left out. */
  readonly ids: ReadonlyMap<string, number>;
  readonly unknownId: number | undefined;
}

export interface VocabularyDefaults {
  readonly addBos: boolean;
  readonly ids: { readonly bos?: number; readonly eos?: number; readonly unknown?: number };
  /** Whether a normal token is an ordinary piece of text, whatever it looks like. */
  readonly isLearned: (text: string) => boolean;
}

/**
 * Reads tokens, types and special ids.
 *
 * @param defaults what holds where the file does not say
 * @throws {ShaderloomError} TOKENIZER.vocab; TOKENIZER.bytes for byte tokens that are none
 */
export function readGgufVocabulary(metadata: Metadata, defaults: VocabularyDefaults): GgufVocabulary {
  const texts = stringArray(metadata, "tokens");
  if (texts === undefined || texts.length === 0) throw vocabularyError("it has no tokens");
  if (texts.length > maxTokens) throw vocabularyError(`${texts.length} tokens are too many`);
  const ids = indexTexts(texts);
  const kinds = readKinds(metadata, texts);
  const named = (key: string, fallback?: number): number | undefined => readId(metadata, key, { count: texts.length, fallback });
  const bosId = named("bos_token_id", defaults.ids.bos);
  const eosId = named("eos_token_id", defaults.ids.eos);
  const addBos = readFlag(metadata, "add_bos_token", defaults.addBos);
  const addEos = readFlag(metadata, "add_eos_token", false);
  if (addBos && bosId === undefined) throw vocabularyError("it asks for a beginning-of-sequence token and names none");
  if (addEos && eosId === undefined) throw vocabularyError("it asks for an end-of-sequence token and names none");
  const special: Array<[number, string]> = [];
  for (let id = 0; id < texts.length; id++) {
    const text = texts[id];
    if (kinds[id] !== tokenKind.normal || (isEndText(text) && !defaults.isLearned(text))) special.push([id, text]);
  }
  const endOfGeneration = endOfGenerationSet(special, [eosId, ...endKeys.map((key) => named(key))]);
  // Conversion scripts have marked such tokens as plain text; encoding a user's text must never yield them.
  for (const id of endOfGeneration) kinds[id] = tokenKind.control;
  return { texts, kinds, ids, bosId, eosId, addBos, addEos, endOfGeneration, unknownId: named("unknown_token_id", defaults.ids.unknown) };
}

function indexTexts(texts: readonly string[]): Map<string, number> {
  const ids = new Map<string, number>();
  // Vocabularies are long: an iterator over entries would leave an array for each token.
  for (let id = 0; id < texts.length; id++) {
    const text = texts[id];
    if (text === "") continue;
    const first = ids.get(text);
    if (first !== undefined) throw vocabularyError(`tokens ${first} and ${id} are the same`, { first, second: id });
    ids.set(text, id);
  }
  return ids;
}

function readKinds(metadata: Metadata, texts: readonly string[]): Uint8Array {
  const kinds = new Uint8Array(texts.length).fill(tokenKind.normal);
  const types = numberArray(metadata, "token_type");
  if (types !== undefined && types.length !== texts.length) {
    throw vocabularyError(`${types.length} token types for ${texts.length} tokens`);
  }
  const seen = new Map<number, number>();
  for (let id = 0; id < texts.length; id++) {
    const text = texts[id];
    const byte = byteOfToken(text);
    const type = types === undefined ? (byte === undefined ? tokenKind.normal : tokenKind.byte) : types[id];
    kinds[id] = type >= tokenKind.normal && type <= tokenKind.byte ? type : tokenKind.normal;
    if (type !== tokenKind.byte) continue;
    const other = byte === undefined ? undefined : seen.get(byte);
    if (byte === undefined || other !== undefined) throw byteError(`token ${id} ("${text.slice(0, 20)}") stands for no byte of its own`);
    seen.set(byte, id);
  }
  return kinds;
}

export function byteError(message: string): ShaderloomError {
  return new ShaderloomError("TOKENIZER.bytes", `The byte tokens of this file are damaged: ${message}. Download the file again.`);
}

function readId(metadata: Metadata, key: string, options: { count: number; fallback?: number }): number | undefined {
  const value = metadata.get(prefix + key);
  if (value === undefined) {
    const { fallback, count } = options;
    return fallback !== undefined && fallback < count ? fallback : undefined;
  }
  // Some converters write -1 or 2^32 - 1 for "there is none".
  if (value === -1 || value === 0xffffffff) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value >= options.count) {
    throw vocabularyError(`${key} is ${String(value).slice(0, 30)}, and there are ${options.count} tokens`, { key });
  }
  return value;
}

/** GGUF says nothing of white space around added tokens; Phi-3's take what follows them, as in its tokenizer.json. */
export function ggufAddedTokens(metadata: Metadata, { texts, kinds }: GgufVocabulary): AddedToken[] {
  const name = metadata.get("general.name");
  const phi3 = typeof name === "string" && /phi-?3/i.test(name);
  const plain = ["<unk>", "<s>", "<|endoftext|>"];
  const added: AddedToken[] = [];
  for (let id = 0; id < texts.length; id++) {
    const text = texts[id];
    const control = kinds[id] === tokenKind.control || kinds[id] === tokenKind.unknown;
    if (!control && kinds[id] !== tokenKind.userDefined) continue;
    added.push({ id, text, control, stripRight: phi3 && !plain.includes(text) });
  }
  return added;
}

export function readFlag(metadata: Metadata, key: string, fallback: boolean): boolean {
  const value = metadata.get(prefix + key);
  if (value === undefined) return fallback;
  if (typeof value !== "boolean") throw vocabularyError(`${key} is neither true nor false`, { key });
  return value;
}

export function stringArray(metadata: Metadata, key: string): readonly string[] | undefined {
  const value: MetaValue | undefined = metadata.get(prefix + key);
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw vocabularyError(`${key} is no list of texts`, { key });
}

export function numberArray(metadata: Metadata, key: string): ArrayLike<number> | undefined {
  const value = metadata.get(prefix + key);
  if (value === undefined) return undefined;
  if (typeof value === "object" && "length" in value && (ArrayBuffer.isView(value) || value.every((item) => typeof item === "number"))) {
    return value;
  }
  throw vocabularyError(`${key} is no list of numbers`, { key });
}
