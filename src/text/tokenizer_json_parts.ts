// The normalizer, pre-tokenizer and decoder of a tokenizer.json: each known kind is copied field by field, each unknown one
// refused. Kinds and fields: huggingface/tokenizers 0.21, tokenizers/src.

import { ShaderloomError } from "../base/errors.ts";
import { runnablePattern } from "./pre_tokenizers.ts";
import { asArray, asRecord, kindError } from "./tokenizer_json_values.ts";
import type { JsonRecord } from "./tokenizer_json_values.ts";
import { spaceMark } from "./vocabulary.ts";
import type { PieceAlphabet } from "./vocabulary.ts";

const maxNesting = 8;

function text(value: unknown, part: string): string {
  if (typeof value === "string") return value;
  throw kindError(part, value);
}

function flag(value: unknown, fallback: boolean): boolean {
  return typeof value === "boolean" ? value : fallback;
}

/** A literal, or a regular expression that is known: others may take exponential time. */
function checkPattern(value: unknown, part: string): JsonRecord {
  const pattern = asRecord(value, part);
  if (typeof pattern["String"] === "string") return { String: pattern["String"] };
  const regex = text(pattern["Regex"], part);
  const runnable = runnablePattern(regex);
  if (runnable !== undefined) return { Regex: runnable };
  const message = `The tokenizer's pattern "${regex.slice(0, 60)}" is not a known one, and an unknown one may hang. Use the model's GGUF file.`;
  throw new ShaderloomError("TOKENIZER.pattern", message, { detail: { part, pattern: regex.slice(0, 200) } });
}

/** @returns the checked copy */
export function checkNormalizer(value: unknown, depth = 0): JsonRecord | null {
  if (value === null) return null;
  const part = asRecord(value, "normalizer");
  const type = part["type"];
  switch (type) {
    case "Sequence": {
      if (depth === maxNesting) throw kindError("normalizer", type);
      return { type, normalizers: asArray(part["normalizers"], "normalizer").map((item) => checkNormalizer(item, depth + 1)) };
    }
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
    case "Lowercase":
      return { type };
    case "Prepend":
      return { type, prepend: text(part["prepend"], "normalizer.prepend") };
    case "Replace":
      return { type, pattern: checkPattern(part["pattern"], "normalizer.pattern"), content: text(part["content"], "normalizer.content") };
    case "Strip":
      return { type, strip_left: flag(part["strip_left"], true), strip_right: flag(part["strip_right"], true) };
    default:
      throw kindError("normalizer", type);
  }
}

export interface CheckedPreTokenizer {
  readonly json: JsonRecord | null;
  readonly splitsAtLineBreaks: boolean;
  readonly addSpacePrefix: boolean;
}

function splitter(json: JsonRecord, splitsAtLineBreaks: boolean): CheckedPreTokenizer {
  return { json, splitsAtLineBreaks, addSpacePrefix: false };
}

const behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];

/** @returns the checked copy, and what the encoder does in its place */
export function checkPreTokenizer(value: unknown, depth = 0): CheckedPreTokenizer {
  if (value === null) return { json: null, splitsAtLineBreaks: false, addSpacePrefix: false };
  const part = asRecord(value, "pre_tokenizer");
  const type = part["type"];
  switch (type) {
    case "Sequence": {
      if (depth === maxNesting) throw kindError("pre_tokenizer", type);
      const parts = asArray(part["pretokenizers"], "pre_tokenizer").map((item) => checkPreTokenizer(item, depth + 1));
      return {
        json: { type, pretokenizers: parts.map(({ json }) => json) },
        splitsAtLineBreaks: parts.some((item) => item.splitsAtLineBreaks),
        addSpacePrefix: parts.some((item) => item.addSpacePrefix),
      };
    }
    case "Split": {
      const pattern = checkPattern(part["pattern"], "pre_tokenizer.pattern");
      const behavior = text(part["behavior"], "pre_tokenizer.behavior");
      if (!behaviors.includes(behavior)) throw kindError("pre_tokenizer.behavior", behavior);
      const isolates = pattern["Regex"] !== undefined && behavior === "Isolated";
      return splitter({ type, pattern, behavior, invert: flag(part["invert"], false) }, isolates);
    }
    case "ByteLevel": {
      const useRegex = flag(part["use_regex"], true);
      return splitter({ type, add_prefix_space: flag(part["add_prefix_space"], true), trim_offsets: false, use_regex: useRegex }, useRegex);
    }
    case "Digits":
      return splitter({ type, individual_digits: flag(part["individual_digits"], false) }, false);
    case "Metaspace":
      return checkMetaspace(part);
    default:
      throw kindError("pre_tokenizer", type);
  }
}

function checkMetaspace(part: JsonRecord): CheckedPreTokenizer {
  if ((part["replacement"] ?? spaceMark) !== spaceMark) throw kindError("pre_tokenizer.replacement", part["replacement"]);
  const scheme = part["prepend_scheme"] ?? (flag(part["add_prefix_space"], true) ? "always" : "never");
  if (scheme !== "always" && scheme !== "never") throw kindError("pre_tokenizer.prepend_scheme", scheme);
  // The encoder prepends instead: it knows where a fragment starts.
  const json = { type: "Metaspace", replacement: spaceMark, prepend_scheme: "never", split: flag(part["split"], true) };
  return { json, splitsAtLineBreaks: false, addSpacePrefix: scheme === "always" };
}

export interface CheckedDecoder {
  readonly alphabet: PieceAlphabet;
  readonly stripsLeadingSpace: boolean;
}

/** Which of the two ways to write bytes the decoder undoes; it is never run, since tokens map to bytes one by one here. */
export function checkDecoder(value: unknown): CheckedDecoder {
  const part = asRecord(value, "decoder");
  const type = part["type"];
  if (type === "ByteLevel") return { alphabet: "byteLevel", stripsLeadingSpace: false };
  if (type === "Metaspace") {
    const scheme = part["prepend_scheme"] ?? (flag(part["add_prefix_space"], true) ? "always" : "never");
    return { alphabet: "sentencePiece", stripsLeadingSpace: scheme !== "never" };
  }
  if (type !== "Sequence") throw kindError("decoder", type);
  const steps = asArray(part["decoders"], "decoder").map((item) => asRecord(item, "decoder"));
  let stripsLeadingSpace = false;
  for (const step of steps) {
    const known =
      step["type"] === "ByteFallback" ||
      step["type"] === "Fuse" ||
      (step["type"] === "Replace" && checkPattern(step["pattern"], "decoder.pattern")["String"] === spaceMark && step["content"] === " ");
    const strips = step["type"] === "Strip" && step["content"] === " " && step["start"] === 1 && step["stop"] === 0;
    if (!known && !strips) throw kindError("decoder", step["type"]);
    stripsLeadingSpace ||= strips;
  }
  return { alphabet: "sentencePiece", stripsLeadingSpace };
}
