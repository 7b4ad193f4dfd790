// Encodes text with a SentencePiece vocabulary of GGUF kind `llama`: starting from characters, the adjacent pair whose union is
// the token of highest score is merged first (leftmost on a tie), until no pair is a token. Characters left over become byte
// tokens. Kudo & Richardson 2018 (arXiv:1808.06226), BPE mode. Special tokens are cut out before, in added_tokens.ts.

import { byteError, numberArray, readFlag, vocabularyError } from "./gguf_vocabulary.ts";
import type { GgufVocabulary } from "./gguf_vocabulary.ts";
import type { Metadata } from "../base/metadata.ts";
import type { FragmentEncoder } from "./fragment_encoder.ts";
import { MergeQueue } from "./merge_queue.ts";
import { byteOfToken, spaceMark, tokenKind } from "./vocabulary.ts";

/**
 * @throws {ShaderloomError} TOKENIZER.vocab for missing or unordered scores, or when characters could not be encoded at all;
 *   TOKENIZER.bytes when some but not all of the 256 byte tokens exist
 */
export function createSpmEncoder(metadata: Metadata, vocabulary: GgufVocabulary): FragmentEncoder {
  const scores = readScores(metadata, vocabulary.texts.length);
  const model: SpmModel = {
    ids: mergeableIds(vocabulary),
    scores,
    pairs: adjacentPairs(vocabulary),
    byteIds: readByteIds(vocabulary),
    unknownId: vocabulary.unknownId,
  };
  if (model.byteIds === undefined && model.unknownId === undefined) {
    throw vocabularyError("it has neither byte tokens nor an unknown token");
  }
  const addSpacePrefix = readFlag(metadata, "add_space_prefix", true);
  const merger = new Merger(model);
  return {
    encode(text, output): void {
      // Each run of text between special tokens gets its own leading space, as in SentencePiece and llama.cpp.
      merger.encode((addSpacePrefix ? spaceMark : "") + text.replaceAll(" ", spaceMark), output);
    },
    stripsLeadingSpace: addSpacePrefix,
    dispose(): void {},
  };
}

interface SpmModel {
  /** Text to id of the tokens that merging may yield. */
  readonly ids: ReadonlyMap<string, number>;
  readonly scores: Float32Array;
  /** Neighbouring UTF-16 code units inside of any token, high unit first. */
  readonly pairs: ReadonlySet<number>;
  /** [256], or undefined when the vocabulary has no byte tokens. */
  readonly byteIds: readonly number[] | undefined;
  readonly unknownId: number | undefined;
}

function readScores(metadata: Metadata, count: number): Float32Array {
  const scores = numberArray(metadata, "scores");
  if (scores === undefined || scores.length !== count) throw vocabularyError(`${scores?.length ?? 0} scores for ${count} tokens`);
  const copy = Float32Array.from(scores);
  if (copy.some((score) => Number.isNaN(score))) throw vocabularyError("a score is not a number");
  return copy;
}

function mergeableIds({ texts, kinds }: GgufVocabulary): Map<string, number> {
  const never: number[] = [tokenKind.control, tokenKind.unknown, tokenKind.byte];
  return new Map([...texts.entries()].filter(([id, text]) => text !== "" && !never.includes(kinds[id])).map(([id, text]) => [text, id]));
}

function adjacentPairs({ texts }: GgufVocabulary): Set<number> {
  const pairs = new Set<number>();
  for (const text of texts) for (let i = 1; i < text.length; i++) pairs.add(text.charCodeAt(i - 1) * 65536 + text.charCodeAt(i));
  return pairs;
}

function readByteIds({ texts, kinds }: GgufVocabulary): number[] | undefined {
  const byteIds: number[] = [];
  for (const [id, text] of texts.entries()) {
    const byte = kinds[id] === tokenKind.byte ? byteOfToken(text) : undefined;
    if (byte !== undefined) byteIds[byte] = id;
  }
  const count = byteIds.filter((id) => id !== undefined).length;
  if (count === 0) return undefined;
  if (count < 256) throw byteError(`${256 - count} of the 256 bytes have no token`);
  return byteIds;
}

