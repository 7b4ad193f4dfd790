// Reads the header of a safetensors file: 8 bytes of length, JSON that names every tensor, then their bytes without a hole. Every number is
// checked before use. Reads no tensor data and knows nothing of models; faults.test.ts lists what is refused with which code.
// Format: github.com/huggingface/safetensors#format

import { ShaderloomError } from "../../base/errors.ts";
import type { FullErrorCode } from "../../base/errors.ts";
import { checkedMul } from "../../base/math.ts";
import type { ByteSource } from "../byte_source.ts";
import { foreignFile } from "../foreign_files.ts";
import { HeaderReader, truncated } from "../gguf/header_reader.ts";
import { printable } from "../gguf/values.ts";
import { dtypeBits } from "./dtypes.ts";
import { JsonProblem, parseStrictJson } from "./strict_json.ts";
import type { JsonValue } from "./strict_json.ts";

/** A tensor as the file declares it. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: string;
  /** Rows first. */
  readonly shape: readonly number[];
  /** From the start of the file. */
  readonly offset: number;
  readonly bytes: number;
}

export interface SafetensorsFile {
  /** Texts of `__metadata__`. */
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of their bytes. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly dataOffset: number;
}

/** Caps on what a file may ask for. */
export interface SafetensorsLimits {
  /** Bytes of JSON; the format itself allows 100 MB. */
  readonly headerBytes: number;
  readonly tensors: number;
  readonly nameBytes: number;
}

export const defaultSafetensorsLimits: SafetensorsLimits = { headerBytes: 16 << 20, tensors: 65_536, nameBytes: 255 };

export interface OpenSafetensorsOptions {
  readonly signal?: AbortSignal | undefined;
  readonly limits?: Partial<SafetensorsLimits> | undefined;
}

const lengthBytes = 8;
const maxDimensions = 8;

/**
 * Parses the header. The tensor data need only exist: nothing of it is read.
 *
 * @throws {ShaderloomError} FORMAT.magic, .json, .dup, .type, .shape, .extent, .truncated; LIMIT.metadata, .count, .name; UNSUPPORTED.type for
 *   a dtype that the format does not have; what the source throws
 */
export async function openSafetensors(source: ByteSource, options: OpenSafetensorsOptions = {}): Promise<SafetensorsFile> {
  const limits = { ...defaultSafetensorsLimits, ...options.limits };
  const { text, dataOffset } = await readHeader(source, options.signal, limits);
  const root = parseHeader(source, text);
  const metadata = readMetadata(source, root.get("__metadata__"));
  const count = root.size - (root.has("__metadata__") ? 1 : 0);
  if (count > limits.tensors) {
    const message = `${source.name} has ${count} tensors; the limit is ${limits.tensors}. Use another file.`;
    throw new ShaderloomError("LIMIT.count", message, { detail: { count, limit: limits.tensors } });
  }
  const declared: DeclaredTensor[] = [];
  for (const [name, value] of root) {
    if (name === "__metadata__") continue;
    if (name.length > limits.nameBytes) {
      const message = `A tensor name in ${source.name} is longer than ${limits.nameBytes} characters: ${printable(name)}. Use another file.`;
      throw new ShaderloomError("LIMIT.name", message, { detail: { limit: limits.nameBytes } });
    }
    declared.push(readTensor(source, name, value));
  }
  return { metadata, tensors: placeTensors(source, declared, dataOffset), dataOffset };
}

async function readHeader(
  source: ByteSource,
  signal: AbortSignal | undefined,
  limits: SafetensorsLimits,
): Promise<{ readonly text: string; readonly dataOffset: number }> {
  const maxBytes = lengthBytes + limits.headerBytes;
  const reader = new HeaderReader(source, { maxBytes, ...(signal ? { signal } : {}) });
  if (source.size < lengthBytes) throw truncated(source, 0, lengthBytes, "the header's length");
  await reader.need(lengthBytes, "the header's length");
  const start = reader.take(lengthBytes).slice();
  const length = new DataView(start.buffer).getBigUint64(0, true);
  if (length > BigInt(limits.headerBytes)) throw longHeader(source, { start, length, limit: limits.headerBytes });
  const bytes = Number(length);
  if (bytes < 2) throw headerError(source, "FORMAT.json", "its header has no room for JSON");
  await reader.need(bytes, "the header");
  const text = reader.text(bytes);
  if (text === undefined) throw headerError(source, "FORMAT.json", "its header is no UTF-8 text");
  if (!text.startsWith("{")) throw headerError(source, "FORMAT.json", "its header does not begin with a brace");
  return { text, dataOffset: lengthBytes + bytes };
}

interface LongHeader {
  /** The first bytes of the file. */
  readonly start: Uint8Array;
  readonly length: bigint;
  readonly limit: number;
}

/** Eight letters read as a length are enormous, so this is where other kinds of files end. */
function longHeader(source: ByteSource, { start, length, limit }: LongHeader): ShaderloomError {
  const possible = length <= BigInt(Math.max(source.size - lengthBytes, 0));
  if (possible) {
    const message = `The header of ${source.name} is longer than ${limit} bytes. Use a file with less metadata.`;
    return new ShaderloomError("LIMIT.metadata", message, { detail: { length: String(length), limit } });
  }
  const hint = foreignFile(start) ?? "its first bytes are no length of a header";
  const message = `${source.name} is not a safetensors file: ${hint}. Pick a file that ends in .safetensors.`;
  return new ShaderloomError("FORMAT.magic", message, { detail: { length: String(length) } });
}

