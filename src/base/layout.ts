// Plain-data layouts that several rooms agree on: weight slabs (graph plans, weights fills, program binds) and KV pages
// (kernels read and write, kv allocates). No code beyond size arithmetic.

import { isKvPageType, type KvRepair, type KvType, kvKeyWords, kvValueWords } from "./kv_types.ts";
import { alignUp, ceilDiv } from "./math.ts";

/** Rows interleaved in one group of a weight slab: neighbouring lanes of an adapter then read neighbouring 16 bytes. */
export const rowGroupSize = 8;

/** Weights per unit of decoding; K is padded to it. */
export const blockWidth = 32;

/** Bound ranges start at this alignment (`minStorageBufferOffsetAlignment` of every adapter). */
export const bindAlignment = 256;

/** Elements from one row of an activation to the next: padded so that every row is whole 32-wide blocks, the tail zero. */
export function rowStride(cols: number): number {
  return alignUp(cols, blockWidth);
}

/** One tensor's rows inside a slab. */
export interface SlabPart {
  /** GGUF tensor name, `blk.3.attn_q.weight`. */
  readonly tensor: string;
  /** First row of the tensor held here; a multiple of 8. */
  readonly rowStart: number;
  /** Rows held here. */
  readonly rows: number;
  /** Where they begin in the slab, in bytes; a multiple of 256, in a stack of 16. */
  readonly byteOffset: number;
  /** Bytes they occupy: whole row groups, after the codebook if there is one; in a stack of vectors the values alone. */
  readonly bytes: number;
  /** Whether it continues the bound range of the part before it: then no codebook lies before its row groups. Of vectors also the first. */
  readonly stacked?: true;
}

/**
 * One GPU buffer of weights. A `matrix` slab holds rows of one weight format, repacked into row groups; a `vector` slab
 * holds f32 vectors (norm weights, biases), each padded with zeros to whole 32-element blocks and aligned to 256 bytes.
 */
export interface Slab {
  readonly name: string;
  readonly kind: "matrix" | "vector";
  /** GGML type id of a matrix slab's tensors. */
  readonly ggufType: number;
  /** Inputs of each row (matrix) or unused (vector). */
  readonly cols: number;
  readonly bytes: number;
  readonly parts: readonly SlabPart[];
}

/** Where every weight goes. Made by `graph/layout`, carried out by `weights/loader`, bound by `Program.bind`. */
export interface LayoutPlan {
  readonly slabs: readonly Slab[];
  /** Sum of slab bytes. */
  readonly bytes: number;
}

export type { KvType } from "./kv_types.ts";

/**
 * The K and V pages of one layer: `[page][K|V][kvHead]`, then what `type` holds of a kv head's tokens (`kvKeyWords`, `kvValueWords`):
 * `[token][dim]` where each number stands by itself. A page holds `pageTokens` positions of one sequence.
 */
export interface KvLayout {
  readonly pageTokens: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly type: KvType;
  /** Entries of a sequence's row in the page table: pages of the longest allowed context. */
  readonly maxPages: number;
  /**
   * `paged` when not given. `contiguous`: positions of a slot one behind the other, `[slot][K|V][kvHead][token][dim]`, no page table and no
   * sharing; for types that hold each number by itself.
   */
  readonly order?: "paged" | "contiguous";
  /** Slots that share a contiguous buffer; default 1. How many tokens each has room for is what the buffer's length says. */
  readonly slots?: number;
  /** Of types that are quantized a page at a time. */
  readonly repair?: KvRepair;
}

/** Bytes of one page (K and V) of one layer. */
export function kvPageBytes(layout: KvLayout): number {
  return 4 * layout.numKvHeads * (kvKeyWords(layout) + kvValueWords(layout));
}

/** Bytes that pages take for 1,000 tokens, in all layers. */
export function kvRate(layout: KvLayout, numLayers: number): number {
  return (kvPageBytes(layout) * numLayers * 1000) / layout.pageTokens;
}

