// A loaded model as a Session: facts, counters, failure and the end of everything it owns.

import { ShaderloomError } from "../base/errors.ts";
import { formatName } from "../formats/index.ts";
import { kvPageBytes } from "../base/layout.ts";
import type { KvCache } from "../kv/kv_cache.ts";
import type { BufferLedger } from "../gpu/buffers.ts";
import type { OpenDevice } from "../gpu/device.ts";
import type { ChatTemplate } from "../text/chat_template.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type ConversationDoor, conversationDoor, type SavingParts } from "./conversations.ts";
import { FlightPace } from "./flight.ts";
import { generate } from "./generate.ts";
import type { GenerateContext } from "./generate_context.ts";
import { elementsOf, packedBytes } from "../weights/tensor_info.ts";
import type { LoadedModel } from "./model.ts";
import { chunkRows } from "./placement.ts";
import type { Prepared } from "./prepare.ts";
import { Sequence } from "./sequence.ts";
import type { GenerateEvent, GenerateRequest, KvUsage, Session, SessionInfo, SessionStats, SessionStorage } from "./session.ts";

export interface SessionParts extends Prepared {
  readonly model: LoadedModel;
  readonly opened: OpenDevice;
  readonly ledger: BufferLedger;
  readonly tokenizer: Tokenizer;
  readonly chatTemplate: ChatTemplate | undefined;
  readonly loadMs: number;
  readonly storage: SessionStorage;
  /** Lets go of the stored model. */
  readonly release: () => void;
  readonly saving: SavingParts;
}

export function createSession(parts: SessionParts): Session {
  const { model, opened, tokenizer, chatTemplate } = parts;
  let failure: ShaderloomError | undefined;
  let destroyed = false;
  const counts = { tokensGenerated: 0, discardedTokens: 0 };
  const context = contextOf(parts, counts);
  opened.onFailure((error) => {
    failure = error;
    parts.streaming?.close(error);
    parts.neurons?.close(error);
  });
  const check = (): void => {
    if (destroyed) throw unloaded();
    if (failure) throw failure;
  };
  const conversations = conversationsOf(parts, context, check);
  /** Runs what measures or takes the GPU's state for itself, once nothing is in flight. */
  const alone = async <T>(run: () => Promise<T>): Promise<T> => {
    check();
    try {
      await parts.runner.drain();
      return await run();
    } catch (error) {
      check();
      throw error;
    }
  };
  return {
    tokenizer,
    chatTemplate,
    async *generate(request: GenerateRequest): AsyncGenerator<GenerateEvent, void, undefined> {
      check();
      try {
        for await (const event of generate(context, request)) {
          // Ids of a failed device are not to be trusted.
          check();
          yield event;
        }
      } catch (error) {
        check();
        throw error;
      }
    },
    tune: (options) => alone(() => parts.tune(options)),
    profile: (options) =>
      alone(() => {
        // Its pages are kept for later requests; those that the profile writes are others.
        context.sequence.reuse([], 0);
        return parts.profile(options, check);
      }),
    conversations: () => conversations.open(),
    info: () => ({ ...sessionInfo(model, opened), ...boundsOf(context), storage: parts.storage }),
    kvUsage: () => kvUsageOf(context),
    stats: () => sessionStats(parts, { ...counts, tokensInFlight: context.pace.inFlight }),
    destroy() {
      if (destroyed) return;
      destroyed = true;
      conversations.close();
      freeAll(parts);
    },
  };
}

function boundsOf({ contextLength, kv, evictor }: GenerateContext): Pick<SessionInfo, "contextLength" | "kv" | "evict"> {
  return { contextLength, kv, evict: evictor?.policy };
}

function kvUsageOf({ evictor, sequence }: GenerateContext): KvUsage | undefined {
  return evictor && { policy: evictor.policy, keptTokens: sequence.length, droppedTokens: sequence.dropped };
}

