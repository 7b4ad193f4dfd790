// What a decode step computes when all of its weights are there: run with every layer bound to the same frame, because how long a product takes
// does not depend on the numbers in it.

import { greedySampling } from "../sampling/params.ts";
import { bindingsOf } from "./bindings.ts";
import type { BindTable } from "../graph/program.ts";
import type { RunnerParts } from "./runner_parts.ts";
import { choosingOf, decodeSections } from "./step_result.ts";

/** Steps; the first warms up. */
const measuredSteps = 3;

/**
 * Milliseconds of a step of one token at the start of a context.
 * @param slab  where the program is bound meanwhile; the caller binds it again
 */
export async function measureCompute(parts: Omit<RunnerParts, "stream">, slab: BindTable["slab"]): Promise<number> {
  const { device, control, decode, sampling } = parts;
  const { program } = decode;
  program.bind({ ...bindingsOf(parts, "decode"), slab });
  sampling.begin(0, { params: greedySampling, promptIds: [], stopIds: new Set() });
  const sections = decodeSections[choosingOf(decode.lowered, true)].id;
  let best = Infinity;
  for (let step = 0; step < measuredSteps; step++) {
    control.writeDecode({ rows: [{ token: 0, position: 0, slot: 0 }], outputRows: [0] });
    const encoder = device.createCommandEncoder({ label: "measure" });
    const pass = encoder.beginComputePass();
    program.encode(pass, { rows: 1, outputRows: 1, contextTokens: 1 }, sections);
    pass.end();
    const start = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    if (step > 0) best = Math.min(best, performance.now() - start);
  }
  return best;
}