/**
 * Bytes of one slot's tail in one layer: a page of f16 `[K|V][kvHead][token][dim]`, two to a word, for types that are quantized when a page is full.
 * A query sees the keys of its own page as they are in the tail and those of pages before as they are quantized, wherever steps begin and
 * end: so text depends on neither.
 */
export function kvTailBytes(layout: KvLayout): number {
  return isKvPageType(layout.type) ? 4 * layout.numKvHeads * layout.pageTokens * layout.headDim : 0;
}

/** Pages that `tokens` positions need. */
export function pagesFor(tokens: number, layout: KvLayout): number {
  return ceilDiv(tokens, layout.pageTokens);
}

/**
 * What changes from step to step, as one uniform buffer (decision 2): a header of four u32 (rows, output rows, 0, shift), then
 * four u32 for each activation row: token, position, sequence slot, and for output row i the activation row it takes.
 * A row's position is its place in the cache; RoPE turns by position + shift, which is 0 unless tokens before it were dropped and those
 * after them kept their turns. In decode a row is a sequence, and `advance`, the last kernel of a step, writes the next token and position here.
 */
export const stepHeaderWords = 4;
export const stepRowWords = 4;

/** Bytes of the step state for up to `maxRows` activation rows, padded to the binding alignment. */
export function stepBytes(maxRows: number): number {
  return alignUp((stepHeaderWords + maxRows * stepRowWords) * 4, bindAlignment);
}

/**
 * How each sequence slot's next token is chosen: the `sampling` buffer, `[slot][samplingWords]` of u32. f32 values are their bits.
 * What lies from `scale` on follows from the words before it, so that CPU and GPU divide nothing by themselves.
 */
export const samplingWords = 32;

/** Words of a slot in the `sampling` buffer. */
export const samplingField = {
  /** f32; 0 is greedy. */
  temperature: 0,
  /** 0 keeps all. */
  topK: 1,
  /** f32. */
  topP: 2,
  /** f32. */
  minP: 3,
  /** f32. */
  repetition: 4,
  /** f32. */
  frequency: 5,
  /** f32. */
  presence: 6,
  seed: 7,
  /** Draws so far; `sample_pick` advances it. */
  counter: 8,
  /** Of `samplingFlag`. */
  flags: 9,
  stopCount: 10,
  /** First of `mostStopIds` words. */
  stopIds: 12,
  /** f32: log2(e) / temperature. */
  scale: 28,
  /** f32: 1 / repetition. */
  repetitionInverse: 29,
  /** Least weight that may be drawn, of 2^31 for the most likely token. */
  leastWeight: 30,
  /** top_p in units of 2^-24; 2^24 keeps all. */
  topP24: 31,
} as const;

/** What changes logits before they are sampled from; a slot without a flag never reads what it stands for. */
export const samplingFlag = { penalties: 1, bias: 2, mask: 4 } as const;

/** Ids that end a request on the GPU; the rest of a longer list is looked for on the CPU. */
export const mostStopIds = 16;

/** Words for each token in the `adjust` buffer, `[slot][V][2]`: how often the completion has it, bit 31: in the prompt; bits of its bias. */
export const adjustWords = 2;
/** Of a token in the prompt. */
export const promptBit = 0x80000000;

/** Words of a slot in the `mask` buffer: a bit for each token, set where it is allowed. */
export function maskWords(vocabSize: number): number {
  return ceilDiv(vocabSize, 32);
}

/** Tokens whose largest logit and mass the sampler knows together. */
export const sampleTileTokens = 1024;

/** Tokens of a vocabulary up to which all sums of the sampler fit their words, and what it keeps of each tile fits workgroup memory. */
export const mostTokens = 524_288;

/** Words of an output row of `sample_pick`: id, bits of the raw logit, flag, counter of the draw. */
export const chosenWords = 4;
/** Flags of a chosen token. `numeric`: NaN, positive infinity or nothing finite; `deadEnd`: a mask that allows nothing finite. */
export const chosenFlag = { ok: 0, numeric: 1, deadEnd: 2, stop: 3 } as const;
/** Word 0 of a row without a token is this with the flag in the low byte. */
export const noToken = 0xffffff00;
