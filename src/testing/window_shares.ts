// The window against Belady on traces of several layers, each with a window of its own.

import { beladyHits, policyHits, type Trace } from "../streaming/neurons/belady.ts";
import { BundleWindow } from "../streaming/neurons/window.ts";

/** Hits of the window over Belady's, and Belady's over what was needed. */
export function windowShares(
  traces: readonly Trace[],
  slots: number,
  halfLife: number,
): { readonly share: number; readonly belady: number } {
  let [hits, best, needed] = [0, 0, 0];
  for (const trace of traces) {
    const found = policyHits(trace, new BundleWindow({ capacity: slots, halfLife }));
    hits += found.hits;
    needed += found.needed;
    best += beladyHits(trace, slots);
  }
  return { share: hits / best, belady: best / needed };
}
