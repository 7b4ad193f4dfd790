// The contract of a kernel: the variants an adapter may run, and what says which results are right; and what a case of it is, for tests
// and benches. Kernels know shapes and formats; they never see a graph, a model or a file.

import { type KvLayout, rowStride } from "../base/layout.ts";
import type { Rng } from "../base/rng.ts";
import type { WeightFormat } from "../formats/format.ts";
import type { DeviceClass, Caps } from "../gpu/caps.ts";
import type { BindingDeclaration, Header, ShaderFile } from "../gpu/shader.ts";

/** Variants only compete inside one class: what a race decides changes results by less than the class's own error (decision 7). */
export type Precision = "f32" | "f16" | "int8";

/** What variants are chosen for. */
export interface KernelTarget {
  readonly caps: Caps;
  /** Usually `caps.deviceClass`; can be forced. */
  readonly deviceClass: DeviceClass;
  readonly precision: Precision;
  /** Most activation rows of a step of this program: 1 in decode, the chunk length in prefill. */
  readonly maxRows: number;
}

/** What a step knows when it is encoded: grids come from it. All are upper bounds that the CPU knows. */
export interface StepShape {
  /** Activation rows. */
  readonly rows: number;
  /** Rows the head runs over. */
  readonly outputRows: number;
  /** Longest sequence, in tokens, after this step. */
  readonly contextTokens: number;
}

export type Grid = readonly [number, number, number];

/**
 * What a binding is at run time.
 * `inputN`/`outputN`: activations `[rows, rowStride(cols)]`; `weightN`: a range of a matrix slab; `vectorN`: f32 vector, zero
 * padded; `tableN`: a constant of the model (RoPE cosines); `kv`: the layer's pages; `pages`: the page table
 * `[slot, maxPages]` of u32; `tail`: what slots hold of pages that are not full, where the type of the pages quantizes full ones
 * (`kvTailBytes` of base/layout.ts); `scores`: attention that
 * keys of a layer got (kv_scores.ts); `state`: the step state as storage, only for `advance`; `sampling`, `adjust` and `mask`: how each slot's
 * next token is chosen, in the layouts of base/layout.ts; `shape`: the variant's `shape`.
 */
export type Operand =
  | `input${number}`
  | `output${number}`
  | `weight${number}`
  | `vector${number}`
  | `table${number}`
  | "kv"
  | "pages"
  | "tail"
  | "scores"
  | "state"
  | "shape"
  | "sampling"
  | "adjust"
  | "mask";

export interface KernelBinding extends BindingDeclaration {
  readonly from: Operand;
}

/** One specialisation of a kernel. At most 8 storage bindings. */
export interface Variant {
  /** `gemv/q4_k/f32/cpu`: pipeline key prefix, GPU label, timing row, bench row and test title. */
  readonly key: string;
  readonly precision: Precision;
  readonly header: Header;
  readonly files: readonly ShaderFile[];
  readonly bindings: readonly KernelBinding[];
  /** What the binding `shape` holds, where there is one: a word for each of `header.shape`. */
  readonly shape?: Uint32Array<ArrayBuffer>;
  /** Whether the shader reads the step state (`step`). Its room is `target.maxRows`. */
  readonly usesStep: boolean;
  grid(step: StepShape): Grid;
}

/**
 * A dense matrix on the CPU, without padding. Words of a `u32` operand are the bits of `data`, not its values. NaN in a
 * reference's result marks an element that the kernel leaves as it was.
 */
export interface CpuTensor {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float32Array;
}

/** One activation row of a step. */
export interface StepRow {
  readonly token: number;
  readonly position: number;
  readonly slot: number;
}

