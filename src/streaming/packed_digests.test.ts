// What an image's bytes come from beside the file: how each format is packed, and how values become blocks. An image that is stored is read
// by later versions of this program as its own: when a digest here changes, images made before it must not be found any more.
import { expect, test } from "vitest";
import { fileBytes, packMatrix } from "../formats/format.ts";
import { sha256 } from "../store/hash.ts";
import { seededBytes } from "../testing/chunk_cases.ts";
import { formats } from "../testing/formats.ts";
import { float8Values } from "../weights/float8.ts";

const advice = "the bytes of images changed: raise imageVersion in src/streaming/sections.ts, then write the new digest here";

/** First half of each digest. */
const digests: Readonly<Record<string, string>> = {
  f32: "e2b7116ebdeec2aadc0f75a683986d15",
  "f32 of values": "8fb516682c072efd67bffb36022fbe0f",
  f16: "356fa4fb100c302a2c01e06155c82e16",
  "f16 of values": "b94a478d24ddf752a89c1896b8d1d9b8",
  q4_0: "3ee436fccf90aedbb012a48ff1fe6fdf",
  "q4_0 of values": "e93b29ca80e88c106a92858ea04ff8c8",
  q4_1: "60b4a1daf12b9c67ac0db0d1a2c7abd9",
  "q4_1 of values": "3254395ff4bef913f32e74f917b82eb6",
  q5_0: "305f1347f67d765918324622367fdca8",
  "q5_0 of values": "8542cca2c9984f15a955bbd922bb4ee1",
  q5_1: "43b4e013cd2a2f31f7de59d82e475c16",
  "q5_1 of values": "235760f615889d9d50a2e3b72d07f5ff",
  q8_0: "cc2f6491e2dd154fea97ee83d91942e9",
  "q8_0 of values": "f18e1476a0e266bda779a789dd1fd4ba",
  q2_k: "dfe243321b9229bc45e2175f2d16144a",
  q3_k: "789e6657dd250862c763bf5bc12d8a2d",
  q4_k: "eb4725c5892784e47a42c17a423c91fa",
  "q4_k of values": "7f0b60261b71b2fd59ef4ee9fe2e72ae",
  q5_k: "c2bb92e2234b51133518871352672234",
  "q5_k of values": "01a577b84d6b6dc62e6801e757e9afec",
  q6_k: "1087c1c7c5774b6c11dbdb26e8951796",
  "q6_k of values": "b84047ef4b9b21ae860324a7cce3a74d",
  iq2_xxs: "6a0fd9e8753bfd6b01cd9b4c902cd0e0",
  iq2_xs: "0f934ea0f1c93269254f51c6caf2a29a",
  iq3_xxs: "6020d3f928454d0d218711276180d13f",
  iq1_s: "f7c88d1dc133a672d3a9c921f7bb717e",
  iq4_nl: "7a5ea01ef55a79379a7d1cef864d51f2",
  iq3_s: "ad82373ac0219ee8d0b246235f27df4f",
  iq2_s: "2835c8c26185b39bbabe89082fb48cf6",
  iq4_xs: "e45220d72440b1479ccd7ac3cfa65521",
  iq1_m: "7bf08f47bfcc6f80c2bfb22b819f4339",
  bf16: "579dee7871f1d632d3b96ea9ca3aa2e9",
  "bf16 of values": "bcf723925316d485448e15e49a3a8482",
  tq1_0: "2951d3b79f3633c4bae641cfd780fb7c",
  tq2_0: "55393d6d085724ad7c580d5b2f55b216",
  mxfp4: "6aa3b4e52c561d422e013894401852c9",
  nvfp4: "a01ea9ae8db52ec482c7b9e487a9d876",
  q1_0: "f0d680b522c404f7ec42497a999b4f00",
  q2_0: "a48a1a20cb1f9cb9a5f01b6061046cbc",
  F8_E4M3: "0c5d81084420441d5c98db2c276b865f",
  F8_E5M2: "f3e7031368f3245d56c8114ed15a4614",
};

async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return (await sha256(bytes)).slice(0, 32);
}

function seededValues(count: number): Float32Array {
  return Float32Array.from(
    seededBytes(2 * count, 5).filter((_, at) => at % 2 === 0),
    (byte, at) => (byte - 128) / (64 + (at % 97)),
  );
}

test.for(formats)("$name is packed as it was when images were last given a version", async (format) => {
  // Row groups that are whole and that are not, and more than one block of each.
  const cols = 3 * Math.max(format.blockSize, 32);
  const packed = packMatrix(format, seededBytes(fileBytes(format, 9 * cols), format.ggufType), { rows: 9, cols });
  expect(await digestOf(packed), advice).toBe(digests[format.name]);
});

const quantized = formats.filter((format) => format.quantize !== undefined);

test.for(quantized)("$name is quantized as it was when images were last given a version", async (format) => {
  const blocks = format.quantize?.(seededValues(12 * Math.max(format.blockSize, 32)));
  expect(await digestOf(new Uint8Array(blocks ?? [])), advice).toBe(digests[`${format.name} of values`]);
});

test.for(["F8_E4M3", "F8_E5M2"] as const)("%s is read as it was when images were last given a version", async (type) => {
  // NaN has more than one form, and none of them is loaded.
  const values = float8Values(type).map((value) => (Number.isNaN(value) ? 0 : value));
  expect(await digestOf(new Uint8Array(new Float32Array(values).buffer)), advice).toBe(digests[type]);
});
