// Counter-based random numbers: the n-th number of a seed is a pure function, so CPU and GPU can draw the same ones.

/** PCG-RXS-M-XS 32 (O'Neill 2014) as a hash of one u32. */
export function pcgHash(input: number): number {
  const state = (Math.imul(input, 747796405) + 2891336453) >>> 0;
  const word = Math.imul((state >>> ((state >>> 28) + 4)) ^ state, 277803737) >>> 0;
  return ((word >>> 22) ^ word) >>> 0;
}

/** The counter-th u32 of a seed. */
export function randomU32(seed: number, counter: number): number {
  return pcgHash((pcgHash(seed >>> 0) + (counter >>> 0)) >>> 0);
}

/** Uniform in [0, 1) with 24 bits, the same on CPU and GPU in f32. */
export function randomUnit(seed: number, counter: number): number {
  return (randomU32(seed, counter) >>> 8) / 16777216;
}

/** A seeded stream of numbers for tests and synthetic weights. */
export interface Rng {
  /** Uniform in [0, 1). */
  unit(): number;
  /** Normal with mean 0 and variance 1 (Box-Muller). */
  normal(): number;
  /** Uniform integer in [0, bound). */
  below(bound: number): number;
}

export function seededRng(seed: number): Rng {
  let counter = 0;
  const unit = (): number => randomUnit(seed, counter++);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - unit())) * Math.cos(2 * Math.PI * unit());
  return { unit, normal, below: (bound) => Math.floor(unit() * bound) };
}
