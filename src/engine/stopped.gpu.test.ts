// Steps in flight behind the one that chose a stop id: they are submitted before anybody knows, run, and leave everything as it was.

import { describe, expect, test } from "vitest";
import { stepBytes } from "../base/layout.ts";
import { greedySampling } from "../sampling/params.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { overlay, watchGpu } from "../testing/watched_gpu.ts";
import { loadSession, type LoadSessionOptions } from "./load.ts";
import { chunkRows } from "./placement.ts";
import type { Session } from "./session.ts";

const prompt = Array.from({ length: 40 }, (_, index) => (index * 37 + 11) % 256);
/** With a draw each: a step that chose once more would mostly choose something else, and go on from there. */
const sampling = { ...greedySampling, temperature: 1.1, seed: 7, frequencyPenalty: 0.5 };

async function idsOf(session: Session, stopIds: readonly number[]): Promise<number[]> {
  const ids: number[] = [];
  const request = { promptIds: prompt, maxTokens: 30, sampling, stopIds: new Set(stopIds) };
  for await (const event of session.generate(request)) if (event.kind === "token") ids.push(event.id);
  return ids;
}

interface Ending {
  readonly stopIds: readonly number[];
  /** The submit of the request, from 1, behind which the KV pages are emptied. */
  readonly marked: number;
}

interface Left {
  readonly ids: readonly number[];
  readonly discardedTokens: number;
  /** Submits after the one that was marked. */
  readonly behind: number;
  /** Words of what the engine keeps on the GPU from step to step, by label. */
  readonly words: ReadonlyMap<string, Uint32Array>;
}

const kept = /^(kv of layer \d+|control|sampling|adjust)$/;

/** What a session's only request leaves on the GPU in the end. */
async function leftBy(gpu: GPU, options: Partial<LoadSessionOptions>, { stopIds, marked }: Ending): Promise<Left> {
  const buffers = new Set<GPUBuffer>();
  let submits = Number.NEGATIVE_INFINITY;
  const watched = await watchGpu(gpu, (device) => ({
    createBuffer(descriptor) {
      const buffer = device.createBuffer(descriptor);
      if (kept.test(buffer.label)) buffers.add(buffer);
      const destroy = buffer.destroy.bind(buffer);
      // Checks of kernels have buffers of the same names.
      const forget = (): undefined => {
        buffers.delete(buffer);
        destroy();
      };
      Object.defineProperty(buffer, "destroy", { value: forget });
      return buffer;
    },
    queue: overlay(device.queue, {
      submit(commands) {
        device.queue.submit(commands);
        if (++submits === marked) empty(device, buffers);
        return undefined;
      },
    }),
  }));
  const model = tinyModel({ architecture: "qwen3" });
  // One submit for the prompt.
  const session = await loadSession({
    model,
    gpu: watched.gpu,
    tuning: "off",
    ...options,
    execution: { ...options.execution, frameBudgetMs: 0 },
  });
  await watched.device().queue.onSubmittedWorkDone();
  submits = 0;
  const ids = await idsOf(session, stopIds);
  const behind = submits - marked;
  const words = await wordsOf(watched.device(), buffers);
  const { discardedTokens } = session.stats();
  session.destroy();
  return { ids, discardedTokens, behind, words };
}

function empty(device: GPUDevice, buffers: ReadonlySet<GPUBuffer>): void {
  const encoder = device.createCommandEncoder();
  for (const buffer of buffers) if (buffer.label.startsWith("kv")) encoder.clearBuffer(buffer);
  device.queue.submit([encoder.finish()]);
}

async function wordsOf(device: GPUDevice, buffers: ReadonlySet<GPUBuffer>): Promise<Map<string, Uint32Array>> {
  const words = new Map<string, Uint32Array>();
  for (const buffer of buffers) {
    const copy = device.createBuffer({ size: buffer.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
    device.queue.submit([encoder.finish()]);
    await copy.mapAsync(GPUMapMode.READ);
    words.set(buffer.label, new Uint32Array(copy.getMappedRange().slice(0)));
    copy.destroy();
  }
  return words;
}

describe("steps behind a stop write no KV page, no state and no counter", () => {
  const kinds: ReadonlyArray<Partial<LoadSessionOptions>> = [
    { deviceClass: "cpu" },
    { deviceClass: "gpu" },
    { deviceClass: "gpu", execution: { fusion: "off" } },
  ];
  for (const kind of kinds) {
    test(JSON.stringify(kind), async (context) => {
      const gpu = await sharedGpuOrSkip(context);
      const run = (tokensInFlight: number, ending: Ending): Promise<Left> =>
        leftBy(gpu, { ...kind, execution: { ...kind.execution, tokensInFlight } }, ending);
      const free = await run(1, { stopIds: [], marked: 20 });
      // What steps write when they do.
      expect(free.words.get("kv of layer 0")?.some((word) => word !== 0)).toBe(true);
      const at = free.ids.findIndex((id, index) => index >= 3 && !free.ids.slice(0, index).includes(id));
      expect(at).toBeLessThan(19);
      // The prompt's submit chooses token 0.
      const ending = { stopIds: [free.ids[at]], marked: at + 1 };
      const alone = await run(1, ending);
      const ahead = await run(8, ending);
      for (const { ids } of [alone, ahead]) expect(ids).toEqual(free.ids.slice(0, at + 1));
      expect([alone.behind, alone.discardedTokens]).toEqual([0, 0]);
      expect(ahead.behind).toBeGreaterThan(0);
      expect(ahead.behind).toBe(ahead.discardedTokens);

      expect([...ahead.words.keys()].toSorted()).toEqual(["adjust", "control", "kv of layer 0", "kv of layer 1", "sampling"]);
      for (const [label, words] of ahead.words) {
        expect(firstDifference(words, alone.words.get(label)), label).toBe(-1);
        expect(
          words.some((word) => word !== 0),
          label,
        ).toBe(!label.startsWith("kv"));
      }
      const decodeState = ahead.words.get("control")?.subarray(stepBytes(chunkRows) / 4);
      expect(decodeState?.subarray(0, 2)).toEqual(new Uint32Array(2));
    });
  }
});

function firstDifference(found: Uint32Array, expected: Uint32Array | undefined): number {
  return found.findIndex((word, index) => word !== expected?.[index]);
}
