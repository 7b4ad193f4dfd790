// Pages that requests of before left behind, as a tree: a page's parent holds the tokens before it. A prompt takes the pages of its longest
// known prefix, whoever computed them. Pages are let go of oldest first, children before parents. After vLLM's automatic prefix caching
// (arXiv:2309.06180) and SGLang's radix tree (arXiv:2312.07104). Pure bookkeeping; the GPU side is paged_cache.ts.

import type { PageAllocator } from "./page_allocator.ts";
import { continueHashes, pageHash } from "./page_hash.ts";

interface Node {
  readonly parent: string | undefined;
  /** As many as a page holds, or fewer where a sequence ended. */
  readonly ids: readonly number[];
  readonly page: number;
}

/** What is known of a prompt's beginning. */
export interface PrefixMatch {
  /** Full pages, in order. */
  readonly pages: readonly number[];
  /** A page of which the first tokens fit: to be copied before anything is written behind them. */
  readonly part: { readonly page: number; readonly tokens: number } | undefined;
  /** Tokens in all of it. */
  readonly tokens: number;
}

export interface PrefixCacheOptions {
  readonly pageTokens: number;
  /** Pages are counted here: the tree holds one reference of each of its pages. */
  readonly allocator: PageAllocator;
  /** Whether pages that are not full are kept, and full ones used in part: not where pages are quantized as a whole. */
  readonly parts: boolean;
}

export class PrefixCache {
  readonly #options: PrefixCacheOptions;
  /** By hash, the one used longest ago first; a page is always before its parent. */
  readonly #nodes = new Map<string, Node>();
  /** Hashes of the pages behind one, "" behind none. */
  readonly #children = new Map<string, Set<string>>();
  /** What was hashed last. */
  #hashed: { readonly ids: readonly number[]; readonly hashes: readonly string[] } = { ids: [], hashes: [] };

  constructor(options: PrefixCacheOptions) {
    this.#options = options;
  }

  /** Pages held. */
  get size(): number {
    return this.#nodes.size;
  }

  /** The page of a hash, if it is held. */
  page(hash: string): number | undefined {
    return this.#nodes.get(hash)?.page;
  }

  /**
   * The longest known prefix.
   * @param most  tokens that may be taken
   */
  match(ids: readonly number[], most: number): PrefixMatch {
    const { pageTokens, parts } = this.#options;
    const pages: number[] = [];
    let last: string | undefined;
    const hashes = this.#hashesOf(ids);
    for (let end = pageTokens; end <= most; end += pageTokens) {
      const own = ids.slice(end - pageTokens, end);
      const hash = hashes[pages.length];
      const node = this.#nodes.get(hash);
      // Equal hashes of other tokens are not believed.
      if (!node || node.parent !== last || !sameIds(node.ids, own)) break;
      pages.push(node.page);
      last = hash;
    }
    const start = pages.length * pageTokens;
    const found = parts ? this.#bestPart(last, ids.slice(start, Math.min(most, start + pageTokens))) : undefined;
    this.#touch(found?.hash ?? last);
    return { pages, part: found && { page: found.page, tokens: found.tokens }, tokens: start + (found?.tokens ?? 0) };
  }

