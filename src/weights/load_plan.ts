// Turns a layout plan into reads: which file bytes to fetch together and where each piece of them goes. Pure arithmetic; the
// loader carries it out. Refuses a file whose tensors are not what the plan was made from.

import { ShaderloomError, assert } from "../base/errors.ts";
import { bindAlignment, rowGroupSize, rowStride } from "../base/layout.ts";
import type { LayoutPlan, Slab, SlabPart } from "../base/layout.ts";
import { alignUp } from "../base/math.ts";
import { codebookBytes, fileBytes } from "../formats/format.ts";
import type { WeightFormat } from "../formats/format.ts";
import { elementsOf } from "./tensor_info.ts";
import type { StoredEncoding, TensorInfo } from "./tensor_info.ts";

/** Bytes of one tensor, or of whole row groups of it, and their place on the GPU. */
export interface Piece {
  readonly tensor: string;
  readonly kind: Slab["kind"];
  readonly format: WeightFormat;
  /** How its bytes are stored, when that is not `format`. */
  readonly stored: StoredEncoding | undefined;
  /** Its first row in the tensor. */
  readonly tensorRow: number;
  /** Vectors: one row of the vector's length. */
  readonly rows: number;
  readonly cols: number;
  /** From the start of the file. */
  readonly offset: number;
  readonly length: number;
  readonly slab: string;
  readonly slabOffset: number;
}

/** What is read at once of one chunk of the file, and the pieces of which bytes lie in it. */
export interface Read {
  readonly offset: number;
  readonly length: number;
  /** Those that reach over an end of the read are in the reads beside it too. */
  readonly pieces: readonly Piece[];
}

/** What a model file is checked against and how reads are cut. */
export interface ReadRules {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly formats: ReadonlyMap<number, WeightFormat>;
  /** Reads cross no multiple of it. A store checks whole chunks, so a read over a border would cost two of them. */
  readonly chunkBytes: number;
  /** The bytes that a piece should not exceed; a single row group may. */
  readonly pieceBytes: number;
}

/**
 * One read for each chunk of the file that holds something needed, chunks with the weights that are computed with first before others.
 * Vectors lie between the matrices of their layer and are read along with them.
 *
 * @throws {ShaderloomError} MODEL.tensor when the file lacks a tensor, MODEL.shape when it has another shape than planned
 */
export function planReads(plan: LayoutPlan, rules: ReadRules): readonly Read[] {
  const chunks = new Map<number, OpenRead>();
  const parts = plan.slabs.flatMap((slab) => slab.parts.map((part) => ({ slab, part })));
  for (const [index, { slab, part }] of parts.entries()) {
    const rank = slab.kind === "vector" ? Infinity : index;
    for (const piece of piecesOf(slab, part, rules)) addToReads(chunks, piece, { rank, chunkBytes: rules.chunkBytes });
  }
  const inFileOrder = [...chunks.values()].toSorted((a, b) => a.start - b.start);
  return inFileOrder
    .toSorted((a, b) => (a.rank === b.rank ? 0 : a.rank - b.rank))
    .map(({ start, end, pieces }) => ({ offset: start, length: end - start, pieces }));
}

interface OpenRead {
  start: number;
  end: number;
  /** The place of its first-needed tensor in the plan. */
  rank: number;
  readonly pieces: Piece[];
}

function addToReads(chunks: Map<number, OpenRead>, piece: Piece, { rank, chunkBytes }: { rank: number; chunkBytes: number }): void {
  const end = piece.offset + piece.length;
  for (let start = piece.offset; start < end;) {
    const chunk = Math.floor(start / chunkBytes);
    const stop = Math.min(end, (chunk + 1) * chunkBytes);
    const read = chunks.get(chunk) ?? { start, end: stop, rank, pieces: [] };
    chunks.set(chunk, read);
    read.start = Math.min(read.start, start);
    read.end = Math.max(read.end, stop);
    read.rank = Math.min(read.rank, rank);
    read.pieces.push(piece);
    start = stop;
  }
}

