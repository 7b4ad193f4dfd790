// Sessions whose neurons are streamed: with room for all the text of a whole model, with less an answer that ends, and nothing left behind
// by requests that end early.

import { describe, expect, test } from "vitest";
import { ShaderloomError } from "../base/errors.ts";
import { gpuOrSkip, sharedGpuOrSkip } from "../testing/gpu.ts";
import { idsOf, openSession, promptOf, request, withSession } from "../testing/streamed_session.ts";
import { openThrottledStore } from "../testing/throttled_store.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { topicModel, topicTokens } from "../testing/topic_model.ts";
import { errorCode } from "../testing/typed_error.ts";
import { watchGpu } from "../testing/watched_gpu.ts";
import type { Session } from "./session.ts";

const relu = [["llama.hidden_activation", "string", "relu"]] as const;

/** A model of four topics, and bytes of its feed-forward blocks. */
const smallTopics = { format: "q8_0", layers: 2, bundles: 32, topics: 4, own: 4, shared: 4, seed: 5, contextLength: 256 } as const;
const smallBlocks = (2 * 3 * 1024 * 256 * 34) / 32;

/** What the cache of a session has done. */
function neuronsOf(session: Session): NonNullable<ReturnType<Session["stats"]>["neurons"]> {
  const { neurons } = session.stats();
  return neurons ?? expect.fail("no neurons are streamed");
}

async function textsOf(session: Session): Promise<number[][]> {
  const prompt = promptOf(19);
  return [
    await idsOf(session, request(prompt, 12)),
    // A cached prefix, then another prompt.
    await idsOf(session, request([...prompt, 5, 6], 6)),
    await idsOf(session, request(promptOf(7, 90), 6)),
  ];
}

describe("with room for all bundles, the text of the whole model", () => {
  test.for([
    { deviceClass: "cpu", activations: "f32", format: "q8_0", tokensInFlight: 1 },
    { deviceClass: "cpu", activations: "f16", format: "f16", tokensInFlight: 8 },
    { deviceClass: "gpu", activations: "f32", format: "q4_0", tokensInFlight: 2 },
    { deviceClass: "gpu", activations: "f16", format: "q8_0", tokensInFlight: 8 },
  ] as const)("$deviceClass, $activations, $format, $tokensInFlight in flight", async (how, context) => {
    const { deviceClass, activations, format, tokensInFlight } = how;
    const gpu = await sharedGpuOrSkip(context);
    if (activations === "f16" && !(await gpu.requestAdapter())?.features.has("shader-f16")) context.skip("no shader-f16");
    const model = tinyModel({ format, hidden: 256, ffn: 288, layers: 3, metadata: relu });
    const options = { gpu, model, deviceClass, activations };
    const want = await withSession(options, textsOf);
    await withSession({ ...options, execution: { neurons: { budget: 1 << 24 }, tokensInFlight } }, async (session) => {
      expect(await textsOf(session)).toEqual(want);
      expect(neuronsOf(session).missingShares).toBe(0);
      const checked = session.stats().kernels.chosen.filter(({ kernel }) => kernel.startsWith("neuron_"));
      expect(new Set(checked.map(({ kernel }) => kernel)).size).toBe(4);
      expect(checked.every((one) => one.checked)).toBe(true);
    });
  });
});

function weightsOf(session: Session): number {
  return session.stats().gpuBytes.weights;
}

test("with room for 3/8 of the bundles: less memory, few bytes, and the same text where tokens are run again", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const shape = { format: "f16", layers: 4, bundles: 64, topics: 8, own: 4, shared: 6, seed: 3, contextLength: 256 } as const;
  const model = await topicModel(shape);
  const options = { gpu, model, deviceClass: "cpu" } as const;
  const prompt = topicTokens(24, { topics: 8, stay: 0.95, seed: 6 });
  const whole = await withSession(options, async (session) => ({
    text: await idsOf(session, request(prompt, 32)),
    bytes: weightsOf(session),
  }));
  const blocks = 4 * 3 * 2048 * 256 * 2;
  await withSession({ ...options, execution: { neurons: { budget: (blocks * 3) / 8 } } }, async (session) => {
    const before = neuronsOf(session).bytes;
    const text = await idsOf(session, request(prompt, 32));
    expect(text).toEqual(whole.text);
    const { tokens, bytes } = neuronsOf(session);
    expect(tokens).toBeGreaterThanOrEqual(24 + 31);
    expect((bytes - before) / tokens / blocks).toBeLessThan(0.35);
    // The coarse copy of gate takes a sixteenth of what it is a copy of.
    expect(weightsOf(session)).toBeLessThan(whole.bytes - blocks * 0.5);
  });
});

