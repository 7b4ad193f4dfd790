// What an engine's thread can do, each with the runtime it needs as a lazy chunk. The worker's script and pages that run the engine
// themselves share it.

import type { Services } from "./host.ts";

export const services: Services = {
  async createEngine(options) {
    const { createLocalEngine } = await import("../api/engine_api.ts");
    return createLocalEngine(options);
  },
  async estimate(options) {
    const { estimateHere } = await import("../api/estimate_api.ts");
    return estimateHere(options);
  },
  async probe(options) {
    const { probeHere } = await import("../api/estimate_api.ts");
    return probeHere(options);
  },
};
