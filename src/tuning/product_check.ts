// Whether a variant of a product is right on this adapter: in the model's own weights, on the rows of them that were kept. That proves the
// repacking, the upload and the codebook as well as the shader.

import { f16ToF32 } from "../base/dtype.ts";
import { ShaderloomError } from "../base/errors.ts";
import type { CpuTensor, Kernel, KernelTarget } from "../kernels/kernel.ts";
import { bestOf } from "../kernels/matrix.ts";
import { referenceOf } from "../kernels/references/index.ts";
import { type KernelClass, productOf } from "./classes.ts";
import { elementType } from "./operands.ts";
import type { KeptRows } from "./kept_rows.ts";
import { type Compiled, differentRows, outputOf, type ProductBench, stepRowsOf, type WrittenRow } from "./product_bench.ts";

/** What a check found; `unchecked` says nothing against a variant. */
export type Verdict =
  | { readonly kind: "right" }
  | { readonly kind: "wrong"; readonly reason: string }
  | { readonly kind: "unchecked"; readonly reason: string };

/** Largest normalised mean squared error against the reference on the same activations; half precision rounds what it stores. */
export function checkBound(target: KernelTarget): number {
  return target.precision === "f16" ? 1e-5 : 1e-6;
}

/** What an adapter may flush to zero of a product: weights below 2^-100, whatever they are multiplied with. */
const flushed = 2 ** -90;
const largestHalf = 65504;

/** Rows that a check runs over: a whole tier where that costs nothing. */
export function checkCount({ target }: KernelClass): number {
  return target.caps.software ? Math.min(target.maxRows, 9) : target.maxRows;
}

/** Rows of the output that are compared: on both sides of every tile border that kernels have. */
export function checkedRows(count: number): readonly number[] {
  if (count <= 9) return Array.from({ length: count }, (_, row) => row);
  const rows = [0, 1, 7, 8, 31, 32, 63, 64, count >> 1, count - 2, count - 1];
  return [...new Set(rows)].filter((row) => row < count).toSorted((a, b) => a - b);
}

/** A class filled in and ready to be checked, any variant of it. */
export interface ReadyCheck {
  run(compiled: Compiled): Promise<Verdict>;
}

/** Column of the output -> index of a kept weight row, -1: some number, -2: left alone. */
const someNumber = -1;
const leftAlone = -2;

interface Wanted {
  readonly cls: KernelClass;
  /** [different rows, kept rows]. */
  readonly values: CpuTensor;
  /** What each column of the output is. */
  readonly columns: Int32Array;
}

/** Fills the bench for a class; checks of other classes before it were submitted, and none of this one is after the next. */
export function readyCheck(bench: ProductBench, cls: KernelClass, kept: KeptRows): ReadyCheck {
  const count = checkCount(cls);
  const range = cls.calls[0].weights[0];
  const weights = range && kept.find(range);
  if (!weights) return { run: async () => ({ kind: "unchecked", reason: "rows of its weights were not kept" }) };
  const activations = bench.fill(cls, count);
  const rows = checkedRows(count);
  let wanted: Wanted | undefined;
  const want = (): Wanted => {
    wanted ??= cls.calls[0].visit((kernel, attributes) => expected({ kernel, attributes, cls, weights, activations }));
    return wanted;
  };
  return {
    run: async (compiled) => {
      try {
        return judge(await bench.run(cls, compiled, { count, rows }), want());
      } catch (thrown) {
        if (!(thrown instanceof ShaderloomError)) throw thrown;
        if (thrown.code === "GPU.oom") return { kind: "unchecked", reason: thrown.message };
        if (thrown.code === "GPU.error") return { kind: "wrong", reason: thrown.message };
        throw thrown;
      }
    },
  };
}

interface Expecting<A> {
  readonly kernel: Kernel<A>;
  readonly attributes: A;
  readonly cls: KernelClass;
  readonly weights: NonNullable<ReturnType<KeptRows["find"]>>;
  readonly activations: ReturnType<ProductBench["fill"]>;
}

