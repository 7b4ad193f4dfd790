// What stats tell of each layer of a streamed model while it answers.

import { expect, test } from "vitest";
import { greedySampling } from "../sampling/params.ts";
import { gpuOrSkip } from "../testing/gpu.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { loadSession } from "./load.ts";

test("layers that stay are always there, the others come and go through the frames", async (context) => {
  const gpu = await gpuOrSkip(context);
  const options = { gpu, model: tinyModel({ layers: 8, hidden: 128, ffn: 512, contextLength: 256 }), tuning: "off" } as const;
  const whole = await loadSession(options);
  const { total, weights } = whole.stats().gpuBytes;
  expect(whole.stats().streaming).toBeNull();
  whole.destroy();
  // The whole context is allocated at once under a budget; half of the weights less than that leaves some layers.
  const session = await loadSession({
    ...options,
    memoryBudget: Math.floor(total - weights / 2),
    execution: { residentLayers: 2, prefetchLayers: 0.5 },
  });
  try {
    const seen = new Set<number>();
    const look = (): void => {
      const { streaming } = session.stats();
      const layers = streaming?.layers ?? [];
      expect(layers).toHaveLength(8);
      expect(layers.filter((state) => state === "resident")).toHaveLength(streaming?.resident ?? 0);
      expect(layers.filter((state) => state === "frame").length).toBeLessThanOrEqual(streaming?.frames ?? 0);
      for (const [layer, state] of layers.entries()) if (state === "frame") seen.add(layer);
    };
    look();
    const timer = setInterval(look, 20);
    const request = { promptIds: [1, 2, 3], maxTokens: 16, sampling: greedySampling, stopIds: new Set<number>() };
    for await (const event of session.generate(request)) if (event.kind === "token") look();
    clearInterval(timer);
    expect(session.stats().streaming).toMatchObject({ resident: 2, streamed: 6 });
    expect(seen.size).toBeGreaterThan(1);
    expect([...seen].every((layer) => layer > 0 && layer < 7)).toBe(true);
  } finally {
    session.destroy();
  }
});
