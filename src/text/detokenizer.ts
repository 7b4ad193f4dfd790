// Ids to text as they are generated: characters split over tokens are held until they are whole. What is pushed and flushed
// joins to exactly what `decode` gives for all ids, control tokens left out.

import type { DecodeOptions, Tokenizer } from "./tokenizer.ts";

export interface Detokenizer {
  /** @returns the text that is certain after this id, perhaps none */
  push(id: number): string;
  /** @returns what was held: at most one U+FFFD for a character that never became whole */
  flush(): string;
}

/** @param options `continues` as in `Tokenizer.decode` */
export function createDetokenizer(tokenizer: Tokenizer, options: Pick<DecodeOptions, "continues"> = {}): Detokenizer {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let dropSpace = tokenizer.stripsLeadingSpace && !options.continues;
  const emit = (text: string): string => {
    if (text === "" || !dropSpace) return text;
    dropSpace = false;
    return text.startsWith(" ") ? text.slice(1) : text;
  };
  return {
    push: (id) => emit(decoder.decode(tokenizer.tokenBytes(id), { stream: true })),
    flush: () => emit(decoder.decode()),
  };
}
