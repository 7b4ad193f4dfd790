// Which tokens a policy keeps, by their places in the cache. Pure choices over plain numbers: where scores come from and how tokens are moved
// is the engine's.

import { assert } from "../../base/errors.ts";

/** How much is kept, and what always is. */
export interface Room {
  /** Most tokens held. */
  readonly keep: number;
  /** Tokens of the beginning that always stay. */
  readonly sink: number;
}

/** Newest tokens that SnapKV observes by, and keeps. */
export const snapWindow = 32;
/** Neighbours on either side whose score counts for a token, so that what belongs together stays together. */
const snapRadius = 3;

/** Tokens that stay when `keep` are held: a quarter of what is no sink goes at once, so that tokens are moved now and then, not always. */
export function keptTokens({ keep, sink }: Room): number {
  return keep - Math.max(1, Math.floor((keep - sink) / 4));
}

/** The sinks and the newest of `held` places. arXiv:2309.17453 */
export function windowKept(held: number, room: Room): Uint32Array<ArrayBuffer> {
  const kept = keptTokens(room);
  return Uint32Array.from({ length: kept }, (_, index) => (index < room.sink ? index : index + held - kept));
}

/** The largest of each value and its `radius` neighbours on either side. */
export function maxPooled(values: Float32Array, radius: number): Float32Array<ArrayBuffer> {
  return Float32Array.from(values, (_, index) => {
    let top = -Infinity;
    for (let at = Math.max(0, index - radius); at <= Math.min(values.length - 1, index + radius); at++) top = Math.max(top, values[at]);
    return top;
  });
}

/** Indices of the `count` largest values, in ascending order; of equal ones the first. NaN counts as the least. */
export function largest(values: Float32Array, count: number): number[] {
  assert(count <= values.length, "there are fewer values than are wanted");
  if (count === 0) return [];
  const numbers = values.map((value) => (Number.isNaN(value) ? -Infinity : value));
  const least = numbers.toSorted()[values.length - count];
  let ties = count - numbers.reduce((above, value) => above + (value > least ? 1 : 0), 0);
  const chosen: number[] = [];
  for (const [index, value] of numbers.entries()) {
    if (value < least || (value === least && ties === 0)) continue;
    if (value === least) ties--;
    chosen.push(index);
  }
  return chosen;
}

/** Sinks, the places between that score most, and the `recent` newest. */
function keptByScore(scores: Float32Array, room: Room, { recent, radius }: { recent: number; radius: number }): Uint32Array<ArrayBuffer> {
  const held = scores.length;
  const kept = keptTokens(room);
  const { sink } = room;
  assert(sink + recent <= kept && kept <= held, "what always stays fits");
  const middle = largest(maxPooled(scores.subarray(sink, held - recent), radius), kept - sink - recent);
  return Uint32Array.from({ length: kept }, (_, index) => {
    if (index < sink) return index;
    return index < kept - recent ? sink + middle[index - sink] : held - kept + index;
  });
}

/**
 * What a kv head keeps by the attention that the newest tokens paid, pooled. arXiv:2404.14469
 * @param scores  of each place held
 */
export function snapKept(scores: Float32Array, room: Room): Uint32Array<ArrayBuffer> {
  return keptByScore(scores, room, { recent: snapWindow, radius: snapRadius });
}

/** What a kv head keeps by the attention that its tokens gathered since they came; a quarter of it the newest. arXiv:2403.09054 */
export function keyformerKept(scores: Float32Array, room: Room): Uint32Array<ArrayBuffer> {
  return keptByScore(scores, room, { recent: Math.max(1, Math.floor((keptTokens(room) - room.sink) / 4)), radius: 0 });
}

/** The first place whose token another takes the place of. */
export function firstMoved(kept: ArrayLike<number>): number {
  let place = 0;
  while (place < kept.length && kept[place] === place) place++;
  return place;
}
