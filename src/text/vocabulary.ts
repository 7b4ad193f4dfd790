// The vocabulary of a tokenizer as plain data, whatever file it came from, and the bytes of its tokens. Encodes nothing.

/** What a token is; the numbers are those of GGUF's `tokenizer.ggml.token_type`. */
export const tokenKind = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface Vocabulary {
  /** [vocabSize] the text of each token as the file writes it; "" where an id has no token. */
  readonly texts: readonly string[];
  /** [vocabSize] one of `tokenKind`. */
  readonly kinds: Uint8Array;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly addBos: boolean;
  readonly addEos: boolean;
  readonly endOfGeneration: ReadonlySet<number>;
}

/** How a token's text stands for bytes: GPT-2's byte alphabet, or UTF-8 with U+2581 for the space and `<0x0A>` for a byte. */
export type PieceAlphabet = "byteLevel" | "sentencePiece";

/** U+2581, the visible space of SentencePiece. */
export const spaceMark = "\u2581";

const byteTokenPattern = /^<0x([0-9A-F]{2})>$/;

/** @returns the byte of `<0xNN>`, or undefined when the text is none */
export function byteOfToken(text: string): number | undefined {
  const match = byteTokenPattern.exec(text);
  return match ? Number.parseInt(match[1], 16) : undefined;
}

function isPrintableLatin1(byte: number): boolean {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

/**
 * GPT-2's byte alphabet: printable Latin-1 stands for itself, the other 68 bytes are U+0100 upwards in order.
 *
 * @returns [256] the character of each byte
 */
export function byteAlphabet(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintableLatin1(byte) ? byte : next++));
}

/** Bytes of a token's text by its alphabet. User-defined tokens, and text outside of the byte alphabet, are plain UTF-8. */
export function createPieceDecoder(alphabet: PieceAlphabet): (text: string, kind: number) => Uint8Array {
  const encoder = new TextEncoder();
  if (alphabet === "sentencePiece") {
    return (text, kind) => {
      const byte = kind === tokenKind.userDefined ? undefined : byteOfToken(text);
      return byte === undefined ? encoder.encode(text.replaceAll(spaceMark, " ")) : Uint8Array.of(byte);
    };
  }
  const byteOf = new Map(byteAlphabet().map((char, byte) => [char.charCodeAt(0), byte]));
  return (text, kind) => {
    if (kind === tokenKind.userDefined) return encoder.encode(text);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) {
      const byte = byteOf.get(text.charCodeAt(i));
      if (byte === undefined) return encoder.encode(text);
      bytes[i] = byte;
    }
    return bytes;
  };
}
