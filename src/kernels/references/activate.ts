// The functions that gate a feed-forward block; parts/activation has them for shaders.

import type { Activation } from "../activation.ts";

function silu(x: number): number {
  return x / (1 + Math.exp(-x));
}

function gelu(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

function relu(x: number): number {
  return x > 0 || Number.isNaN(x) ? x : 0;
}

const functions: Readonly<Record<Activation, (x: number) => number>> = { silu, gelu, relu };

export function activate(activation: Activation, x: number): number {
  return functions[activation](x);
}
