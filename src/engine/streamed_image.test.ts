// The image of a model is what a full load puts on the GPU, byte for byte: types that change from layer to layer, rows and columns that fill
// no group, padding that is zero whatever section was made before.
import { expect, test } from "vitest";
import { planImage, slabLayer } from "../streaming/sections.ts";
import type { WeightImage } from "../streaming/types.ts";
import { plainCaps } from "../testing/plain_caps.ts";
import { layeredModel } from "../testing/streamed_session.ts";
import { openModelFile } from "../weights/gguf/model_file.ts";
import { loadWeights } from "../weights/loader.ts";
import { openSource } from "../weights/source.ts";
import { buildModel } from "./model.ts";
import { planRunner } from "./placement.ts";
import { createLoadReport } from "./progress.ts";
import { type ImageWork, writeSections } from "./streamed_image.ts";

function mixed(name: string): string {
  if (/blk\.[03]\./.test(name)) return "q8_0";
  return name.includes("ffn_down") ? "q4_0" : "f16";
}

const cases = {
  f32: { options: {}, deviceClass: "gpu", activations: "f32", fusion: "auto" },
  "mixed types": { options: { format: mixed, ffn: 192 }, deviceClass: "gpu", activations: "f32", fusion: "auto" },
  "mixed types in int8, no passes": { options: { format: mixed, ffn: 192 }, deviceClass: "cpu", activations: "int8", fusion: "off" },
  "qwen2's biases": {
    options: { architecture: "qwen2", format: "q8_0", ffn: 160 },
    deviceClass: "cpu",
    activations: "f32",
    fusion: "auto",
  },
} as const;

test.for(Object.entries(cases))("%s", async ([, { options, deviceClass, activations, fusion }]) => {
  const bytes = layeredModel({ layers: 5, ...options });
  const files = await openModelFile(bytes, (location) => openSource(location), {});
  const caps = { ...plainCaps, deviceClass };
  const model = await buildModel(files.file, files.source, { caps, activations, contextLength: 64 });
  const { layout } = await planRunner(model, caps, { fusion });
  const signal = new AbortController().signal;
  const whole = new Map(layout.plan.slabs.map((slab) => [slab.name, new Uint8Array(slab.bytes)]));
  await loadWeights({
    source: files.source,
    tensors: files.file.tensors,
    plan: layout.plan,
    formats: model.formats,
    upload: (slab, at, piece) => whole.get(slab)?.set(piece, at),
    signal,
  });
  const plan = await planImage(layout.plan, "");
  const written = new Map<number, Uint8Array>();
  const image: Pick<WeightImage, "write"> = { write: async (section, part) => void written.set(section, part.slice()) };
  const work = { model, layout: layout.plan, plan, checkWeights: false, report: createLoadReport(undefined), signal };
  // Backwards: what one section leaves in the room that they share is another's each time.
  const sections = [...plan.sections.keys()].toReversed();
  await writeSections(work as unknown as ImageWork, image as WeightImage, { source: files.source, sections });
  for (const [at, section] of plan.sections.entries()) {
    const expected = new Uint8Array(section.chunks * plan.chunkBytes);
    for (const [slab, offset] of section.slabs) expected.set(whole.get(slab) ?? expect.fail(slab), offset);
    expect(written.get(at)?.length).toBe(expected.length);
    expect(
      written.get(at)?.findIndex((byte, index) => byte !== expected[index]),
      `layer ${section.layer}`,
    ).toBe(-1);
  }
  const layers = layout.plan.slabs.filter((slab) => slabLayer(slab) !== undefined).map(({ name }) => name);
  expect(plan.sections.flatMap(({ slabs }) => [...slabs.keys()]).toSorted()).toEqual(layers.toSorted());
});
