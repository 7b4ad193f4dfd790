// Reads the header of a GGUF v2 or v3 file: metadata and the tensor table, every number of it checked before use. Reads no
// tensor data and decides nothing about models. gguf_faults.test.ts lists what is refused with which code.
// Format: github.com/ggml-org/ggml/blob/master/docs/gguf.md

import { ShaderloomError } from "../../base/errors.ts";
import { alignUp, checkedAdd, checkedMul } from "../../base/math.ts";
import type { Metadata, MetaValue } from "../../base/metadata.ts";
import { ggmlTypeName, ggmlTypes } from "./ggml_types.ts";
import type { GgmlType } from "./ggml_types.ts";
import { defaultGgufLimits, formatError, printable, readEntry, readString, u32Type } from "./values.ts";
import type { GgufCursor, GgufLimits } from "./values.ts";
import { HeaderReader, truncated } from "./header_reader.ts";
import type { ByteSource } from "../byte_source.ts";
import type { ModelHeader, TensorInfo } from "../tensor_info.ts";

export type { GgufLimits } from "./values.ts";
export type { TensorInfo } from "../tensor_info.ts";

/** Tensors are in file order. */
export interface GgufFile extends ModelHeader {
  readonly version: number;
  readonly alignment: number;
  /** Where tensor data starts: the header's end, aligned. */
  readonly dataOffset: number;
  readonly headerBytes: number;
}

export interface OpenGgufOptions {
  readonly signal?: AbortSignal;
  readonly limits?: Partial<GgufLimits>;
}

const supportedVersions = [2, 3];
const defaultAlignment = 32;
const maxDimensions = 4;
/** Least bytes of a key-value pair (empty key, type, one byte) and of a tensor (empty name, no dimensions, type, offset). */
const leastEntryBytes = 8 + 4 + 1;
const leastTensorBytes = 8 + 4 + 4 + 8;

/**
 * Parses the header. The tensor data need only exist: nothing of it is read.
 *
 * @throws {ShaderloomError} FORMAT.magic, .version, .count, .string, .type, .key, .align, .shape, .extent, .dup, .truncated;
 *   LIMIT.*; UNSUPPORTED.type for a type id that no GGML has; what the source throws
 */
export async function openGguf(source: ByteSource, options: OpenGgufOptions = {}): Promise<GgufFile> {
  const limits = { ...defaultGgufLimits, ...options.limits };
  const reader = new HeaderReader(source, { signal: options.signal, maxBytes: limits.headerBytes });
  const cursor: GgufCursor = { source, reader, limits };
  const version = await readVersion(cursor);
  await reader.need(16, "the header");
  const tensorCount = readCount(cursor, { what: "tensors", least: leastTensorBytes, limit: limits.tensors });
  const entryCount = readCount(cursor, { what: "metadata entries", least: leastEntryBytes, limit: limits.entries });
  const { metadata, alignment } = await readMetadata(cursor, entryCount);
  const declared = await readTensorTable(cursor, tensorCount);
  const headerBytes = reader.offset;
  const dataOffset = alignUp(headerBytes, alignment);
  const tensors = placeTensors(cursor, declared, { alignment, dataOffset });
  return { version, metadata, tensors, alignment, dataOffset, headerBytes };
}

async function readVersion(cursor: GgufCursor): Promise<number> {
  const { reader, source } = cursor;
  if (source.size < 4) throw truncated(source, 0, 4, "the magic number");
  await reader.need(Math.min(source.size, 8), "the header");
  const magic = reader.take(4);
  const found = String.fromCharCode(...magic);
  if (found !== "GGUF") {
    // A chunk of its own, that only mistakes need.
    const known = await import("../foreign_files.ts").then(({ foreignFile }) => foreignFile(magic)).catch(() => undefined);
    const hint = known ?? "it is another kind of file";
    const message = `${source.name} is not a GGUF file: ${hint}. Pick a file that ends in .gguf.`;
    throw new ShaderloomError("FORMAT.magic", message, {
      detail: { found: [...magic].map((byte) => byte.toString(16).padStart(2, "0")).join("") },
    });
  }
  await reader.need(4, "the version");
  const version = reader.u32();
  if (supportedVersions.includes(version)) return version;
  const swapped = version !== 0 && (version & 0xffff) === 0;
  const problem = swapped ? "is written for big-endian machines" : `has version ${version}`;
  const message = `${source.name} ${problem}; versions ${supportedVersions.join(" and ")} in little-endian order are supported. Get or convert a newer file.`;
  throw new ShaderloomError("FORMAT.version", message, {
    detail: { version, bigEndian: swapped, supported: supportedVersions.map(String) },
  });
}

interface CountRule {
  readonly what: string;
  readonly least: number;
  readonly limit: number;
}

/** A count within the cap that the file has no room for is a file cut short; one over the cap is a lie or too much. */
function readCount(cursor: GgufCursor, { what, least, limit }: CountRule): number {
  const { reader, source } = cursor;
  const count = reader.u64();
  const bytes = typeof count === "number" ? checkedMul(count, least) : undefined;
  const possible = bytes !== undefined && bytes <= reader.left;
  if (typeof count === "number" && count <= limit) {
    if (possible) return count;
    throw truncated(source, reader.offset, bytes ?? count, `the ${what}`);
  }
  if (!possible) throw formatError(cursor, "FORMAT.count", `it claims ${count} ${what}, more than the file could hold`);
  const message = `${source.name} has ${count} ${what}; the limit is ${limit}. Use another file.`;
  throw new ShaderloomError("LIMIT.count", message, { detail: { count: String(count), limit } });
}

