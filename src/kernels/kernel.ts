// The contract of a kernel: the variants an adapter may run, the CPU reference that says what is right, and the cases that
// tests and benches run. Kernels know shapes and formats; they never see a graph, a model or a file.

import type { DeviceClass, Caps } from "../gpu/caps.ts";
import type { BindingDeclaration, Header } from "../gpu/shader.ts";

/** Text never depends on a race between variants: they only compete inside one class (decision 6). */
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
 * `[slot, maxPages]` of u32; `state`: the step state as storage, only for `advance`.
 */
export type Operand =
  | `input${number}`
  | `output${number}`
  | `weight${number}`
  | `vector${number}`
  | `table${number}`
  | "kv"
  | "pages"
  | "state";

export interface KernelBinding extends BindingDeclaration {
  readonly from: Operand;
}

/** One specialisation of a kernel. At most 8 bindings. */
export interface Variant {
  /** `gemv/q4_k/f32/cpu`: pipeline key prefix, GPU label, timing row, bench row and test title. */
  readonly key: string;
  readonly precision: Precision;
  readonly header: Header;
  /** Below `shaders/`. */
  readonly files: readonly string[];
  readonly bindings: readonly KernelBinding[];
  /** Whether the shader reads the step state (`step`). Its room is `target.maxRows`. */
  readonly usesStep: boolean;
  grid(step: StepShape): Grid;
}

/** A dense matrix on the CPU, without padding. */
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
  readonly kv?: CpuKv;
}

/** Sizes of a kernel's output, for the memory plan: rows are activation rows or output rows. */
export interface OutputSpec {
  readonly rows: "rows" | "outputRows";
  readonly cols: number;
  /** `act`: the activation type; `f32`: always f32 (logits, partials); `u32`: ids. */
  readonly type: "act" | "f32" | "u32";
}

/** One conformance case: shapes of the attributes, rows of the step and the bound on the error. */
export interface KernelCase<A> {
  readonly name: string;
  readonly attributes: A;
  /** Activation rows to run. */
  readonly rows: number;
  /** Output rows (default 1, the last). */
  readonly outputRows?: number;
  /** Tokens already in the KV cache before the step. */
  readonly pastTokens?: number;
}

/**
 * A kernel over attributes `A` (everything fixed by the model: sizes, formats).
 * NMSE bounds: 1e-6 in f32, 5e-4 with quantized activations or f16 storage, against `reference` in float64 accumulation.
 */
export interface Kernel<A> {
  readonly name: string;
  outputs(attributes: A): readonly OutputSpec[];
  /** The first is the safe default; the others may race it later. Empty when the target cannot run it. */
  variants(attributes: A, target: KernelTarget): readonly Variant[];
  reference(attributes: A, args: CpuArgs): readonly CpuTensor[];
  readonly cases: readonly KernelCase<A>[];
}
