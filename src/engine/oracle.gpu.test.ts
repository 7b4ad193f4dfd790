// The whole path against references that are not ours: float64 forwards of trained models and of the canonical random model.

import { describe, expect, test } from "vitest";
import { readRepoFile, readSharedFile, sharedFileOrSkip } from "../testing/files.ts";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { greedyIds, lastLogprobs, relativeRms } from "../testing/oracle.ts";
import { peerModelOrSkip, type PeerModelName } from "../testing/peer_model.ts";
import { loadSession } from "./load.ts";

interface ExpectedCase {
  readonly prompt: string;
  readonly prompt_ids: number[];
  readonly f64_dequant: { readonly logits_last: number[]; readonly greedy_ids: number[]; readonly min_top1_margin: number };
}

const trained = [
  "stories260K/stories260K-f32",
  "tinystories-656k/tinystories-656k-f16",
  "tinystories-656k/tinystories-656k-q8_0",
  "tinystories-656k/tinystories-656k-q4_0",
];

/** `cpu` is what these adapters choose; the GPU program is forced, so that its kernels are held to the same bar. */
const deviceClasses = ["cpu", "gpu"] as const;

/** One type each there: it compiles for 20 seconds, and kernels/products.gpu.test.ts crosses types with its kernels. */
const gpuTypes: Readonly<Record<string, string>> = { llama: "q4_0", qwen2: "f32", qwen3: "q4_k" };
/** In Node only: the browser compiles as slowly, and has the random models and the bundled one. */
const gpuTrained: readonly string[] =
  typeof window === "undefined" ? ["stories260K/stories260K-f32", "tinystories-656k/tinystories-656k-q4_0"] : [];

describe("trained models equal their float64 forward", () => {
  for (const path of trained) {
    for (const deviceClass of gpuTrained.includes(path) ? deviceClasses : (["cpu"] as const)) {
      test(`${path} with the ${deviceClass} program`, async (context) => {
        const gpu = await sharedGpuOrSkip(context);
        const gguf = await sharedFileOrSkip(context, `data/models/${path}.gguf`);
        const expected = await readSharedFile(`data/models/${path}.expected.json`);
        const { cases } = JSON.parse(new TextDecoder().decode(expected)) as { cases: ExpectedCase[] };
        const session = await loadSession({ model: gguf, gpu, deviceClass, tuning: "off" });
        try {
          for (const { prompt_ids: promptIds, f64_dequant: reference } of cases) {
            expect(relativeRms(await lastLogprobs(session, promptIds), reference.logits_last)).toBeLessThanOrEqual(1e-4);
            const ids = await greedyIds(session, promptIds, reference.greedy_ids.length);
            // Margins of these files are 0.01 and more, a hundred times the error.
            expect(reference.min_top1_margin).toBeGreaterThan(0.002);
            expect(ids).toEqual(reference.greedy_ids);
          }
        } finally {
          session.destroy();
        }
      });
    }
  }
});

interface BundledCase {
  readonly text: string;
  readonly prompt: number[];
  readonly logits?: number[];
  readonly greedy: number[];
  readonly minTop1Margin: number;
}

describe("the bundled model equals its float64 forward", () => {
  for (const deviceClass of deviceClasses) {
    test(`with the ${deviceClass} program`, async (context) => {
      const gpu = await sharedGpuOrSkip(context);
      const expected = await readRepoFile("scripts/bundled_model/expected.json");
      const { cases } = JSON.parse(new TextDecoder().decode(expected)) as { cases: BundledCase[] };
      const session = await loadSession({
        model: await readRepoFile("public/models/shaderloom-tiny.gguf"),
        gpu,
        deviceClass,
        tuning: "off",
      });
      try {
        for (const { text, prompt, logits, greedy, minTop1Margin } of cases) {
          expect(session.tokenizer.encodeWithSpecials(text)).toEqual(prompt);
          if (logits) expect(relativeRms(await lastLogprobs(session, prompt), logits)).toBeLessThanOrEqual(1e-4);
          expect(minTop1Margin).toBeGreaterThan(0.002);
          expect(await greedyIds(session, prompt, greedy.length)).toEqual(greedy);
        }
      } finally {
        session.destroy();
      }
    });
  }
});

const architectures = ["llama", "qwen2", "qwen3"] as const;
const smallTypes = ["f32", "f16", "q8_0", "q4_0"] as const;
const peers: PeerModelName[] = architectures.flatMap((arch) => [
  ...smallTypes.map((type) => ({ shape: "small" as const, arch, type })),
  { shape: "k256" as const, arch, type: "q4_k" as const },
]);

async function checkPeer(
  name: PeerModelName,
  options: { gpu: GPU; deviceClass: "cpu" | "gpu"; activations: "f32" | "f16"; bound: number },
  model: { gguf: Uint8Array; ref: { prompt: number[]; logits: number[]; greedy: number[]; top: Array<[number, number]> } },
): Promise<void> {
  const { gpu, deviceClass, activations, bound } = options;
  const session = await loadSession({ model: model.gguf, gpu, deviceClass, activations, tuning: "off" });
  try {
    const error = relativeRms(await lastLogprobs(session, model.ref.prompt), model.ref.logits);
    expect(error, `${name.shape} ${name.arch} ${name.type}`).toBeLessThanOrEqual(bound);
    const ids = await greedyIds(session, model.ref.prompt, model.ref.greedy.length);
    const [[best, first], [, second]] = model.ref.top;
    // Later margins are not recorded, so equality is asked of the exact class; the first id only needs its own margin.
    if (activations === "f32") expect(ids).toEqual(model.ref.greedy);
    else if (first - second > 4 * bound * Math.max(1, Math.abs(first))) expect(ids[0]).toBe(best);
  } finally {
    session.destroy();
  }
}

describe("the canonical random model equals the independent forward", () => {
  for (const name of peers) {
    for (const deviceClass of gpuTypes[name.arch] === name.type ? deviceClasses : (["cpu"] as const)) {
      test(`${name.shape} ${name.arch} ${name.type} with the ${deviceClass} program`, async (context) => {
        const gpu = await sharedGpuOrSkip(context);
        const model = await peerModelOrSkip(context, name);
        await checkPeer(name, { gpu, deviceClass, activations: "f32", bound: 1e-4 }, model);
      });
    }
  }
});

describe("f16 storage stays within its bound", () => {
  for (const name of peers) {
    test(`${name.shape} ${name.arch} ${name.type} in f16`, async (context) => {
      const gpu = await sharedGpuOrSkip(context);
      const adapter = await gpu.requestAdapter();
      if (!adapter?.features.has("shader-f16")) context.skip("this adapter has no shader-f16");
      const model = await peerModelOrSkip(context, name);
      const classes = name.type === "q4_0" ? deviceClasses : (["cpu"] as const);
      for (const deviceClass of classes) await checkPeer(name, { gpu, deviceClass, activations: "f16", bound: 3e-3 }, model);
    });
  }
});
