// What kernels of policies that drop tokens should give, in float64: attention that keys get, and kept tokens moved together.

import { assert } from "../../base/errors.ts";
import type { CpuArgs, CpuTensor } from "../kernel.ts";
import { type KvCompactAttributes, movesHeader } from "../eviction_layout.ts";
import { type KvScoresAttributes, scoredTokens, scoresHeader } from "../eviction_layout.ts";
import { kvIndex, kvKept } from "./kv.ts";

function mixed(word: number): number {
  let bits = word ^ (word >>> 16);
  bits = Math.imul(bits, 0x7feb352d);
  bits ^= bits >>> 15;
  bits = Math.imul(bits, 0x846ca68b);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** Gumbel noise in 32 levels: the formula of parts/observe/gumbel.wgsl. */
export function gumbelNoise(position: number, key: number, head: number): number {
  const level = mixed(mixed(mixed(position + 0x9e3779b9) + key) + head) >>> 27;
  return -Math.log(-Math.log((level + 0.5) / 32));
}

/** Scores of the keys that a row sees. */
function observedScores(
  { kv: layout, numHeads, scale, noiseSpan }: KvScoresAttributes,
  args: CpuArgs,
  row: number,
  head: number,
): number[] {
  const { kv, shift = 0 } = args;
  assert(kv, "scores need a cache");
  const { slot, position } = args.rows[row];
  const { headDim } = layout;
  const q = args.inputs[0].data.subarray((row * numHeads + head) * headDim, (row * numHeads + head + 1) * headDim);
  const kvHead = Math.floor(head / (numHeads / layout.numKvHeads));
  return Array.from({ length: position + 1 }, (_, key) => {
    const at = kvIndex(kv, layout, { slot, position: key, head: kvHead });
    const score = scale * q.reduce((sum, value, d) => sum + value * kv.keys[at + d], 0);
    if (noiseSpan === undefined) return score;
    const turned = position + shift;
    const temperature = 1 + Math.min(1, Math.max(0, (turned - noiseSpan) / noiseSpan));
    return (score + gumbelNoise(turned, key, head)) / temperature;
  });
}

export function kvScoreSumsReference(attributes: KvScoresAttributes, args: CpuArgs): readonly CpuTensor[] {
  const { numHeads } = attributes;
  const data = new Float32Array(args.rows.length * numHeads);
  for (const row of args.rows.keys()) {
    for (let head = 0; head < numHeads; head++) {
      const scores = observedScores(attributes, args, row, head);
      const top = scores.reduce((a, b) => Math.max(a, b));
      data[row * numHeads + head] = top + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - top), 0));
    }
  }
  return [{ rows: args.rows.length, cols: numHeads, data }];
}

export function kvScoresReference(attributes: KvScoresAttributes, args: CpuArgs): readonly CpuTensor[] {
  const { kv: layout, numHeads } = attributes;
  const { scores } = args;
  assert(scores, "the scores of a layer are an operand");
  const sums = args.inputs[1];
  for (const row of args.rows.keys()) {
    for (let head = 0; head < numHeads; head++) {
      const to = scoresHeader + Math.floor(head / (numHeads / layout.numKvHeads)) * scoredTokens(layout);
      const logs = sums.data[row * numHeads + head];
      for (const [key, score] of observedScores(attributes, args, row, head).entries()) scores[to + key] += Math.exp(score - logs);
    }
  }
  return [];
}

/** A key turned back by `positions`, with cosines as the table has them at position 0. */
function turnBack({ rotaryDim, pairing }: KvCompactAttributes, x: Float32Array, positions: number, turns: Float32Array): Float32Array {
  const half = rotaryDim / 2;
  const scale = 1 / turns[0];
  const turned = x.slice();
  for (let pair = 0; pair < half; pair++) {
    const first = pairing === "half" ? pair : 2 * pair;
    const second = pairing === "half" ? pair + half : first + 1;
    const [cos, sin] = turns.subarray((positions * half + pair) * 2);
    turned[first] = scale * (x[first] * cos + x[second] * sin);
    turned[second] = scale * (x[second] * cos - x[first] * sin);
  }
  return turned;
}

export function kvCompactReference(attributes: KvCompactAttributes, args: CpuArgs): readonly CpuTensor[] {
  const { kv: layout } = attributes;
  const [turns, list] = args.tables;
  const { kv } = args;
  assert(kv, "tokens are moved in a cache");
  const [first, end, stride, from, to, ...rest] = new Uint32Array(list.buffer, list.byteOffset, list.length);
  const moves = rest.slice(movesHeader - 5);
  for (let head = 0; head < layout.numKvHeads; head++) {
    for (let place = first; place < end; place++) {
      const [source, back] = moves.slice(head * stride + 2 * (place - first));
      const read = kvIndex(kv, layout, { slot: from, position: source, head });
      const written = kvIndex(kv, layout, { slot: to, position: place, head });
      const stored = kv.keys.slice(read, read + layout.headDim);
      const key = back > 0 ? turnBack(attributes, stored, back, turns) : stored;
      kv.keys.set(
        key.map((value) => kvKept(layout, value)),
        written,
      );
      kv.values.copyWithin(written, read, read + layout.headDim);
    }
  }
  return [];
}
