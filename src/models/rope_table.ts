// Rotary position embedding as a table of cosines and sines, made once in double precision. Scaling to longer contexts changes
// the table and nothing else. Formulas: Hugging Face transformers, modeling_rope_utils.py; llama3: the Llama 3.1 reference.

import { clamp } from "../base/math.ts";

/** How frequencies are stretched beyond the trained context. */
export type RopeScaling =
  | { readonly type: "linear"; readonly factor: number }
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalContextLength: number;
    }
  | {
      readonly type: "yarn";
      readonly factor: number;
      readonly originalContextLength: number;
      /** Rotations within the original context above which a dimension is left alone, and below which it is interpolated. */
      readonly betaFast: number;
      readonly betaSlow: number;
      /** Scale of cosines and sines; default 0.1 ln(factor) + 1. */
      readonly attentionFactor?: number;
    };

export interface RopeTableOptions {
  /** Dimensions of a head that are rotated. */
  readonly rotaryDim: number;
  readonly theta: number;
  readonly maxPositions: number;
  readonly scaling?: RopeScaling;
  /** Divisors of each frequency [rotaryDim / 2], as Llama 3.1 files carry them in `rope_freqs`. */
  readonly factors?: Float32Array;
}

/** Rotation per position of each pair of dimensions, radians [rotaryDim / 2], and the scale of cosines and sines. */
export function ropeFrequencies(options: Omit<RopeTableOptions, "maxPositions">): { frequencies: Float64Array; scale: number } {
  const { rotaryDim, theta, scaling, factors } = options;
  const half = rotaryDim / 2;
  const base = Float64Array.from({ length: half }, (_, i) => theta ** ((-2 * i) / rotaryDim) / (factors?.[i] ?? 1));
  if (!scaling) return { frequencies: base, scale: 1 };
  switch (scaling.type) {
    case "linear":
      return { frequencies: base.map((frequency) => frequency / scaling.factor), scale: 1 };
    case "llama3":
      return { frequencies: base.map((frequency) => llama3Frequency(frequency, scaling)), scale: 1 };
    case "yarn":
      return {
        frequencies: yarnFrequencies(base, rotaryDim, theta, scaling),
        scale: scaling.attentionFactor ?? (scaling.factor > 1 ? 0.1 * Math.log(scaling.factor) + 1 : 1),
      };
  }
}

/** High frequencies stay, low ones are divided by the factor, those between are blended. arXiv:2407.21783 */
function llama3Frequency(frequency: number, scaling: Extract<RopeScaling, { type: "llama3" }>): number {
  const { factor, lowFreqFactor, highFreqFactor, originalContextLength } = scaling;
  const rotations = (originalContextLength * frequency) / (2 * Math.PI);
  const keep = clamp((rotations - lowFreqFactor) / (highFreqFactor - lowFreqFactor), 0, 1);
  return frequency * (keep + (1 - keep) / factor);
}

/** YaRN's blend by how often a dimension rotates within the original context. arXiv:2309.00071 */
function yarnFrequencies(
  base: Float64Array,
  rotaryDim: number,
  theta: number,
  scaling: Extract<RopeScaling, { type: "yarn" }>,
): Float64Array {
  const { factor, originalContextLength, betaFast, betaSlow } = scaling;
  const dimensionOf = (rotations: number): number =>
    (rotaryDim * Math.log(originalContextLength / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const low = Math.max(Math.floor(dimensionOf(betaFast)), 0);
  const high = Math.min(Math.ceil(dimensionOf(betaSlow)), rotaryDim - 1);
  // An empty ramp would divide by zero.
  const span = Math.max(high - low, 0.001);
  return base.map((frequency, i) => {
    const interpolate = clamp((i - low) / span, 0, 1);
    return (frequency / factor) * interpolate + frequency * (1 - interpolate);
  });
}

/** f32 pairs (cos, sin) [maxPositions, rotaryDim / 2]. */
export function ropeTable(options: RopeTableOptions): Float32Array<ArrayBuffer> {
  const { frequencies, scale } = ropeFrequencies(options);
  const half = frequencies.length;
  const table = new Float32Array(options.maxPositions * half * 2);
  for (let position = 0; position < options.maxPositions; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * frequencies[i];
      const at = (position * half + i) * 2;
      table[at] = Math.cos(angle) * scale;
      table[at + 1] = Math.sin(angle) * scale;
    }
  }
  return table;
}
