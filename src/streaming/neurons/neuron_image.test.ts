// Records through an image: what was packed comes back, smaller records among larger ones too; what is damaged is packed anew, once.

import { expect, test } from "vitest";
import { noDiagnostics } from "../../store/diagnostics.ts";
import { errorCode } from "../../testing/typed_error.ts";
import { openImage } from "../image.ts";
import type { WeightImage } from "../types.ts";
import { imageRecords, planNeuronImage, type RecordSizes, writeRecords } from "./neuron_image.ts";

const layers: readonly RecordSizes[] = [
  { layer: 0, bundles: 5, recordBytes: 512 },
  { layer: 3, bundles: 4, recordBytes: 256 },
];
const plan = planNeuronImage(layers, "test");

function recordOf(place: number, bundle: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: layers[place].recordBytes }, (_, at) => place * 100 + bundle * 10 + at);
}

async function made(): Promise<{ image: WeightImage; packed: string[]; write: (places: readonly number[]) => Promise<void> }> {
  const image = await openImage({ models: undefined, model: undefined, plan, diagnostics: noDiagnostics(), onFull: "error" });
  const packed: string[] = [];
  const pack = (place: number, bundle: number, out: Uint8Array): void => {
    packed.push(`${place}.${bundle}`);
    out.set(recordOf(place, bundle));
  };
  const write = (places: readonly number[]): Promise<void> => writeRecords(image, plan, { layers, pack, places });
  await write(image.missing());
  return { image, packed, write };
}

test("neighbours come back one behind the other, whatever the chunk's size", async () => {
  const { image, packed, write } = await made();
  expect(packed).toHaveLength(9);
  expect(image.missing()).toEqual([]);
  const records = imageRecords(image, { plan, layers, repair: (place) => write([place]) });
  for (const [place, { recordBytes }] of layers.entries()) {
    const into = new Uint8Array(3 * recordBytes);
    await records.read(place, { first: 1, count: 3 }, into);
    const want = [1, 2, 3].map((bundle) => recordOf(place, bundle));
    for (const [at, record] of want.entries()) expect(into.subarray(at * recordBytes, (at + 1) * recordBytes)).toEqual(record);
  }
  expect(packed).toHaveLength(9);
});

/** An image whose next reads of a record say that it is missing. */
function failing(image: WeightImage, times: number): Pick<WeightImage, "read"> {
  let left = times;
  return {
    read: (place, chunk, into) => (place === 1 && left-- > 0 ? Promise.resolve(false) : image.read(place, chunk, into)),
  };
}

test("a missing record is made anew with its layer; one that is lost again is a typed error", async () => {
  const { image, packed, write } = await made();
  const into = new Uint8Array(256);
  const records = imageRecords(failing(image, 1), { plan, layers, repair: (place) => write([place]) });
  await records.read(1, { first: 2, count: 1 }, into);
  expect(into).toEqual(recordOf(1, 2));
  expect(packed.slice(9)).toEqual(["1.0", "1.1", "1.2", "1.3"]);
  const lost = imageRecords(failing(image, 2), { plan, layers, repair: (place) => write([place]) });
  expect(await errorCode(lost.read(1, { first: 2, count: 1 }, into))).toBe("STORE.evicted");
});
