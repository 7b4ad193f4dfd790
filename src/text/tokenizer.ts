// Text to token ids and back, from the vocabulary of a GGUF file or from a tokenizer.json. This file owns the tokenizer's
// contract and is the only one that imports web-tokenizers; templates and streaming are elsewhere. Each way to read and encode is a chunk of its
// own, as a model has one of them.

import type { Metadata } from "../base/metadata.ts";
import { createFragmenter } from "./added_tokens.ts";
import type { AddedToken, Spans } from "./added_tokens.ts";
import type { FragmentEncoder } from "./fragment_encoder.ts";
import { createPieceDecoder, tokenKind } from "./vocabulary.ts";
import type { PieceAlphabet, Vocabulary } from "./vocabulary.ts";
import type { TokenizerLibrary } from "./wasm_encoder.ts";

export type { Spans } from "./added_tokens.ts";
export type { TokenizerLibrary } from "./wasm_encoder.ts";

export interface DecodeOptions {
  /** Leaves control tokens out; they are written by their text otherwise. */
  readonly skipSpecial?: boolean;
  /** The ids go on a text, so a space at their start is one. Without it SentencePiece drops the first space of a text. */
  readonly continues?: boolean;
}

export interface Tokenizer {
  readonly vocabSize: number;
  /** Control tokens by text. */
  readonly specialTokens: ReadonlyMap<string, number>;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly addBos: boolean;
  readonly addEos: boolean;
  /** Every token that ends an answer. */
  readonly endOfGeneration: ReadonlySet<number>;
  /** A user's text: never yields a control token. Adds no beginning-of-sequence token. */
  encode(text: string): number[];
  /** Text of the program's own, in which control tokens count. */
  encodeWithSpecials(text: string): number[];
  /** Both mixed: control tokens count only where they touch no untrusted range. */
  encodeMixed(text: string, untrusted: Spans): number[];
  /** What a token adds to a text, which may be part of a character; nothing for a control token. */
  tokenBytes(id: number): Uint8Array;
  /** The token as the vocabulary writes it, control tokens included; "" for an id without a token. */
  tokenText(id: number): string;
  /** Bytes that are no UTF-8 become U+FFFD. */
  decode(ids: readonly number[], options?: DecodeOptions): string;
  /** Whether decoding drops one space at the start of a text. */
  readonly stripsLeadingSpace: boolean;
  dispose(): void;
}

/** Loads web-tokenizers; given by callers that cannot load it by its name. */
export type LoadTokenizerLibrary = () => Promise<TokenizerLibrary>;

async function loadWebTokenizers(): Promise<TokenizerLibrary> {
  const { Tokenizer: library } = await import("@mlc-ai/web-tokenizers");
  return library;
}

/**
 * The tokenizer of a GGUF file.
 *
 * @throws {ShaderloomError} TOKENIZER.kind, .pre, .vocab, .bytes, .library
 */
export async function tokenizerFromGguf(metadata: Metadata, load: LoadTokenizerLibrary = loadWebTokenizers): Promise<Tokenizer> {
  const { ggufAddedTokens, ggufVocabularyKind, readGgufVocabulary } = await import("./gguf_vocabulary.ts");
  if (ggufVocabularyKind(metadata) === "llama") {
    const { createSpmEncoder } = await import("./spm_encoder.ts");
    const defaults = { addBos: true, ids: { bos: 1, eos: 2, unknown: 0 }, isLearned: () => false };
    const vocabulary = readGgufVocabulary(metadata, defaults);
    const encoder = createSpmEncoder(metadata, vocabulary);
    return assemble({ vocabulary, encoder, alphabet: "sentencePiece", added: ggufAddedTokens(metadata, vocabulary) });
  }
  const [{ readByteLevelBpe }, { createWasmEncoder }] = await Promise.all([import("./byte_level_bpe.ts"), import("./wasm_encoder.ts")]);
  const { vocabulary, json } = readByteLevelBpe(metadata);
  const encoder = await createWasmEncoder(load, json, { splitsAtLineBreaks: true, stripsLeadingSpace: false });
  return assemble({ vocabulary, encoder, alphabet: "byteLevel", added: ggufAddedTokens(metadata, vocabulary) });
}

/**
 * The tokenizer of a Hugging Face folder.
 *
 * @param tokenizerJson the parsed tokenizer.json
 * @param config the parsed tokenizer_config.json, for bos, eos and whether they are added
 * @throws {ShaderloomError} TOKENIZER.kind, .pattern, .vocab, .library
 */
export async function tokenizerFromJson(
  tokenizerJson: unknown,
  config?: unknown,
  load: LoadTokenizerLibrary = loadWebTokenizers,
): Promise<Tokenizer> {
  const [{ readTokenizerJson }, { createWasmEncoder }] = await Promise.all([import("./tokenizer_json.ts"), import("./wasm_encoder.ts")]);
  const { vocabulary, alphabet, added, json, ...options } = readTokenizerJson(tokenizerJson, config);
  return assemble({ vocabulary, encoder: await createWasmEncoder(load, json, options), alphabet, added });
}

interface TokenizerParts {
  readonly vocabulary: Vocabulary;
  readonly encoder: FragmentEncoder;
  readonly alphabet: PieceAlphabet;
  readonly added: readonly AddedToken[];
}

function assemble({ vocabulary, encoder, alphabet, added }: TokenizerParts): Tokenizer {
  const { texts, kinds, bosId, eosId, addBos, addEos, endOfGeneration } = vocabulary;
  const fragment = createFragmenter(added);
  const pieceBytes = createPieceDecoder(alphabet);
  const isSpecial = (id: number): boolean => kinds[id] === tokenKind.control || kinds[id] === tokenKind.unknown;
  const tokenText = (id: number): string => texts[id] ?? "";
  const tokenBytes = (id: number): Uint8Array => (isSpecial(id) ? new Uint8Array() : pieceBytes(tokenText(id), kinds[id]));
  const encodeMixed = (text: string, untrusted: Spans): number[] => {
    // A lone surrogate is no text; UTF-8 encoders disagree on it, so it is settled here.
    const wellFormed = text.replaceAll(/\p{Surrogate}/gu, "\ufffd");
    const ids: number[] = [];
    for (const piece of fragment(wellFormed, untrusted)) {
      if (typeof piece === "number") ids.push(piece);
      else encoder.encode(piece, ids);
    }
    return ids;
  };
  const utf8 = new TextEncoder();
  return {
    vocabSize: texts.length,
    specialTokens: controlTokens(vocabulary),
    bosId,
    eosId,
    addBos,
    addEos,
    endOfGeneration,
    encode: (text) => encodeMixed(text, [0, text.length]),
    encodeWithSpecials: (text) => encodeMixed(text, []),
    encodeMixed,
    tokenBytes,
    tokenText,
    decode(ids, { skipSpecial = false, continues = false } = {}): string {
      const pieces = ids.map((id) => (isSpecial(id) && !skipSpecial ? utf8.encode(tokenText(id)) : tokenBytes(id)));
      const text = decodeUtf8(pieces);
      return encoder.stripsLeadingSpace && !continues && text.startsWith(" ") ? text.slice(1) : text;
    },
    stripsLeadingSpace: encoder.stripsLeadingSpace,
    dispose: () => encoder.dispose(),
  };
}

function controlTokens({ texts, kinds }: Vocabulary): Map<string, number> {
  const found = new Map<string, number>();
  for (let id = 0; id < texts.length; id++) if (texts[id] !== "" && kinds[id] === tokenKind.control) found.set(texts[id], id);
  return found;
}

function decodeUtf8(pieces: readonly Uint8Array[]): string {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