/** The merging itself, with its work arrays kept between calls. Symbols are runs of UTF-16 code units of the text. */
class Merger {
  readonly #model: SpmModel;
  readonly #queue = new MergeQueue();
  readonly #utf8 = new TextEncoder();
  /** [symbols] first code unit, length (0 once merged away), neighbours. */
  #start = new Int32Array(64);
  #size = new Int32Array(64);
  #previous = new Int32Array(64);
  #next = new Int32Array(64);

  constructor(model: SpmModel) {
    this.#model = model;
  }

  /** Appends the ids of a whole text. */
  encode(text: string, output: number[]): void {
    const first = output.length;
    // No merge can cross a place whose two characters are neighbours in no token, so text is cut there: exact for every
    // vocabulary, and mostly words.
    let start = 0;
    for (let i = 1; i <= text.length; i++) {
      if (i < text.length && !this.#isCut(text, i)) continue;
      this.#encodeSegment(text.slice(start, i), { output, first });
      start = i;
    }
  }

  #isCut(text: string, at: number): boolean {
    const left = text.charCodeAt(at - 1);
    const right = text.charCodeAt(at);
    const insideCharacter = left >= 0xd800 && left < 0xdc00;
    return !insideCharacter && !this.#model.pairs.has(left * 65536 + right);
  }

  #encodeSegment(text: string, target: { output: number[]; first: number }): void {
    const count = this.#split(text);
    for (let i = 1; i < count; i++) this.#offer(text, i - 1, i);
    this.#mergeAll(text);
    this.#queue.clear();
    for (let i = 0; i !== -1 && i < count; i = this.#next[i]) {
      this.#emit(text.slice(this.#start[i], this.#start[i] + this.#size[i]), target);
    }
  }

  #split(text: string): number {
    if (text.length > this.#start.length) {
      const length = Math.max(text.length, 2 * this.#start.length);
      this.#start = new Int32Array(length);
      this.#size = new Int32Array(length);
      this.#previous = new Int32Array(length);
      this.#next = new Int32Array(length);
    }
    let count = 0;
    for (let i = 0; i < text.length; count++) {
      const size = (text.codePointAt(i) ?? 0) > 0xffff ? 2 : 1;
      this.#start[count] = i;
      this.#size[count] = size;
      this.#previous[count] = count - 1;
      this.#next[count] = count + 1;
      i += size;
    }
    if (count > 0) this.#next[count - 1] = -1;
    return count;
  }

  #offer(text: string, left: number, right: number): void {
    if (left < 0 || right < 0) return;
    const size = this.#size[left] + this.#size[right];
    const id = this.#model.ids.get(text.slice(this.#start[left], this.#start[left] + size));
    if (id !== undefined) this.#queue.push({ left, right, size, score: this.#model.scores[id] });
  }

  #mergeAll(text: string): void {
    for (let merge = this.#queue.pop(); merge !== undefined; merge = this.#queue.pop()) {
      const { left, right, size } = merge;
      const stale = this.#size[left] === 0 || this.#size[right] === 0 || this.#size[left] + this.#size[right] !== size;
      if (stale) continue;
      this.#size[left] = size;
      this.#size[right] = 0;
      this.#next[left] = this.#next[right];
      if (this.#next[right] !== -1) this.#previous[this.#next[right]] = left;
      this.#offer(text, this.#previous[left], left);
      this.#offer(text, left, this.#next[left]);
    }
  }

  #emit(piece: string, { output, first }: { output: number[]; first: number }): void {
    const { ids, byteIds, unknownId } = this.#model;
    const id = ids.get(piece);
    if (id !== undefined) {
      output.push(id);
    } else if (byteIds !== undefined) {
      for (const byte of this.#utf8.encode(piece)) output.push(byteIds[byte]);
    } else if (unknownId !== undefined && (output.length === first || output[output.length - 1] !== unknownId)) {
      // A run of unknown characters is one unknown token.
      output.push(unknownId);
    }
  }
}
