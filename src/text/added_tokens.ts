// Finds control and user-defined tokens in text, before anything else sees it: leftmost first, the longest at each place, as
// Hugging Face's tokenizers do. A control token counts only where every character of it is trusted, so that text of a user,
// or text of a user and a template joined, never becomes one.

export interface AddedToken {
  readonly id: number;
  readonly text: string;
  /** Control tokens are found in trusted text only; user-defined ones everywhere. */
  readonly control: boolean;
  /** Takes the white space before it along. */
  readonly stripLeft?: boolean;
  /** Takes the white space after it along. */
  readonly stripRight?: boolean;
  /** Found only where no word character touches it. */
  readonly singleWord?: boolean;
}

/** Ranges of UTF-16 code units [start, end, start, end, ...], ascending and apart. */
export type Spans = readonly number[];

/** A piece of text between added tokens, or the id of one. */
export type Fragment = string | number;

interface TrieNode {
  readonly children: Map<number, TrieNode>;
  token?: AddedToken;
}

const wordCharacter = /[\p{L}\p{N}\p{M}\p{Pc}]/u;
const whiteSpace = /\p{White_Space}/u;

/**
 * Compiles the list into a function that cuts text into fragments.
 *
 * @param untrusted of the returned function: where no control token may be found
 */
export function createFragmenter(tokens: readonly AddedToken[]): (text: string, untrusted: Spans) => Fragment[] {
  const root: TrieNode = { children: new Map() };
  for (const token of tokens) insert(root, token);
  return (text, untrusted) => {
    if (root.children.size === 0) return text === "" ? [] : [text];
    return cut(text, root, createOverlap(untrusted));
  };
}

function insert(root: TrieNode, token: AddedToken): void {
  if (token.text === "") return;
  let node = root;
  for (let i = 0; i < token.text.length; i++) {
    const unit = token.text.charCodeAt(i);
    let child = node.children.get(unit);
    if (child === undefined) {
      child = { children: new Map() };
      node.children.set(unit, child);
    }
    node = child;
  }
  node.token ??= token;
}

/** Whether [start, end) touches a span; asked with rising starts only. */
type Overlap = (start: number, end: number) => boolean;

function createOverlap(spans: Spans): Overlap {
  let next = 0;
  return (start, end) => {
    while (next < spans.length && spans[next + 1] <= start) next += 2;
    return next < spans.length && spans[next] < end;
  };
}

function cut(text: string, root: TrieNode, overlaps: Overlap): Fragment[] {
  const fragments: Fragment[] = [];
  let done = 0;
  for (let i = 0; i < text.length;) {
    const token = longestAt(text, i, { root, overlaps });
    if (token === undefined) {
      i++;
      continue;
    }
    let start = i;
    let end = i + token.text.length;
    if (token.stripLeft) while (start > done && whiteSpace.test(text[start - 1])) start--;
    if (token.stripRight) while (end < text.length && whiteSpace.test(text[end])) end++;
    if (start > done) fragments.push(text.slice(done, start));
    fragments.push(token.id);
    done = end;
    i = end;
  }
  if (done < text.length) fragments.push(text.slice(done));
  return fragments;
}

function longestAt(text: string, start: number, search: { root: TrieNode; overlaps: Overlap }): AddedToken | undefined {
  let node: TrieNode | undefined = search.root;
  let found: AddedToken | undefined;
  for (let i = start; i < text.length; i++) {
    node = node.children.get(text.charCodeAt(i));
    if (node === undefined) break;
    const token: AddedToken | undefined = node.token;
    if (token === undefined) continue;
    if (token.control && search.overlaps(start, i + 1)) continue;
    if (token.singleWord && touchesWord(text, start, i + 1)) continue;
    found = token;
  }
  return found;
}

function touchesWord(text: string, start: number, end: number): boolean {
  return (start > 0 && wordCharacter.test(text[start - 1])) || (end < text.length && wordCharacter.test(text[end]));
}