async function readMetadata(cursor: GgufCursor, count: number): Promise<{ metadata: Metadata; alignment: number }> {
  const metadata = new Map<string, MetaValue>();
  let alignment = defaultAlignment;
  for (let i = 0; i < count; i++) {
    const { key, type, value } = await readEntry(cursor);
    if (metadata.has(key)) throw formatError(cursor, "FORMAT.key", `the metadata key ${printable(key)} occurs twice`);
    metadata.set(key, value);
    if (key !== "general.alignment") continue;
    const valid =
      type === u32Type && typeof value === "number" && value > 0 && value <= cursor.limits.alignment && Number.isInteger(Math.log2(value));
    if (!valid) throw formatError(cursor, "FORMAT.align", "general.alignment is no u32 power of two of a sensible size");
    alignment = value;
  }
  return { metadata, alignment };
}

/** A tensor as declared: its offset is still relative and unchecked. */
interface DeclaredTensor {
  readonly name: string;
  readonly type: GgmlType;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly offset: number | bigint;
}

async function readTensorTable(cursor: GgufCursor, count: number): Promise<readonly DeclaredTensor[]> {
  const { reader, limits } = cursor;
  const declared: DeclaredTensor[] = [];
  const names = new Set<string>();
  for (let i = 0; i < count; i++) {
    const start = reader.offset;
    const name = await readString(cursor, "a tensor name");
    if (reader.offset - start - 8 > limits.nameBytes) {
      const message = `A tensor name in ${cursor.source.name} is longer than ${limits.nameBytes} bytes: ${printable(name)}. Use another file.`;
      throw new ShaderloomError("LIMIT.name", message, { detail: { offset: reader.offset, limit: limits.nameBytes } });
    }
    if (names.has(name)) throw formatError(cursor, "FORMAT.dup", `the tensor ${printable(name)} occurs twice`);
    names.add(name);
    const what = `the description of ${printable(name)}`;
    if (reader.lacks(4)) await reader.need(4, what);
    const dimensions = reader.u32();
    if (dimensions > maxDimensions) throw formatError(cursor, "FORMAT.shape", `${printable(name)} has ${dimensions} dimensions`);
    if (reader.lacks(dimensions * 8 + 12)) await reader.need(dimensions * 8 + 12, what);
    const shape = readShape(cursor, name, dimensions);
    const type = knownTensorType(name, reader.u32());
    const bytes = tensorBytes(cursor, { name, type, shape });
    declared.push({ name, type, shape, bytes, offset: reader.u64() });
  }
  return declared;
}

function readShape(cursor: GgufCursor, name: string, dimensions: number): readonly number[] {
  const shape: number[] = [];
  for (let i = 0; i < dimensions; i++) {
    const size = cursor.reader.u64();
    if (typeof size === "bigint") throw formatError(cursor, "FORMAT.shape", `${printable(name)} has a dimension of ${size}`);
    shape.unshift(size);
  }
  return shape;
}

function knownTensorType(name: string, id: number): GgmlType {
  const type: GgmlType | undefined = ggmlTypes[id];
  if (type !== undefined) return type;
  const message = `The tensor ${printable(name)} has the unknown GGML type ${id}. Pick a file with another quantization.`;
  throw new ShaderloomError("UNSUPPORTED.type", message, { detail: { tensor: name, type: ggmlTypeName(id) } });
}

/** Bytes of the packed tensor. A dimension of 0 makes it empty; the other dimensions must still multiply to a safe number. */
function tensorBytes(cursor: GgufCursor, tensor: { name: string; type: GgmlType; shape: readonly number[] }): number {
  const { name, type, shape } = tensor;
  let product: number | undefined = 1;
  for (const size of shape) product = product === undefined ? undefined : checkedMul(product, Math.max(size, 1));
  const bytes = product === undefined ? undefined : checkedMul(Math.ceil(product / type.blockSize), type.bytesPerBlock);
  if (bytes === undefined) throw formatError(cursor, "FORMAT.shape", `${printable(name)} has the impossible shape [${shape.join(", ")}]`);
  const cols = shape.at(-1) ?? 1;
  if (cols % type.blockSize !== 0) {
    const message = `The tensor ${printable(name)} has rows of ${cols} weights, no multiple of ${type.name}'s block of ${type.blockSize}. Pick another file.`;
    throw new ShaderloomError("UNSUPPORTED.block", message, { detail: { tensor: name, type: type.name, cols } });
  }
  return shape.includes(0) ? 0 : bytes;
}

/** Offsets must be the running sum of padded sizes, as ggml writes and demands: aligned, in order, no overlap, no hole. */
function placeTensors(
  cursor: GgufCursor,
  declared: readonly DeclaredTensor[],
  { alignment, dataOffset }: { alignment: number; dataOffset: number },
): ReadonlyMap<string, TensorInfo> {
  const tensors = new Map<string, TensorInfo>();
  let expected = 0;
  for (const { name, type, shape, bytes, offset: relative } of declared) {
    if (relative !== expected) {
      throw formatError(cursor, "FORMAT.extent", `${printable(name)} is at offset ${relative} of the data where ${expected} is due`);
    }
    const offset = dataOffset + expected;
    const end = checkedAdd(offset, bytes);
    if (end === undefined) throw formatError(cursor, "FORMAT.extent", `${printable(name)} ends past any file`);
    if (bytes > 0 && end > cursor.source.size)
      throw truncated(cursor.source, offset, bytes, `the tensor ${printable(name)} (${type.name})`);
    tensors.set(name, { name, type: type.id, shape, offset, bytes });
    expected += alignUp(bytes, alignment);
  }
  return tensors;
}