function expected<A>({ kernel, attributes, cls, weights, activations }: Expecting<A>): Wanted {
  const product = productOf(cls);
  // Of a pair, kept rows of the first half are followed by the same rows of the second.
  const own = product?.pair ? weights.rows.slice(0, weights.rows.length / 2) : weights.rows;
  const whole = kernel.narrow?.(attributes, Number.MAX_SAFE_INTEGER);
  const place = new Map(own.map((row, index) => [row, index]));
  const columns = Int32Array.from({ length: outputOf(cls).spec.cols }, (_, col) => {
    const row = whole?.weightRow ? whole.weightRow(col) : col;
    return row === undefined ? leftAlone : (place.get(row) ?? someNumber);
  });
  const rowCount = activations.inputs[0].rows;
  const rows = stepRowsOf(cls, rowCount);
  const inputs = activations.inputs.map((input, index, all) => {
    return product?.residual && index === all.length - 1 ? keptColumns(input, columns, own.length) : input;
  });
  const vectors = activations.vectors.map((vector, index) => {
    return product?.norm && index === 0 ? vector : Float32Array.from(weights.rows, (row) => vector[row]);
  });
  const [values] = referenceOf(kernel)(kernel.narrow?.(attributes, own.length).attributes ?? attributes, {
    inputs,
    weights: [weights.weights],
    vectors,
    tables: [],
    rows,
    outputRows: [...rows.keys()],
  });
  return { cls, values, columns };
}

/** What is added to the columns of kept rows, in their order. */
function keptColumns({ rows, cols, data }: CpuTensor, columns: Int32Array, count: number): CpuTensor {
  const kept = new Float32Array(rows * count);
  for (const [col, index] of columns.entries()) {
    if (index < 0) continue;
    for (let row = 0; row < rows; row++) kept[row * count + index] = data[row * cols + col];
  }
  return { rows, cols: count, data: kept };
}

/** The first of eight columns whose best is not the largest of what the product wrote itself. */
function wrongBest(values: Float32Array, best: Float32Array, columns: Int32Array): number | undefined {
  for (let col = 0; col < columns.length; col += bestOf) {
    if (columns[col] === leftAlone) continue;
    const own = values.subarray(col, Math.min(col + bestOf, columns.length));
    // A number that is none is found by itself.
    if (own.every((value) => Number.isFinite(value)) && Math.max(...own) !== best[col / bestOf]) return col;
  }
  return undefined;
}

function judge(found: readonly WrittenRow[], { cls, values, columns }: Wanted): Verdict {
  const { spec, stride } = outputOf(cls);
  const half = elementType(spec.type, cls.target) === "f16";
  const ownTail = columns[columns.length - 1] !== leftAlone;
  let [error, norm] = [0, 0];
  for (const { row, bytes, best } of found) {
    const misled = best && wrongBest(new Float32Array(bytes.buffer), new Float32Array(best.buffer), columns);
    if (misled !== undefined) return { kind: "wrong", reason: `the best of row ${row} from column ${misled} on is none of its columns` };
    const floats = half ? Float32Array.from(new Uint16Array(bytes.buffer), f16ToF32) : new Float32Array(bytes.buffer);
    const at = (row % differentRows) * values.cols;
    for (let col = 0; col < stride; col++) {
      const value = floats[col];
      const place = col < columns.length ? columns[col] : leftAlone;
      const wrong = (what: string): Verdict => ({ kind: "wrong", reason: `column ${col} of row ${row} is ${value}, ${what}` });
      if (col >= columns.length && ownTail) {
        if (value !== 0) return wrong("not the zero of padding");
      } else if (place === leftAlone) {
        if (!Number.isNaN(value)) return wrong("and should have been left alone");
        // Sums beyond f32 depend on their order.
      } else if (place === someNumber || Number.isFinite(values.data[at + place])) {
        if (!Number.isFinite(value)) return wrong("which is no number");
        if (place === someNumber) continue;
        const plain = values.data[at + place];
        const want = half ? Math.max(-largestHalf, Math.min(largestHalf, plain)) : plain;
        const off = Math.abs(value - want);
        error += off <= flushed ? 0 : off ** 2;
        norm += want ** 2;
      }
    }
  }
  const nmse = error === 0 ? 0 : error / Math.max(norm, Number.MIN_VALUE);
  if (nmse <= checkBound(cls.target)) return { kind: "right" };
  return { kind: "wrong", reason: `its results are off by an NMSE of ${nmse.toExponential(1)}` };
}
