// Reads a Hugging Face tokenizer.json (BPE, byte-level or SentencePiece style) and its tokenizer_config.json, and writes the
// JSON that web-tokenizers is given: known parts only, field by field, without control tokens. Anything else is refused here,
// because Rust panics on what it does not know and runs any regular expression it is given.

import type { AddedToken } from "./added_tokens.ts";
import { bpeModel } from "./byte_level_bpe.ts";
import type { MergeRule } from "./byte_level_bpe.ts";
import { endOfGenerationSet, isEndText } from "./end_of_generation.ts";
import { vocabularyError } from "./gguf_vocabulary.ts";
import { checkDecoder, checkNormalizer, checkPreTokenizer } from "./tokenizer_json_parts.ts";
import { asArray, asRecord, isRecord, kindError } from "./tokenizer_json_values.ts";
import type { JsonRecord } from "./tokenizer_json_values.ts";
import { tokenKind } from "./vocabulary.ts";
import type { PieceAlphabet, Vocabulary } from "./vocabulary.ts";
import type { WasmEncoderOptions } from "./wasm_encoder.ts";

const maxTokens = 1 << 22;

export interface JsonTokenizer extends WasmEncoderOptions {
  readonly vocabulary: Vocabulary;
  readonly alphabet: PieceAlphabet;
  /** Tokens to cut out before encoding. */
  readonly added: readonly AddedToken[];
  /** For web-tokenizers. */
  readonly json: string;
}

/** @throws {ShaderloomError} TOKENIZER.kind for what is unknown, .pattern for an unknown regular expression, .vocab for damage */
export function readTokenizerJson(tokenizerJson: unknown, config: unknown): JsonTokenizer {
  const root = asRecord(tokenizerJson, "the file");
  const model = asRecord(root["model"], "model");
  checkModel(model);
  const tokens = readTokens(model);
  const listed = readAddedTokens(root, tokens);
  const settings = readSettings(root, config, listed);
  const texts = textsById(tokens);
  const endOfGeneration = endOfGenerationSet(
    listed.map(({ id, text }) => [id, text] as const),
    [settings.eosId],
  );
  const kinds = new Uint8Array(texts.length).fill(tokenKind.normal);
  const unknown = model["unk_token"] ?? undefined;
  const normalizer = checkNormalizer(root["normalizer"] ?? null);
  // Rust finds tokens marked `normalized` in normalized text; where nothing is normalized that is the text itself.
  const ownMatching = (token: ListedToken): boolean => token.control || isEndText(token.text) || !token.normalized || normalizer === null;
  const added: AddedToken[] = [];
  for (const token of listed) {
    const control = token.control || endOfGeneration.has(token.id);
    kinds[token.id] = token.text === unknown ? tokenKind.unknown : control ? tokenKind.control : tokenKind.userDefined;
    if (ownMatching(token)) added.push({ ...token, control });
  }
  for (const id of endOfGeneration) kinds[id] = tokenKind.control;
  const preTokenizer = checkPreTokenizer(root["pre_tokenizer"] ?? null);
  const decoder = checkDecoder(root["decoder"] ?? null);
  const encodable = [...tokens].filter(([, id]) => kinds[id] !== tokenKind.control);
  const json = JSON.stringify({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: listed.filter((token) => !ownMatching(token)).map(libraryToken),
    normalizer,
    pre_tokenizer: preTokenizer.json,
    post_processor: null,
    decoder: null,
    model: {
      ...bpeModel(encodable, { rules: readMerges(model), ids: tokens, ignoreMerges: model["ignore_merges"] === true }),
      ...unknownSettings(model, encodable),
    },
  });
  return {
    vocabulary: { texts, kinds, ...settings, endOfGeneration },
    alphabet: decoder.alphabet,
    added,
    json,
    splitsAtLineBreaks: preTokenizer.splitsAtLineBreaks,
    stripsLeadingSpace: decoder.stripsLeadingSpace,
    addSpacePrefix: preTokenizer.addSpacePrefix,
  };
}

function checkModel(model: JsonRecord): void {
  const type = model["type"] ?? (model["merges"] === undefined ? "none" : "BPE");
  if (type !== "BPE") throw kindError("model", type);
  for (const key of ["continuing_subword_prefix", "end_of_word_suffix"]) {
    if ((model[key] ?? "") !== "") throw kindError(`model.${key}`, model[key]);
  }
  if ((model["dropout"] ?? 0) !== 0) throw kindError("model.dropout", model["dropout"]);
}

function readTokens(model: JsonRecord): Map<string, number> {
  const tokens = new Map<string, number>();
  const seen = new Set<number>();
  for (const [text, id] of Object.entries(asRecord(model["vocab"], "model.vocab"))) {
    addToken(tokens, { text, id: checkId(id, text), seen });
  }
  if (tokens.size === 0) throw vocabularyError("it has no tokens");
  return tokens;
}

function addToken(tokens: Map<string, number>, { text, id, seen }: { text: string; id: number; seen: Set<number> }): void {
  if (seen.has(id)) throw vocabularyError(`two tokens have the id ${id}`, { id });
  seen.add(id);
  tokens.set(text, id);
}

