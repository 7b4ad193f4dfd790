// Cases of the kernel kv_store.

import type { KernelCase } from "../../kernels/kernel.ts";
import type { KvStoreAttributes } from "../../kernels/kv_store.ts";
import { testLayout } from "./page_layout.ts";

export const kvStoreCases: readonly KernelCase<KvStoreAttributes>[] = (["f32", "f16", "q8_0", "bfp4"] as const).flatMap((type) => [
  { name: "first token", attributes: { kv: { ...testLayout({ numKvHeads: 1, headDim: 8, pageTokens: 4, tokens: 8 }), type } }, rows: 1 },
  {
    name: "33 tokens over pages",
    attributes: { kv: { ...testLayout({ numKvHeads: 3, headDim: 20, pageTokens: 32, tokens: 128 }), type } },
    rows: 33,
    pastTokens: 61,
  },
  {
    name: "5 sequences",
    attributes: { kv: { ...testLayout({ numKvHeads: 2, headDim: 64, pageTokens: 32, tokens: 96 }), type } },
    rows: 5,
    pastTokens: 90,
    sequences: "each" as const,
  },
]);