/** Keys and values of one layer on the CPU: element `((slot * maxTokens + position) * numKvHeads + head) * headDim + d`. */
export interface CpuKv {
  readonly maxTokens: number;
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

/** How each slot's next token is chosen, as the GPU has it. */
export interface CpuSampling {
  /** [slots, samplingWords]. */
  readonly sampling: Uint32Array<ArrayBuffer>;
  /** [slots, V, adjustWords]. */
  readonly adjust: Uint32Array<ArrayBuffer>;
  /** [slots, maskWords(V)]. */
  readonly mask: Uint32Array<ArrayBuffer>;
}

/** Operands of a reference, in the order of the kernel's bindings. */
export interface CpuArgs {
  readonly inputs: readonly CpuTensor[];
  /** Dequantized weights, [N, K]. */
  readonly weights: readonly CpuTensor[];
  readonly vectors: readonly Float32Array[];
  readonly tables: readonly Float32Array[];
  readonly rows: readonly StepRow[];
  /** Activation row of each output row. */
  readonly outputRows: readonly number[];
  /** Positions by which rows turn further than their places say; 0 when not given. */
  readonly shift?: number;
  readonly kv?: CpuKv;
  readonly sampling?: CpuSampling;
  /** A layer's, `kv_scores.ts`. */
  readonly scores?: Float32Array<ArrayBuffer>;
}

/** What a kernel should give: one tensor for each output. One that writes `kv` or `sampling` changes them in `args` in place. */
export type Reference<A> = (attributes: A, args: CpuArgs) => readonly CpuTensor[];

/** Where references are found (references/index.ts): no part of a kernel, for models run without them. */
export type ReferenceOf = <A>(kernel: Pick<Kernel<A>, "name">) => Reference<A>;

/** Sizes of a kernel's output, for the memory plan: rows are activation rows or output rows. */
export interface OutputSpec {
  readonly rows: "rows" | "outputRows";
  /** Rows more than those of the step. */
  readonly extraRows?: number;
  readonly cols: number;
  /** `act`: the activation type; `f32`: always f32 (logits, partials); `u32`: ids. */
  readonly type: "act" | "f32" | "u32";
  /** Columns that must equal the reference bit for bit (ids, flags); every column of a `u32` output unless given. */
  readonly exact?: (col: number) => boolean;
  /** Words are four signed bytes each: quantized numbers, which rounding may put one off the reference's. */
  readonly codes?: boolean;
  /** NaN in the reference marks what is left alone in exact columns, too. */
  readonly leaves?: boolean;
}

/** Elements from one row of an operand to the next: padded like activations, except words. */
export function operandStride(spec: { readonly cols: number; readonly type: OutputSpec["type"] }): number {
  return spec.type === "u32" ? spec.cols : rowStride(spec.cols);
}

/** An activation that a kernel reads; `fill` replaces the normal distribution that tests draw it from. */
export interface InputSpec {
  readonly rows: "rows" | "outputRows";
  readonly cols: number;
  readonly type: "act" | "f32" | "u32";
  readonly fill?: (rng: Rng, row: number, col: number) => number;
  /** Instead, where an operand follows from those before it. */
  readonly derive?: (args: CpuArgs, referenceOf: ReferenceOf) => CpuTensor;
}

/** Shapes of everything a kernel reads, so that tests and benches can make it. */
export interface OperandSpecs {
  readonly inputs?: readonly InputSpec[];
  readonly weights?: readonly { readonly format: WeightFormat; readonly rows: number; readonly cols: number }[];
  /** Lengths. */
  readonly vectors?: readonly number[];
  /** Lengths; `rope` tables hold cosines and sines, which any numbers stand in for. */
  readonly tables?: readonly number[];
  /** Words that the CPU writes for a step; tables behind those. */
  readonly lists?: ReadonlyArray<{ readonly length: number; readonly word: (rng: Rng, index: number) => number }>;
  readonly kv?: KvLayout;
  /** Whether the pages that the rows fill are quantized already and only what repairs them is missing. */
  readonly repairs?: true;
  /** Tokens of the rows are below this. */
  readonly tokenCount?: number;
  /** Words of the layer's scores; those of a check are wanted. */
  readonly scores?: number;
  /** Slots whose options are for a vocabulary of `cols` tokens. */
  readonly sampling?: { readonly cols: number };
}

/** One conformance case: shapes of the attributes, rows of the step and the bound on the error. */
export interface KernelCase<A> {
  readonly name: string;
  readonly attributes: A;
  /** Activation rows to run. */
  readonly rows: number;
  /** Output rows (default 1, the last). */
  readonly outputRows?: number;
  /** Tokens already in the KV cache before the step: of the longest sequence, when each row is one. */
  readonly pastTokens?: number;
  /** The step's `shift`. */
  readonly shift?: number;
  /** Whether the rows are consecutive positions of one sequence (default) or each the next token of its own. */
  readonly sequences?: "one" | "each";
}

/**
 * A kernel over the first rows of its weights. Where the weights of the whole kernel repeat those rows, its results are known from the
 * narrowed one's, so that a check needs neither the weights nor the reference of a large matrix.
 */
export interface Narrowed<A> {
  readonly attributes: A;
  /** The weight row that an output column is made of; undefined: the kernel leaves that column alone. Absent: columns are as they were. */
  readonly weightRow?: (col: number) => number | undefined;
  /** Tokens that the whole kernel may meet, where they choose the rows. */
  readonly tokenCount?: number;
}

/** What a step cannot do without. */
export interface KernelWork {
  /** Read and written, each byte once; activations count as f32, weights as the GPU stores them. */
  readonly bytes: number;
  /** Multiply-adds; a multiplication or an addition by itself counts as one. */
  readonly macs: number;
}

/**
 * A kernel over attributes `A` (everything fixed by the model: sizes, formats).
 * NMSE bounds: 1e-6 in f32, 5e-4 with quantized activations or f16 storage, against its reference in float64 accumulation.
 */
export interface Kernel<A> {
  readonly name: string;
  outputs(attributes: A): readonly OutputSpec[];
  /** The first is the safe default; the others may race it later. Empty when the target cannot run it. */
  variants(attributes: A, target: KernelTarget): readonly Variant[];
  operands(attributes: A): OperandSpecs;
  /** The kernel over the first `rows` rows of its weights, a multiple of 8; for kernels that have weights. */
  narrow?(attributes: A, rows: number): Narrowed<A>;
  /** What a step costs at the least, whatever the variant. */
  work(attributes: A, step: StepShape): KernelWork;
}