function checkId(id: unknown, text: string): number {
  if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id < maxTokens) return id;
  throw vocabularyError(`the token "${text.slice(0, 20)}" has the id ${String(id).slice(0, 20)}`);
}

function textsById(tokens: ReadonlyMap<string, number>): string[] {
  let count = 0;
  for (const id of tokens.values()) count = Math.max(count, id + 1);
  const texts = Array.from({ length: count }, () => "");
  for (const [text, id] of tokens) texts[id] = text;
  return texts;
}

interface ListedToken extends AddedToken {
  readonly normalized: boolean;
}

/** The file's added tokens; they join `tokens`. */
function readAddedTokens(root: JsonRecord, tokens: Map<string, number>): ListedToken[] {
  const seen = new Set(tokens.values());
  return asArray(root["added_tokens"] ?? [], "added_tokens").map((item) => {
    const entry = asRecord(item, "added_tokens");
    const text = entry["content"];
    if (typeof text !== "string" || text === "") throw vocabularyError("an added token has no text");
    const id = checkId(entry["id"], text);
    const known = tokens.get(text);
    if (known === undefined) addToken(tokens, { text, id, seen });
    else if (known !== id) throw vocabularyError(`the token "${text.slice(0, 20)}" has the ids ${known} and ${id}`);
    return {
      id,
      text,
      control: entry["special"] === true,
      stripLeft: entry["lstrip"] === true,
      stripRight: entry["rstrip"] === true,
      singleWord: entry["single_word"] === true,
      normalized: entry["normalized"] === true,
    };
  });
}

function libraryToken({ id, text, stripLeft, stripRight, singleWord, normalized }: ListedToken): JsonRecord {
  return { id, content: text, lstrip: stripLeft, rstrip: stripRight, single_word: singleWord, normalized, special: false };
}

function readMerges(model: JsonRecord): MergeRule[] {
  return asArray(model["merges"], "model.merges").map((merge) => {
    const parts: unknown[] = typeof merge === "string" ? merge.split(" ") : asArray(merge, "model.merges");
    const [left, right] = parts;
    if (parts.length === 2 && typeof left === "string" && typeof right === "string" && left !== "" && right !== "") return [left, right];
    throw vocabularyError(`the merge ${JSON.stringify(merge).slice(0, 40)} is no pair`);
  });
}

function unknownSettings(model: JsonRecord, encodable: ReadonlyArray<readonly [string, number]>): JsonRecord {
  // Unlike control tokens it may come of text: unknown text is what it stands for.
  const unknown = model["unk_token"] ?? null;
  const settings = { fuse_unk: model["fuse_unk"] === true, byte_fallback: model["byte_fallback"] === true };
  if (unknown === null) return settings;
  if (typeof unknown !== "string") throw vocabularyError("its unknown token is no text");
  // Rust refuses an unknown token that its vocabulary lacks.
  const known = encodable.some(([text]) => text === unknown);
  return known ? { ...settings, unk_token: unknown } : settings;
}

type Settings = Pick<Vocabulary, "bosId" | "eosId" | "addBos" | "addEos">;

function readSettings(root: JsonRecord, config: unknown, listed: readonly ListedToken[]): Settings {
  const settings = config === undefined || config === null ? {} : asRecord(config, "tokenizer_config.json");
  const idOf = (token: unknown): number | undefined => {
    const text = isRecord(token) ? token["content"] : token;
    return typeof text === "string" ? listed.find((entry) => entry.text === text)?.id : undefined;
  };
  const around = templateTokens(root["post_processor"]);
  const bosId = idOf(settings["bos_token"]) ?? idOf(around.before);
  const eosId = idOf(settings["eos_token"]) ?? idOf(around.after);
  const flag = (key: string, fallback: boolean): boolean => (typeof settings[key] === "boolean" ? settings[key] : fallback);
  return {
    bosId,
    eosId,
    addBos: bosId !== undefined && flag("add_bos_token", around.before !== undefined),
    addEos: eosId !== undefined && flag("add_eos_token", around.after !== undefined),
  };
}

/** The special tokens that the post-processor puts before and after a text. */
function templateTokens(processor: unknown): { before?: string; after?: string } {
  if (!isRecord(processor)) return {};
  if (processor["type"] === "Sequence") {
    const parts = asArray(processor["processors"], "post_processor.processors").map(templateTokens);
    return parts.find((part) => part.before !== undefined || part.after !== undefined) ?? {};
  }
  if (processor["type"] !== "TemplateProcessing") return {};
  const single = asArray(processor["single"], "post_processor.single").map((item) => asRecord(item, "post_processor.single"));
  const text = single.findIndex((item) => item["Sequence"] !== undefined);
  return { before: text > 0 ? specialToken(single[text - 1]) : undefined, after: specialToken(single[text + 1]) };
}

function specialToken(item: JsonRecord | undefined): string | undefined {
  const special = item?.["SpecialToken"];
  const id = isRecord(special) ? special["id"] : undefined;
  return typeof id === "string" ? id : undefined;
}