function freeAll({ streaming, neurons, ledger, opened, release, tokenizer }: SessionParts): void {
  streaming?.close(unloaded());
  neurons?.close(unloaded());
  ledger.destroyAll();
  opened.destroy();
  release();
  tokenizer.dispose();
}

function conversationsOf(parts: SessionParts, context: GenerateContext, check: () => void): ConversationDoor {
  const { model, opened, tokenizer, cache, digest: weights } = parts;
  const { sequence, contextLength, vocabSize } = context;
  const keyParts = { model, tokenizer, cache, weights };
  return conversationDoor({ ...parts, device: opened.device, sequence, contextLength, vocabSize, keyParts, check });
}

function unloaded(): ShaderloomError {
  return new ShaderloomError("REQUEST.unloaded", "The model was unloaded. Create an engine again.");
}

function contextOf(
  { model, runner, execution, cache, evictor }: SessionParts,
  counts: { tokensGenerated: number; discardedTokens: number },
): GenerateContext {
  const sampler = execution.sampler ?? "gpu";
  return {
    runner,
    sequence: new Sequence(0, cache),
    contextLength: Math.min(model.contextLength, cache.maxTokens),
    kv: { type: model.kv.type, byBudget: cache.maxTokens < model.contextLength },
    vocabSize: model.config.vocabSize,
    chunkRows: Math.min(execution.chunkTokens ?? chunkRows, chunkRows),
    evictor,
    sampler,
    pace: new FlightPace(sampler === "cpu" ? 1 : execution.tokensInFlight),
    onToken: () => void counts.tokensGenerated++,
    onDiscard: (tokens) => void (counts.discardedTokens += tokens),
  };
}

function sessionInfo(model: LoadedModel, { caps }: OpenDevice): Omit<SessionInfo, "contextLength" | "storage"> {
  const types: Record<string, number> = {};
  let parameters = 0;
  let weightBytes = 0;
  for (const tensor of model.file.tensors.values()) {
    const name = formatName(tensor.type) ?? String(tensor.type);
    types[name] = (types[name] ?? 0) + 1;
    parameters += elementsOf(tensor);
    weightBytes += packedBytes(tensor);
  }
  const { vendor, architecture, description, deviceClass, f16 } = caps;
  return {
    name: model.config.name,
    architecture: model.architecture.name,
    parameters,
    types,
    weightBytes,
    vocabSize: model.config.vocabSize,
    trainedContextLength: model.config.contextLength,
    adapter: { vendor, architecture, description, deviceClass, f16 },
    activations: model.activations,
  };
}

function kvPageStats(cache: KvCache): SessionStats["kvPages"] {
  const { layout, numLayers } = cache;
  return {
    used: cache.usedPages,
    cached: cache.cachedPages,
    capacity: cache.capacityPages,
    growths: cache.growths,
    type: layout.type,
    pageTokens: layout.pageTokens,
    bytesPerThousandTokens: (kvPageBytes(layout) * numLayers * 1000) / layout.pageTokens,
  };
}

type DecodeStats = Pick<SessionStats, "tokensGenerated" | "tokensInFlight" | "discardedTokens">;

function sessionStats(parts: SessionParts, decoded: DecodeStats): SessionStats {
  const { ledger, cache, runner, dispatches, fusion, pipelines, loadMs, kernels } = parts;
  const { steps, decodeSteps, promptTokens, encodeMs, submitMs, prefillSubmits } = runner.counters;
  return {
    gpuBytes: { ...ledger.bytes(), peak: ledger.peak },
    kvPages: kvPageStats(cache),
    dispatches,
    fusion,
    pipelines,
    kernels,
    steps,
    decodeSteps,
    promptTokens,
    ...decoded,
    prefillSubmits,
    streaming: parts.streaming?.stats() ?? null,
    neurons: parts.neurons?.stats() ?? null,
    loadMs,
    encodeMs: encodeMs / Math.max(1, decodeSteps),
    submitMs: submitMs / Math.max(1, decodeSteps),
  };
}
