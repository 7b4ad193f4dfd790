// Seeded random models as files on disk, written tensor by tensor, for loads whose size matters and not whose answers. Node only.

import { closeSync, existsSync, mkdirSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { alignUp } from "../src/base/math.ts";
import { seededRng } from "../src/base/rng.ts";
import { fileBytes } from "../src/formats/format.ts";
import type { WeightFormat } from "../src/formats/format.ts";
import { byteWriter, writeEntry } from "../src/testing/gguf_writer.ts";
import { formatNamed, type ModelShape, modelShapes, randomMetadata, randomWeights, tensorsOf } from "./random_model.ts";

const alignment = 32;

interface FileTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly bytes: number;
  readonly make: () => Uint8Array;
}

/** Llama 3.2 1B's layers, as many as come nearest to `bytes`, with a vocabulary that leaves room for them in small files. */
export function shapeOfBytes(bytes: number, formatName: string): ModelShape {
  const format = formatNamed(formatName);
  const base = { ...modelShapes["1b"], vocab: bytes < 1e9 ? 4096 : modelShapes["1b"].vocab };
  const sized = (layers: number): number =>
    tensorsOf({ ...base, layers }, { matrix: (_, rows, cols) => fileBytes(format, rows * cols), norm: () => base.hidden * 4 }).reduce(
      (sum, one) => sum + one,
    );
  const layer = sized(1) - sized(0);
  return { ...base, layers: Math.max(1, Math.round((bytes - sized(0)) / layer)) };
}

function fileTensors(shape: ModelShape, format: WeightFormat): FileTensor[] {
  const weights = randomWeights(format, 1);
  const rng = seededRng(2);
  return tensorsOf<FileTensor>(shape, {
    matrix: (name, rows, cols) => ({
      name: `${name}.weight`,
      shape: [rows, cols],
      type: format.ggufType,
      bytes: fileBytes(format, rows * cols),
      make: () => weights(rows, cols),
    }),
    norm: (name) => ({
      name: `${name}.weight`,
      shape: [shape.hidden],
      type: 0,
      bytes: shape.hidden * 4,
      make: () => new Uint8Array(Float32Array.from({ length: shape.hidden }, () => 1 + 0.1 * rng.normal()).buffer),
    }),
  });
}

function headerOf(name: string, shape: ModelShape, tensors: readonly FileTensor[]): Uint8Array {
  const metadata = randomMetadata(name, shape);
  const out = byteWriter();
  out.bytes(new TextEncoder().encode("GGUF"));
  out.u32(3);
  out.u64(tensors.length);
  out.u64(metadata.length);
  for (const entry of metadata) writeEntry(out, entry);
  let offset = 0;
  for (const tensor of tensors) {
    out.text(tensor.name);
    out.u32(tensor.shape.length);
    for (const size of tensor.shape.toReversed()) out.u64(size);
    out.u32(tensor.type);
    out.u64(offset);
    offset += alignUp(tensor.bytes, alignment);
  }
  out.pad(alignment);
  return out.finish();
}

/**
 * Writes a random Llama in the shape of Llama 3.2 1B, of about so many bytes, unless it is there already.
 * @returns its bytes
 */
export function writeRandomModel(path: string, { bytes, format: formatName }: { bytes: number; format: string }): number {
  if (existsSync(path)) return statSync(path).size;
  const format = formatNamed(formatName);
  const shape = shapeOfBytes(bytes, formatName);
  const tensors = fileTensors(shape, format);
  mkdirSync(dirname(path), { recursive: true });
  const unfinished = `${path}.part`;
  const file = openSync(unfinished, "w");
  writeSync(file, headerOf(`random ${shape.layers} layers ${formatName}`, shape, tensors));
  for (const tensor of tensors) {
    writeSync(file, tensor.make());
    writeSync(file, new Uint8Array(alignUp(tensor.bytes, alignment) - tensor.bytes));
  }
  closeSync(file);
  renameSync(unfinished, path);
  return statSync(path).size;
}
