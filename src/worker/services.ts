// What an engine's thread can do, each with the runtime it needs as a lazy chunk. The worker's script and pages that run the engine
// themselves share it.

import type { Services } from "./host.ts";
import { part } from "./part.ts";

export const services: Services = {
  async createEngine(options) {
    const { createLocalEngine } = await part(import("../api/engine_api.ts"));
    return createLocalEngine(options);
  },
  async estimate(options) {
    const { estimateHere } = await part(import("../api/estimate_api.ts"));
    return estimateHere(options);
  },
  async probe(options) {
    const { probeHere } = await part(import("../api/estimate_api.ts"));
    return probeHere(options);
  },
};
