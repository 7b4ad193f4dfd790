// A model of one layer that slides: what lies before the window of every token does not change text, and what lies in it does.

import { describe, expect, test } from "vitest";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import type { GgufEntry } from "../testing/gguf_writer.ts";
import { greedyIds } from "../testing/oracle.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { loadSession } from "./load.ts";

const window = 9;
const length = 300;
const completion = 12;

/** `first` tokens begin otherwise. */
function promptOf(first: number, other: number): number[] {
  return Array.from({ length }, (_, index) => ((index < first ? index * other : index * 37) + 11) % 256);
}

/** Texts after prompts that differ in their first tokens. */
async function texts(gpu: GPU, deviceClass: "cpu" | "gpu", { first, slides }: { first: number; slides: boolean }): Promise<number[][]> {
  const metadata: GgufEntry[] = slides ? [["llama.attention.sliding_window", "u32", window]] : [];
  const model = tinyModel({ layers: 1, contextLength: 512, metadata });
  const found: number[][] = [];
  for (const other of [53, 91]) {
    const session = await loadSession({ model, gpu, deviceClass });
    found.push(await greedyIds(session, promptOf(first, other), completion));
    session.destroy();
  }
  return found;
}

describe.each(["cpu", "gpu"] as const)("on the %s program", (deviceClass) => {
  test("tokens before the window change nothing", async (context) => {
    const [one, other] = await texts(await sharedGpuOrSkip(context), deviceClass, { first: length - window, slides: true });
    expect(one).toHaveLength(completion);
    expect(one).toEqual(other);
  });

  test("tokens in it do, and so do those before where nothing slides", async (context) => {
    const gpu = await sharedGpuOrSkip(context);
    const inside = await texts(gpu, deviceClass, { first: length - 1, slides: true });
    expect(inside[0]).not.toEqual(inside[1]);
    const whole = await texts(gpu, deviceClass, { first: length - window, slides: false });
    expect(whole[0]).not.toEqual(whole[1]);
  });
});
