// One draw by a rule: which tokens are left, and the inverse of their cumulative distribution in order of id. All in whole numbers, step
// for step what sample_pick does on the GPU: a tile of 1024 tokens first, then a token in it.

import { sampleTileTokens } from "../base/layout.ts";
import { keepNucleus } from "./nucleus.ts";
import { fullTopP, type SamplingRule } from "./packed.ts";
import { argMax, topIndices } from "./top_tokens.ts";
import { lowestLogit, scaledMass, shareOf, type Tile, tilesOf, weightOf } from "./weights.ts";

/** A distribution over tiles and, inside each, over tokens. */
interface Distribution {
  /** Of each tile, in one unit. */
  readonly masses: Float64Array;
  /** Mass of the tokens of a tile up to and with the one whose sum of weights is `sum`. */
  readonly upTo: (tile: number, sum: number) => number;
  readonly weight: (id: number) => number;
}

/**
 * @param logits [V] finite, `lowestLogit` where nothing may be drawn; at least one above it
 * @param unit  uniform in [0, 1) with 24 bits
 */
export function drawToken(logits: Float32Array, rule: SamplingRule, unit: number): number {
  const best = argMax(logits);
  if (rule.greedy) return best;
  const top = logits[best];
  const cutsK = rule.topK > 0 && rule.topK < logits.length;
  const cutsP = rule.topP24 < fullTopP;
  const tiles = cutsK ? [] : tilesOf(logits, rule.scale);
  const whole = { tiles, weights: tiles.map((tile) => weightOf(top, tile.top, rule.scale)) };
  if (!cutsK && !cutsP && rule.leastWeight <= 1) return draw(logits.length, wholeDistribution(logits, whole, rule), unit);
  const weights = keptWeights(logits, top, cutsK ? rule : { ...rule, topK: 0 });
  if (cutsP) {
    const mass = cutsK ? weights.reduce((sum, weight) => sum + weight, 0) : Math.floor(wholeMass(whole) / 2);
    keepNucleus(weights, logits, Math.max(1, shareOf(mass, rule.topP24)));
  }
  for (let id = 0; id < weights.length; id++) if (weights[id] < rule.leastWeight) weights[id] = 0;
  return draw(logits.length, keptDistribution(weights, tileCount(logits)), unit);
}

function tileCount(logits: Float32Array): number {
  return Math.ceil(logits.length / sampleTileTokens);
}

/** The tiles of a row that nothing was taken from, and the weights of their largest logits. */
interface Whole {
  readonly tiles: readonly Tile[];
  readonly weights: readonly number[];
}

/** In units of half the least weight. */
function wholeMass({ tiles, weights }: Whole): number {
  return tiles.reduce((sum, { mass }, index) => sum + scaledMass(mass, weights[index]), 0);
}

function wholeDistribution(logits: Float32Array, { tiles, weights }: Whole, { scale }: SamplingRule): Distribution {
  return {
    masses: Float64Array.from(tiles, ({ mass }, index) => scaledMass(mass, weights[index])),
    upTo: (tile, sum) => scaledMass(Math.floor(sum / 1024), weights[tile]),
    weight: (id) => weightOf(tiles[Math.floor(id / sampleTileTokens)].top, logits[id], scale),
  };
}

function keptDistribution(weights: Uint32Array, tiles: number): Distribution {
  const masses = new Float64Array(tiles);
  for (let id = 0; id < weights.length; id++) masses[Math.floor(id / sampleTileTokens)] += weights[id];
  return { masses, upTo: (_, sum) => sum, weight: (id) => weights[id] };
}

/** Weights of what top-k leaves. */
function keptWeights(logits: Float32Array, top: number, { topK, scale }: SamplingRule): Uint32Array {
  const weights = new Uint32Array(logits.length);
  const keep = (id: number): void => {
    if (logits[id] > lowestLogit) weights[id] = weightOf(top, logits[id], scale);
  };
  if (topK > 0) topIndices(logits, topK).forEach(keep);
  else for (let id = 0; id < logits.length; id++) keep(id);
  return weights;
}

/** The first token at which the cumulative mass exceeds `unit` of the whole, in 32 bits. */
function draw(tokens: number, { masses, upTo, weight }: Distribution, unit: number): number {
  let divisor = 1;
  const whole = masses.reduce((sum, mass) => sum + mass, 0);
  while (whole >= divisor * 2 ** 32) divisor *= 2;
  const scaled = masses.map((mass) => Math.floor(mass / divisor));
  const total = scaled.reduce((sum, mass) => sum + mass, 0);
  let left = shareOf(total, unit * 2 ** 24);
  let tile = 0;
  while (left >= scaled[tile]) left -= scaled[tile++];
  const start = tile * sampleTileTokens;
  const end = Math.min(start + sampleTileTokens, tokens);
  let sum = 0;
  for (let id = start; id < end; id++) {
    sum += weight(id);
    if (Math.floor(upTo(tile, sum) / divisor) > left) return id;
  }
  return end - 1;
}
