// Encodes text with web-tokenizers (Hugging Face's Rust tokenizers in WASM) from a tokenizer.json that this code base wrote
// or checked: a JSON that Rust refuses aborts the whole WASM module. Knows nothing of special tokens: it is given none.

import { ShaderloomError } from "../base/errors.ts";
import type { FragmentEncoder } from "./fragment_encoder.ts";
import { spaceMark } from "./vocabulary.ts";

/** What is used of web-tokenizers' `Tokenizer`. */
export interface TokenizerLibrary {
  fromJSON(json: ArrayBuffer): Promise<LibraryTokenizer>;
}

interface LibraryTokenizer {
  encode(text: string): Int32Array;
  dispose(): void;
}

export interface WasmEncoderOptions {
  /** Whether a line break before a letter ends a piece in this tokenizer's splits, so that text can be cut there. */
  readonly splitsAtLineBreaks: boolean;
  readonly stripsLeadingSpace: boolean;
  /** Puts U+2581 before each fragment that does not start with a space. */
  readonly addSpacePrefix?: boolean;
}

/** The WASM takes some 200 bytes of memory per character, so long text goes in parts of this many code units. */
const partUnits = 1 << 20;
/** A run that cannot be cut: above this the WASM would run out of memory, and abort. */
const maxRunUnits = 1 << 23;

/** @throws {ShaderloomError} TOKENIZER.library when the library cannot be loaded or refuses the vocabulary */
export async function createWasmEncoder(
  load: () => Promise<TokenizerLibrary>,
  json: string,
  options: WasmEncoderOptions,
): Promise<FragmentEncoder> {
  const tokenizer = await loadTokenizer(load, json);
  return {
    encode(text, output): void {
      const prefixed = options.addSpacePrefix && !text.startsWith(" ") && !text.startsWith(spaceMark) ? spaceMark + text : text;
      for (const part of cutText(prefixed, options.splitsAtLineBreaks)) {
        for (const id of encodePart(tokenizer, part)) output.push(id);
      }
    },
    stripsLeadingSpace: options.stripsLeadingSpace,
    dispose: () => tokenizer.dispose(),
  };
}

async function loadTokenizer(load: () => Promise<TokenizerLibrary>, json: string): Promise<LibraryTokenizer> {
  try {
    const library = await load();
    return await library.fromJSON(new TextEncoder().encode(json).buffer);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const advice = "Reload the page; if it happens again, use another file of this model.";
    throw new ShaderloomError("TOKENIZER.library", `The tokenizer could not be built (${reason.slice(0, 200)}). ${advice}`, {
      cause: error,
    });
  }
}

function encodePart(tokenizer: LibraryTokenizer, part: string): Int32Array {
  try {
    return tokenizer.encode(part);
  } catch (error) {
    const message = `The tokenizer failed on a text of ${part.length} characters. Shorten the text.`;
    throw new ShaderloomError("TOKENIZER.library", message, { cause: error, detail: { characters: part.length } });
  }
}

/**
 * Cuts long text after line breaks that a Latin letter follows: every pattern of pre_tokenizers.ts ends a piece there, so the
 * ids are those of the whole.
 */
function* cutText(text: string, splitsAtLineBreaks: boolean): Generator<string> {
  let start = 0;
  while (text.length - start > partUnits) {
    const end = splitsAtLineBreaks ? cutAfter(text, start + partUnits) : text.length;
    if (end - start > maxRunUnits) {
      const message = `A run of ${end - start} characters without a line break is too long to tokenize. Shorten the text.`;
      throw new ShaderloomError("LIMIT.text", message, { detail: { characters: end - start, limit: maxRunUnits } });
    }
    yield text.slice(start, end);
    start = end;
  }
  if (start < text.length) yield text.slice(start);
}

function cutAfter(text: string, from: number): number {
  const cut = /\n(?=[A-Za-z])/g;
  cut.lastIndex = from;
  return cut.test(text) ? cut.lastIndex : text.length;
}
