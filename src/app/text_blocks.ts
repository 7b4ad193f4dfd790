// Shows text that arrives in pieces. One growing text node would be laid out again, whole, for every piece; so text is cut at
// line ends into blocks, and only the last block ever changes.

import { element } from "./dom.ts";

/** A block is closed at the first line end after this many characters, */
const softLength = 800;
/** and in any case at this many: a model may write a megabyte without a line end. */
const hardLength = 16_000;

/**
 * Cuts `text` for a block that already has `open` characters: the first piece belongs to it, each further one starts a new
 * block. The last piece is empty when the text closes its block.
 */
export function cutBlocks(open: number, text: string): string[] {
  const pieces: string[] = [];
  let start = 0;
  let length = open;
  for (;;) {
    const newline = text.indexOf("\n", start + Math.max(0, softLength - length - 1));
    const hard = wholeCharacter(text, start + Math.max(0, hardLength - length));
    const end = newline === -1 ? hard : Math.min(newline + 1, hard);
    pieces.push(text.slice(start, end));
    if (end > text.length) return pieces;
    start = end;
    length = 0;
  }
}

/** The next cut at or after `end` that does not halve a surrogate pair. */
function wholeCharacter(text: string, end: number): number {
  const before = text.charCodeAt(end - 1);
  return before >= 0xd8_00 && before < 0xdc_00 ? end + 1 : end;
}

export interface TextBlocks {
  readonly root: HTMLElement;
  append(text: string): void;
}

/** An element that text can be appended to, in time linear in the text. */
export function createTextBlocks(className: string): TextBlocks {
  const root = element("div", { class: className });
  const startBlock = (text: string): Text => {
    const node = document.createTextNode(text);
    root.append(element("div", { class: "block" }, [node]));
    return node;
  };
  let open = startBlock("");
  return {
    root,
    append(text) {
      const [first, ...rest] = cutBlocks(open.length, text);
      open.appendData(first);
      for (const piece of rest) open = startBlock(piece);
    },
  };
}