function parseHeader(source: ByteSource, text: string): ReadonlyMap<string, JsonValue> {
  try {
    const value = parseStrictJson(text);
    if (value instanceof Map) return value;
    throw headerError(source, "FORMAT.json", "its header is no JSON object");
  } catch (thrown) {
    if (!(thrown instanceof JsonProblem)) throw thrown;
    const { repeated, at, message } = thrown;
    if (repeated !== undefined) throw headerError(source, "FORMAT.dup", `${printable(repeated)} occurs twice`, { at });
    throw headerError(source, "FORMAT.json", `its header is no JSON (${message} at character ${at})`, { at });
  }
}

function readMetadata(source: ByteSource, value: JsonValue | undefined): ReadonlyMap<string, string> {
  if (value === undefined) return new Map();
  const texts = value instanceof Map ? [...value].filter((entry): entry is [string, string] => typeof entry[1] === "string") : [];
  if (value instanceof Map && texts.length === value.size) return new Map(texts);
  throw headerError(source, "FORMAT.type", "its __metadata__ is no list of texts");
}

/** Offsets are still relative and unchecked. */
interface DeclaredTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function readTensor(source: ByteSource, name: string, value: JsonValue): DeclaredTensor {
  const fields: ReadonlyMap<string, JsonValue> = value instanceof Map ? value : new Map();
  const dtype = fields.get("dtype");
  const shape = fields.get("shape");
  const [begin, end, ...rest] = countsOf(fields.get("data_offsets")) ?? [];
  const sizes = countsOf(shape);
  if (typeof dtype !== "string" || sizes === undefined || begin === undefined || end === undefined || rest.length > 0) {
    const problem = `the description of ${printable(name)} lacks a dtype, a shape or data_offsets of whole numbers`;
    throw headerError(source, "FORMAT.type", problem, { tensor: name });
  }
  const bits = dtypeBits.get(dtype);
  if (bits === undefined) throw unsupportedDtype(name, dtype);
  const bytes = sizes.length > maxDimensions ? undefined : packedBytes(sizes, bits);
  if (bytes === undefined) {
    throw headerError(source, "FORMAT.shape", `${printable(name)} (${dtype}) has an impossible shape`, { tensor: name, dtype });
  }
  if (end - begin !== bytes) {
    const problem = `${printable(name)} (${dtype}, [${sizes.join(", ")}]) takes ${bytes} bytes and has ${end - begin}`;
    throw headerError(source, "FORMAT.extent", problem, { tensor: name, dtype });
  }
  return { name, dtype, shape: sizes, begin, end };
}

function countsOf(value: JsonValue | undefined): readonly number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const items: readonly JsonValue[] = value;
  const counts = items.filter((item): item is number => typeof item === "number" && Number.isSafeInteger(item) && item >= 0);
  return counts.length === items.length ? counts : undefined;
}

/** Bytes of a packed tensor. A dimension of 0 makes it empty; the others must still multiply to a safe number. */
function packedBytes(shape: readonly number[], bits: number): number | undefined {
  let product: number | undefined = bits;
  for (const size of shape) product = product === undefined ? undefined : checkedMul(product, Math.max(size, 1));
  if (product === undefined || (product % 8 !== 0 && !shape.includes(0))) return undefined;
  return shape.includes(0) ? 0 : product / 8;
}

/** Without overlap or hole up to the end of the file, as the format demands. */
function placeTensors(source: ByteSource, declared: readonly DeclaredTensor[], dataOffset: number): ReadonlyMap<string, StoredTensor> {
  const ordered = declared.toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  const tensors = new Map<string, StoredTensor>();
  let expected = 0;
  for (const { name, dtype, shape, begin, end } of ordered) {
    if (begin !== expected) {
      const problem = `${printable(name)} (${dtype}) is at offset ${begin} of the data where ${expected} is due`;
      throw headerError(source, "FORMAT.extent", problem, { tensor: name, dtype });
    }
    const bytes = end - begin;
    if (dataOffset + end > source.size) throw truncated(source, dataOffset + begin, bytes, `the tensor ${printable(name)} (${dtype})`);
    tensors.set(name, { name, dtype, shape, offset: dataOffset + begin, bytes });
    expected = end;
  }
  if (dataOffset + expected === source.size) return tensors;
  throw headerError(source, "FORMAT.extent", `it has ${source.size - dataOffset - expected} bytes that belong to no tensor`);
}

/** UNSUPPORTED.type: weights that cannot be computed with. */
export function unsupportedDtype(tensor: string, dtype: string): ShaderloomError {
  const known = "F32, F16, BF16, F8_E4M3 or F8_E5M2";
  const message = `The tensor ${printable(tensor)} has the type ${printable(dtype)}, which is not supported. Pick a model with ${known}.`;
  return new ShaderloomError("UNSUPPORTED.type", message, { detail: { tensor: tensor.slice(0, 256), type: dtype.slice(0, 64) } });
}

/** A FORMAT error; `problem` is a clause without a full stop. */
function headerError(
  source: ByteSource,
  code: FullErrorCode,
  problem: string,
  detail: Record<string, string | number> = {},
): ShaderloomError {
  const message = `${source.name} is not a valid safetensors file: ${problem}. Get the file again, or another one.`;
  return new ShaderloomError(code, message, { detail });
}