function piecesOf(slab: Slab, part: SlabPart, rules: ReadRules): readonly Piece[] {
  const tensor = rules.tensors.get(part.tensor);
  if (tensor === undefined) {
    const message = `The file lacks the tensor ${part.tensor}, which its architecture needs. Get the file again, or another one.`;
    throw new ShaderloomError("MODEL.tensor", message, { detail: { tensor: part.tensor } });
  }
  const format = rules.formats.get(tensor.type);
  assert(format, `no weight format for type ${tensor.type} of ${tensor.name}`);
  return slab.kind === "vector" ? [vectorPiece({ slab, part, tensor, format })] : matrixPieces({ slab, part, tensor, format }, rules);
}

interface Placement {
  readonly slab: Slab;
  readonly part: SlabPart;
  readonly tensor: TensorInfo;
  readonly format: WeightFormat;
}

function vectorPiece({ slab, part, tensor, format }: Placement): Piece {
  const cols = elementsOf(tensor);
  const room = part.stacked ? cols * 4 : alignUp(rowStride(cols) * 4, bindAlignment);
  if (room !== part.bytes) throw wrongShape(tensor, `a vector of ${part.bytes / 4} values at most`);
  const { name, offset, bytes, stored } = tensor;
  const place = { offset, length: bytes, slab: slab.name, slabOffset: part.byteOffset };
  return { tensor: name, kind: "vector", format, stored, tensorRow: 0, rows: 1, cols, ...place };
}

/** Runs of whole row groups that lie in one chunk each; a group on a border is a piece of its own. */
function matrixPieces({ slab, part, tensor, format }: Placement, rules: ReadRules): readonly Piece[] {
  const { cols } = slab;
  const { rowStart, rows, byteOffset } = part;
  const tensorRows = elementsOf({ shape: tensor.shape.slice(0, -1) });
  if (tensor.shape.at(-1) !== cols || rowStart + rows > tensorRows) throw wrongShape(tensor, `${rowStart + rows} rows of ${cols}`);
  assert(tensor.type === slab.ggufType, `${tensor.name} has type ${tensor.type}, its slab ${slab.ggufType}`);
  assert(rowStart % rowGroupSize === 0, `${tensor.name} is cut inside a row group`);
  const rowBytes = storedRowBytes(tensor, cols, rules);
  // Converted pieces take room as f32 and longer to make.
  const pieceBytes = tensor.stored === undefined ? rules.pieceBytes : rules.pieceBytes / 4;
  const groupBytes = format.rowGroupBytes(cols);
  const first = byteOffset + (part.stacked ? 0 : codebookBytes(format));
  const pieces: Piece[] = [];
  for (let row = 0; row < rows;) {
    const offset = tensor.offset + (rowStart + row) * rowBytes;
    const room = Math.min(rules.chunkBytes - (offset % rules.chunkBytes), pieceBytes);
    const fitting = Math.floor(room / (rowBytes * rowGroupSize)) * rowGroupSize;
    const count = (rows - row) * rowBytes <= room ? rows - row : Math.min(Math.max(fitting, rowGroupSize), rows - row);
    pieces.push({
      tensor: tensor.name,
      kind: "matrix",
      format,
      stored: tensor.stored,
      tensorRow: rowStart + row,
      rows: count,
      cols,
      offset,
      length: count * rowBytes,
      slab: slab.name,
      slabOffset: first + (row / rowGroupSize) * groupBytes,
    });
    row += count;
  }
  return pieces;
}

/** File bytes of a row. */
function storedRowBytes({ type, stored }: TensorInfo, cols: number, { formats }: ReadRules): number {
  const encoding = stored?.type ?? type;
  if (typeof encoding === "string") return cols;
  const format = formats.get(encoding);
  assert(format, `no weight format for the stored type ${encoding}`);
  return fileBytes(format, cols);
}

function wrongShape(tensor: TensorInfo, wanted: string): ShaderloomError {
  const message = `The tensor ${tensor.name} has shape [${tensor.shape.join(", ")}] where ${wanted} are needed. Get the file again, or another one.`;
  return new ShaderloomError("MODEL.shape", message, { detail: { tensor: tensor.name, shape: tensor.shape.join("x") } });
}
