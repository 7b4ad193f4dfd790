// The seam between the tokenizer and its two ways to encode: web-tokenizers and spm_encoder.ts.

/** Encodes runs of text that hold no added token. */
export interface FragmentEncoder {
  /** Appends the ids of the text. */
  encode(text: string, output: number[]): void;
  /** Whether decoding drops one space at the start, because encoding puts one there. */
  readonly stripsLeadingSpace: boolean;
  dispose(): void;
}
