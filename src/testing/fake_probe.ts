// Made-up rates of an adapter, for tests of what is foretold from them.

import type { AdapterProbe } from "../engine/verdict.ts";
import { formats } from "./formats.ts";

function forAll(rate: number): Record<string, number> {
  return Object.fromEntries(formats.map(({ name }) => [name, rate]));
}

export function fakeProbe(part: Partial<AdapterProbe> = {}): AdapterProbe {
  return {
    adapter: { vendor: "v", architecture: "a", description: "", deviceClass: "cpu", f16: false },
    activations: "f32",
    copyBytes: 1e9,
    elementBytes: 1e9,
    decodeWeights: forAll(1e9),
    prefillProducts: forAll(1e9),
    productStartMs: { decode: 0.02, prefill: 0.2 },
    attentionProducts: { decode: 1e8, prefill: 1e8 },
    dispatchMs: 0.01,
    readbackMs: 0.1,
    latency: { idleMs: 0.1, loadedMs: 0.1 },
    peaks: { f32: 1e10, packedDot: 4e10 },
    uploadBytes: 1e9,
    tookMs: 1,
    ...part,
  };
}
