// What names a page of keys and values: a hash over all token ids up to the page's end, chained page by page, because a key depends on every
// token before it. 128 bits, so that pages of different tokens in one store do not meet; who holds pages in memory compares the ids as well.

const lanes = 4;

/** A word scrambled so that each of its bits changes about half of the result's. */
function scrambled(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x21f0aaad);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x735a2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

function hex(words: readonly number[]): string {
  return words.map((word) => word.toString(16).padStart(8, "0")).join("");
}

/** @param parent  hash of the page before, undefined of the first */
export function pageHash(parent: string | undefined, ids: readonly number[]): string {
  const state = Array.from({ length: lanes }, (_, lane) => {
    return scrambled((parent === undefined ? 0 : Number.parseInt(parent.slice(8 * lane, 8 * lane + 8), 16)) ^ (0x9e3779b9 * (lane + 1)));
  });
  for (const word of [...ids, ids.length]) {
    for (let lane = 0; lane < lanes; lane++) state[lane] = scrambled((state[lane] + Math.imul(word + lane + 1, 0x85ebca6b)) >>> 0);
    // Lanes that never met would be four short hashes of the same thing.
    state[0] = (state[0] ^ Math.imul(state[lanes - 1], 0xc2b2ae35)) >>> 0;
  }
  return hex(state.map((word, lane) => scrambled(word ^ state[(lane + 1) % lanes])));
}

/** Hashes of the full pages of a sequence, in order: each over all ids up to the page's end. */
export function pageHashes(ids: readonly number[], pageTokens: number): string[] {
  return continueHashes([], ids, pageTokens);
}

/** `pageHashes` when those of the first pages are known. */
export function continueHashes(known: readonly string[], ids: readonly number[], pageTokens: number): string[] {
  const hashes = [...known];
  for (let end = (hashes.length + 1) * pageTokens; end <= ids.length; end += pageTokens)
    hashes.push(pageHash(hashes.at(-1), ids.slice(end - pageTokens, end)));
  return hashes;
}