test("records are kept: a second load packs none; one that is lost is made anew; a store that is out of order is a typed error", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const model = await topicModel(smallTopics);
  const { store, disk, counts } = openThrottledStore();
  const neurons = { budget: smallBlocks / 2 };
  const options = { gpu, model, deviceClass: "cpu", imageStore: store, execution: { neurons } } as const;
  const prompt = topicTokens(24, { topics: 4, stay: 0.8, seed: 6 });
  const text = await withSession(options, (session) => idsOf(session, request(prompt, 16)));
  const { puts } = counts();
  expect(puts).toBeGreaterThanOrEqual(2 * 32);
  const { reads } = counts();
  disk.trouble = ({ number }) => (number === reads + 3 || number === reads + 9 ? "lost" : undefined);
  await withSession(options, async (session) => {
    expect(await idsOf(session, request(prompt, 16))).toEqual(text);
    // Those two alone.
    expect(counts().puts).toBe(puts + 2);
    disk.trouble = () => new ShaderloomError("STORE.failed", "The disk is gone. Load the model again.");
    const other = topicTokens(24, { topics: 4, stay: 0, seed: 9 });
    expect(await errorCode(idsOf(session, request(other, 16)))).toBe("STORE.failed");
    disk.trouble = undefined;
    expect(await idsOf(session, request(prompt, 16))).toEqual(text);
  });
});

test("an abort and a reader that leaves end a request, and the next answer is right", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const model = tinyModel({ ffn: 288, hidden: 256, metadata: relu });
  const options = { gpu, model, deviceClass: "cpu" } as const;
  const want = await withSession(options, textsOf);
  await withSession({ ...options, execution: { neurons: { budget: 1 << 24 } } }, async (session) => {
    for (const after of [0, 1, 3]) {
      const controller = new AbortController();
      let tokens = 0;
      const wanted = request(promptOf(9), 10, { signal: controller.signal });
      const answer = async (): Promise<void> => {
        for await (const event of session.generate(wanted)) if (event.kind === "token" && tokens++ === after) controller.abort();
      };
      expect(await errorCode(answer())).toBe("AbortError");
      for await (const event of session.generate(request(promptOf(11), 10))) if (event.kind === "token") break;
    }
    expect(await textsOf(session)).toEqual(want);
  });
});

test("a store that never answers: an abort ends the request, an unload everything", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const model = await topicModel({ ...smallTopics, contextLength: 128 });
  const { store, disk } = openThrottledStore();
  const execution = { neurons: { budget: smallBlocks / 2 } };
  const session = await openSession({ gpu, model, deviceClass: "cpu", imageStore: store, execution });
  const prompt = topicTokens(24, { topics: 4, stay: 0, seed: 9 });
  disk.trouble = () => "silent";
  const controller = new AbortController();
  const running = errorCode(idsOf(session, request(prompt, 16, { signal: controller.signal })));
  setTimeout(() => controller.abort(), 300);
  expect(await running).toBe("AbortError");
  const again = errorCode(idsOf(session, request(prompt, 16)));
  setTimeout(() => session.destroy(), 300);
  expect(await again).toMatch(/^(REQUEST.unloaded|GPU.lost)$/);
});

test("a device that is lost while bundles are read is a typed error, then and later", async (context) => {
  const watched = await watchGpu(await gpuOrSkip(context));
  const model = await topicModel(smallTopics);
  const { store, disk } = openThrottledStore();
  const execution = { neurons: { budget: smallBlocks / 4 } };
  const session = await openSession({ gpu: watched.gpu, model, deviceClass: "cpu", imageStore: store, execution });
  disk.bytesPerSecond = smallBlocks * 4;
  const prompt = topicTokens(60, { topics: 4, stay: 0, seed: 9 });
  const running = errorCode(idsOf(session, request(prompt, 100)));
  setTimeout(() => watched.device().destroy(), 300);
  expect(await running).toBe("GPU.lost");
  expect(await errorCode(idsOf(session, request(prompt, 3)))).toBe("GPU.lost");
  session.destroy();
});

test("what cannot be is refused by name", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const model = tinyModel({ hidden: 64, metadata: relu });
  const neurons = { budget: 1 << 20 };
  expect(await errorCode(openSession({ gpu, model, memoryBudget: 1 << 20, execution: { neurons } }))).toBe("REQUEST.execution");
  expect(await errorCode(openSession({ gpu, model, activations: "int8", execution: { neurons } }))).toBe("UNSUPPORTED.bundles");
  expect(await errorCode(openSession({ gpu, model, execution: { neurons: { budget: 100 } } }))).toBe("UNSUPPORTED.bundles");
});
