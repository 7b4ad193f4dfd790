// Turns a layout plan into reads: which file bytes to fetch together and where each piece of them goes. Pure arithmetic; the
// loader carries it out. Refuses a file whose tensors are not what the plan was made from.

import { ShaderloomError, assert } from "../base/errors.ts";
import { bindAlignment, rowGroupSize, rowStride } from "../base/layout.ts";
import type { LayoutPlan, Slab, SlabPart } from "../base/layout.ts";
import { alignUp } from "../base/math.ts";
import { fileBytes } from "../formats/format.ts";
import type { WeightFormat } from "../formats/format.ts";
import type { TensorInfo } from "./gguf.ts";

/** Bytes of one tensor, or of whole row groups of it, and their place on the GPU. */
export interface Piece {
  readonly tensor: string;
  readonly kind: Slab["kind"];
  readonly format: WeightFormat;
  /** Vectors: one row of the vector's length. */
  readonly rows: number;
  readonly cols: number;
  /** From the start of the file. */
  readonly offset: number;
  readonly length: number;
  readonly slab: string;
  readonly slabOffset: number;
}

/** One range of the file with all the pieces that begin and end in it. */
export interface Read {
  readonly offset: number;
  readonly length: number;
  readonly pieces: readonly Piece[];
}

/** What a model file is checked against and how far reads may reach. */
export interface ReadRules {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly formats: ReadonlyMap<number, WeightFormat>;
  /** The bytes that a read should not exceed; a single row group may. */
  readonly readBytes: number;
}

/** Bytes between two pieces that are read along rather than starting another request. */
const gapBytes = 64 << 10;

/**
 * Reads in file order, each at most `readBytes` long unless one row group is longer.
 *
 * @throws {ShaderloomError} MODEL.tensor when the file lacks a tensor, MODEL.shape when it has another shape than planned
 */
export function planReads(plan: LayoutPlan, rules: ReadRules): readonly Read[] {
  const pieces = plan.slabs.flatMap((slab) => slab.parts.flatMap((part) => piecesOf(slab, part, rules)));
  const reads: Array<{ offset: number; length: number; pieces: Piece[] }> = [];
  for (const piece of pieces.toSorted((a, b) => a.offset - b.offset)) {
    const last = reads.at(-1);
    const end = piece.offset + piece.length;
    const joins = last !== undefined && piece.offset - (last.offset + last.length) <= gapBytes && end - last.offset <= rules.readBytes;
    if (!joins) reads.push({ offset: piece.offset, length: piece.length, pieces: [piece] });
    else {
      last.length = Math.max(last.length, end - last.offset);
      last.pieces.push(piece);
    }
  }
  return reads;
}

function piecesOf(slab: Slab, part: SlabPart, rules: ReadRules): readonly Piece[] {
  const tensor = rules.tensors.get(part.tensor);
  if (tensor === undefined) {
    const message = `The file lacks the tensor ${part.tensor}, which its architecture needs. Get the file again, or another one.`;
    throw new ShaderloomError("MODEL.tensor", message, { detail: { tensor: part.tensor } });
  }
  const format = rules.formats.get(tensor.type);
  assert(format, `no weight format for type ${tensor.type} of ${tensor.name}`);
  return slab.kind === "vector"
    ? [vectorPiece({ slab, part, tensor, format })]
    : matrixPieces({ slab, part, tensor, format }, rules.readBytes);
}

interface Placement {
  readonly slab: Slab;
  readonly part: SlabPart;
  readonly tensor: TensorInfo;
  readonly format: WeightFormat;
}

function vectorPiece({ slab, part, tensor, format }: Placement): Piece {
  const cols = elements(tensor.shape);
  if (alignUp(rowStride(cols) * 4, bindAlignment) !== part.bytes) throw wrongShape(tensor, `a vector of ${part.bytes / 4} values at most`);
  const { name, offset, bytes } = tensor;
  return { tensor: name, kind: "vector", format, rows: 1, cols, offset, length: bytes, slab: slab.name, slabOffset: part.byteOffset };
}

function matrixPieces({ slab, part, tensor, format }: Placement, readBytes: number): readonly Piece[] {
  const { cols } = slab;
  const { rowStart, rows, byteOffset } = part;
  const tensorRows = elements(tensor.shape.slice(0, -1));
  if (tensor.shape.at(-1) !== cols || rowStart + rows > tensorRows) throw wrongShape(tensor, `${rowStart + rows} rows of ${cols}`);
  assert(tensor.type === slab.ggufType, `${tensor.name} has type ${tensor.type}, its slab ${slab.ggufType}`);
  assert(rowStart % rowGroupSize === 0, `${tensor.name} is cut inside a row group`);
  const rowBytes = fileBytes(format, cols);
  const groupBytes = format.rowGroupBytes(cols);
  const step = Math.max(Math.floor(readBytes / (rowBytes * rowGroupSize)), 1) * rowGroupSize;
  const pieces: Piece[] = [];
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row);
    pieces.push({
      tensor: tensor.name,
      kind: "matrix",
      format,
      rows: count,
      cols,
      offset: tensor.offset + (rowStart + row) * rowBytes,
      length: count * rowBytes,
      slab: slab.name,
      slabOffset: byteOffset + (row / rowGroupSize) * groupBytes,
    });
  }
  return pieces;
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function wrongShape(tensor: TensorInfo, wanted: string): ShaderloomError {
  const message = `The tensor ${tensor.name} has shape [${tensor.shape.join(", ")}] where ${wanted} are needed. Get the file again, or another one.`;
  return new ShaderloomError("MODEL.shape", message, { detail: { tensor: tensor.name, shape: tensor.shape.join("x") } });
}
