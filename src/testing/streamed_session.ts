// What tests of streamed sessions share: models of several layers, loads under a budget, texts and logits of a session, and what a device holds
// whoever counts it.

import { loadSession, type LoadSessionOptions } from "../engine/load.ts";
import type { GenerateEvent, GenerateRequest, Session } from "../engine/session.ts";
import { greedySampling } from "../sampling/params.ts";
import type { StreamingStats } from "../streaming/types.ts";
import { tinyModel, type TinyModelOptions } from "./tiny_model.ts";
import { overlay } from "./watched_gpu.ts";

export function promptOf(length: number, first = 11): number[] {
  return Array.from({ length }, (_, index) => (index * 37 + first) % 256);
}

export function request(promptIds: readonly number[], maxTokens: number, more: Partial<GenerateRequest> = {}): GenerateRequest {
  return { promptIds, maxTokens, sampling: greedySampling, stopIds: new Set(), ...more };
}

export async function idsOf(session: Session, wanted: GenerateRequest): Promise<number[]> {
  const ids: number[] = [];
  for await (const event of session.generate(wanted)) if (event.kind === "token") ids.push(event.id);
  return ids;
}

/** Log-probabilities of the whole vocabulary at each generated token, in order of id. */
export async function logprobsOf(session: Session, promptIds: readonly number[], maxTokens: number): Promise<Float64Array[]> {
  const { vocabSize } = session.info();
  const rows: Float64Array[] = [];
  const note = (event: GenerateEvent): void => {
    if (event.kind !== "token" || !event.score) return;
    const row = new Float64Array(vocabSize);
    for (const { id, logprob } of event.score.top) row[id] = logprob;
    rows.push(row);
  };
  for await (const event of session.generate(request(promptIds, maxTokens, { logprobs: vocabSize }))) note(event);
  return rows;
}

/** Without races unless told, so that every load runs the same variants. */
export async function openSession(options: LoadSessionOptions): Promise<Session> {
  return loadSession({ tuning: "off", ...options });
}

export async function withSession<T>(options: LoadSessionOptions, use: (session: Session) => Promise<T>): Promise<T> {
  const session = await openSession(options);
  try {
    return await use(session);
  } finally {
    session.destroy();
  }
}

/** What a session says of its streaming; fails when all of the model is on the GPU. */
export function streamingOf(session: Session): StreamingStats {
  const { streaming } = session.stats();
  if (!streaming) throw new Error("the model was not streamed");
  return streaming;
}

/** The least budget that a load says it could do with. */
export async function leastBudget(options: LoadSessionOptions): Promise<number> {
  const failure: unknown = await openSession({ ...options, memoryBudget: 1 }).then(
    (session) => session.destroy(),
    (error: unknown) => error,
  );
  const detail = failure instanceof Error && "detail" in failure ? failure.detail : undefined;
  if (typeof detail !== "object" || detail === null || !("need" in detail) || typeof detail.need !== "number") throw failure;
  return detail.need;
}

/** Bytes of the whole model on the GPU, all of it. */
export async function wholeBytes(options: LoadSessionOptions): Promise<number> {
  return withSession({ ...options, memoryBudget: Number.MAX_SAFE_INTEGER }, async (session) => session.stats().gpuBytes.total);
}

/** A model of several layers. */
export function layeredModel(options: TinyModelOptions = {}): Uint8Array<ArrayBuffer> {
  return tinyModel({ layers: 6, contextLength: 1024, ...options });
}

function unevenFormat(name: string): string {
  return /blk\.[13]\..*(down|attn_q)/.test(name) ? "f32" : "q8_0";
}

/** Layers of several chunks and of different sizes. */
export function chunkyModel(): Uint8Array<ArrayBuffer> {
  const format = unevenFormat;
  return tinyModel({ layers: 4, hidden: 512, heads: 8, kvHeads: 4, ffn: 2048, contextLength: 512, format });
}

export interface CountedGpu {
  readonly gpu: GPU;
  /** Most bytes of buffers that a device held at once. */
  readonly peak: () => number;
  /** What it held then: bytes by label, the most first. */
  readonly held: () => string;
}

/** A GPU whose devices' buffers are counted, whoever makes them. */
export function countGpu(gpu: GPU): CountedGpu {
  const live = new Set<GPUBuffer>();
  let bytes = 0;
  let peak: { readonly bytes: number; readonly buffers: readonly GPUBuffer[] } = { bytes: 0, buffers: [] };
  const counting = (device: GPUDevice): GPUDevice =>
    overlay(device, {
      createBuffer(descriptor) {
        const buffer = device.createBuffer(descriptor);
        const destroy = buffer.destroy.bind(buffer);
        live.add(buffer);
        bytes += buffer.size;
        if (bytes > peak.bytes) peak = { bytes, buffers: [...live] };
        // Other methods take buffers as they are, so the buffer itself is changed and not wrapped.
        Object.defineProperty(buffer, "destroy", {
          value: () => {
            if (live.delete(buffer)) bytes -= buffer.size;
            return destroy();
          },
        });
        return buffer;
      },
    });
  return {
    gpu: overlay(gpu, {
      async requestAdapter(options) {
        const adapter = await gpu.requestAdapter(options);
        if (!adapter) return null;
        const requestDevice: GPUAdapter["requestDevice"] = async (descriptor) => counting(await adapter.requestDevice(descriptor));
        return overlay(adapter, { requestDevice });
      },
    }),
    peak: () => peak.bytes,
    held: () => {
      const held = peak.buffers.toSorted((a, b) => b.size - a.size);
      return held.map(({ label, size }) => `${label.slice(0, 30)}: ${size}`).join(", ");
    },
  };
}