  /** Holds the pages of a sequence for others, those that are not held already. */
  insert(ids: readonly number[], pages: readonly number[]): void {
    const { pageTokens, allocator, parts } = this.#options;
    let last: string | undefined;
    const hashes = this.#hashesOf(ids);
    for (const [index, page] of pages.entries()) {
      const own = ids.slice(index * pageTokens, (index + 1) * pageTokens);
      if (own.length === 0 || (own.length < pageTokens && !parts)) break;
      const hash = hashes[index] ?? pageHash(last, own);
      const known = this.#nodes.get(hash);
      if (known && (known.parent !== last || !sameIds(known.ids, own))) break;
      if (!known) {
        this.#dropShorter(last, own);
        allocator.retain(page);
        this.#nodes.set(hash, { parent: last, ids: own, page });
        childrenOf(this.#children, last).add(hash);
      }
      last = hash;
    }
    this.#touch(last);
  }

  /** Lets go of the page used longest ago that nobody else uses. @returns whether there was one */
  evict(): boolean {
    for (const [hash, { page }] of this.#nodes) {
      if (this.#options.allocator.references(page) > 1) continue;
      // A page in use keeps those before it, which its user holds too: only a child that is in use is ever before an unused parent.
      if ((this.#children.get(hash)?.size ?? 0) > 0) continue;
      this.#remove(hash);
      return true;
    }
    return false;
  }

  /** Lets go of pages, and with them of all that came after. */
  forget(pages: readonly number[]): void {
    const bad = new Set(pages);
    const found = [...this.#nodes].filter(([, { page }]) => bad.has(page)).map(([hash]) => hash);
    for (let hash = found.pop(); hash !== undefined; hash = found.pop()) {
      found.push(...(this.#children.get(hash) ?? []));
      this.#remove(hash);
    }
  }

  /** Lets go of a sequence's pages, the last first, up to one that others come after, too. */
  forgetEnd(ids: readonly number[]): void {
    const hashes = this.#hashesOf(ids);
    const behind = ids.slice(hashes.length * this.#options.pageTokens);
    const all = behind.length > 0 ? [...hashes, pageHash(hashes.at(-1), behind)] : hashes;
    for (const hash of all.toReversed()) {
      if ((this.#children.get(hash)?.size ?? 0) > 0) return;
      this.#remove(hash);
    }
  }

  clear(): void {
    for (const hash of this.#nodes.keys()) this.#remove(hash);
  }

  /** Of full pages. A prompt mostly begins like the one before, and long ones take long to hash. */
  #hashesOf(ids: readonly number[]): readonly string[] {
    const { pageTokens } = this.#options;
    const known = this.#hashed.hashes.slice(0, Math.floor(commonLength(this.#hashed.ids, ids) / pageTokens));
    this.#hashed = { ids: [...ids], hashes: continueHashes(known, ids, pageTokens) };
    return this.#hashed.hashes;
  }

  #bestPart(parent: string | undefined, ids: readonly number[]): { hash: string; page: number; tokens: number } | undefined {
    let best: { hash: string; page: number; tokens: number } | undefined;
    for (const hash of this.#children.get(parent ?? "") ?? []) {
      const node = this.#nodes.get(hash);
      if (!node) continue;
      const tokens = commonLength(node.ids, ids);
      if (tokens > (best?.tokens ?? 0)) best = { hash, page: node.page, tokens };
    }
    return best;
  }

  /** A page that ends earlier with the same tokens says nothing that the new one does not. */
  #dropShorter(parent: string | undefined, ids: readonly number[]): void {
    for (const hash of this.#children.get(parent ?? "") ?? []) {
      const node = this.#nodes.get(hash);
      if (node && node.ids.length < ids.length && commonLength(node.ids, ids) === node.ids.length) this.#remove(hash);
    }
  }

  /** Notes that a page and those before it were used, in this order. */
  #touch(hash: string | undefined): void {
    for (let at = hash; at !== undefined;) {
      const node = this.#nodes.get(at);
      if (!node) return;
      this.#nodes.delete(at);
      this.#nodes.set(at, node);
      at = node.parent;
    }
  }

  #remove(hash: string): void {
    const node = this.#nodes.get(hash);
    if (!node) return;
    this.#nodes.delete(hash);
    const siblings = this.#children.get(node.parent ?? "");
    siblings?.delete(hash);
    if (siblings?.size === 0) this.#children.delete(node.parent ?? "");
    this.#options.allocator.release(node.page);
  }
}

function childrenOf(children: Map<string, Set<string>>, parent: string | undefined): Set<string> {
  const found = children.get(parent ?? "") ?? new Set();
  children.set(parent ?? "", found);
  return found;
}

function sameIds(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && commonLength(left, right) === left.length;
}

/** Tokens that two sequences begin with alike. */
export function commonLength(left: readonly number[], right: readonly number[]): number {
  const most = Math.min(left.length, right.length);
  let common = 0;
  while (common < most && left[common] === right[common]) common++;
  return common;
}
