// The key-value section of a GGUF header: typed values, arrays and strings with every length checked before it is believed.
// Knows nothing of tensors. Format: github.com/ggml-org/ggml/blob/master/docs/gguf.md

import { ShaderloomError } from "../../base/errors.ts";
import type { FullErrorCode } from "../../base/errors.ts";
import { checkedMul } from "../../base/math.ts";
import type { MetaScalar, MetaValue } from "../../base/metadata.ts";
import { truncated } from "./header_reader.ts";
import type { HeaderReader } from "./header_reader.ts";
import type { ByteSource } from "../byte_source.ts";

/** Caps on what a file may ask for; raise one only with a real file as the reason. */
export interface GgufLimits {
  /** Bytes of the whole header. */
  readonly headerBytes: number;
  readonly stringBytes: number;
  readonly arrayLength: number;
  readonly entries: number;
  readonly tensors: number;
  readonly nameBytes: number;
  readonly alignment: number;
}

export const defaultGgufLimits: GgufLimits = {
  headerBytes: 256 << 20,
  stringBytes: 64 << 20,
  arrayLength: 16 << 20,
  entries: 4096,
  tensors: 65_536,
  // llama.cpp keeps names in 64 bytes, the last of them a zero.
  nameBytes: 63,
  alignment: 1 << 20,
};

/** What the parts of the header parser share. */
export interface GgufCursor {
  readonly source: ByteSource;
  readonly reader: HeaderReader;
  readonly limits: GgufLimits;
}

type NumericReader = (reader: HeaderReader) => number | bigint;

interface ValueType {
  readonly name: string;
  /** Bytes of one value; of a string or an array, the least that one can take. */
  readonly bytes: number;
  readonly read?: NumericReader;
  /** Arrays of the type are typed arrays; else plain arrays. */
  readonly array?: new (length: number) => Float32Array | Int32Array | Uint32Array | Uint8Array;
}

const stringType = 8;
const arrayType = 9;
const boolType = 7;

/** By id in the file. */
const valueTypes: readonly ValueType[] = [
  { name: "u8", bytes: 1, read: (r) => r.u8(), array: Uint8Array },
  { name: "i8", bytes: 1, read: (r) => r.i8(), array: Int32Array },
  { name: "u16", bytes: 2, read: (r) => r.u16(), array: Uint32Array },
  { name: "i16", bytes: 2, read: (r) => r.i16(), array: Int32Array },
  { name: "u32", bytes: 4, read: (r) => r.u32(), array: Uint32Array },
  { name: "i32", bytes: 4, read: (r) => r.i32(), array: Int32Array },
  { name: "f32", bytes: 4, read: (r) => r.f32(), array: Float32Array },
  { name: "bool", bytes: 1, read: (r) => r.u8() },
  { name: "string", bytes: 8 },
  { name: "array", bytes: 12 },
  { name: "u64", bytes: 8, read: (r) => r.u64() },
  { name: "i64", bytes: 8, read: (r) => r.i64() },
  { name: "f64", bytes: 8, read: (r) => r.f64() },
];

/** Id of u32, the only type that an alignment may have. */
export const u32Type = 4;

export interface GgufEntryValue {
  readonly key: string;
  /** Type id in the file. */
  readonly type: number;
  readonly value: MetaValue;
}

/** A key, its type and its value. @throws {ShaderloomError} FORMAT.key, FORMAT.type, FORMAT.string, FORMAT.truncated, LIMIT.* */
export async function readEntry(cursor: GgufCursor): Promise<GgufEntryValue> {
  const { reader } = cursor;
  const key = await readString(cursor, "a metadata key");
  const what = `the value of ${printable(key)}`;
  await reader.need(4, what);
  const type = reader.u32();
  if (type === arrayType) return { key, type, value: await readArray(cursor, what) };
  return { key, type, value: await readScalar(cursor, type, what) };
}

async function readScalar(cursor: GgufCursor, type: number, what: string): Promise<MetaScalar> {
  if (type === stringType) return readString(cursor, what);
  const { bytes, read } = knownType(cursor, type, what);
  await cursor.reader.need(bytes, what);
  const value = read?.(cursor.reader) ?? 0;
  return type === boolType ? asBool(cursor, value, what) : value;
}

/**
 * A u64 length and that many bytes of UTF-8.
 *
 * A length over the cap is a lie (FORMAT.string); one under it that the file has no bytes for is a file cut short, which is
 * what FORMAT.truncated says to the user.
 */
export async function readString(cursor: GgufCursor, what: string): Promise<string> {
  const { reader } = cursor;
  if (reader.lacks(8)) await reader.need(8, what);
  const length = stringLength(cursor, what);
  if (reader.lacks(length)) await reader.need(length, what);
  return decodeString(cursor, length, what);
}

function stringLength({ reader, limits, source }: GgufCursor, what: string): number {
  const at = reader.offset;
  const length = reader.u64();
  if (typeof length === "number" && length <= limits.stringBytes) return length;
  const message = `${what} in ${source.name} claims a text of ${length} bytes; the limit is ${limits.stringBytes}. The file is damaged: get it again.`;
  throw new ShaderloomError("FORMAT.string", message, { detail: { offset: at, length: String(length), limit: limits.stringBytes } });
}

function decodeString({ reader, source }: GgufCursor, length: number, what: string): string {
  const at = reader.offset;
  const text = reader.text(length);
  if (text === undefined) {
    const message = `${what} in ${source.name} is not valid UTF-8 text. The file is damaged: get it again.`;
    throw new ShaderloomError("FORMAT.string", message, { detail: { offset: at, length } });
  }
  return text;
}

async function readArray(cursor: GgufCursor, what: string): Promise<MetaValue> {
  const { reader } = cursor;
  await reader.need(12, what);
  const type = reader.u32();
  const element = knownType(cursor, type, what);
  if (type === arrayType) throw formatError(cursor, "FORMAT.type", `${what} is an array of arrays, which GGUF readers do not accept`);
  const count = arrayLength(cursor, element, what);
  if (type === stringType) return readStrings(cursor, count, what);
  const out = element.array ? new element.array(count) : Array.from<MetaScalar>({ length: count });
  // Runs bound the window to a few hundred KiB, so a 64 MiB array is never held twice.
  const run = 1 << 16;
  for (let from = 0; from < count; from += run) {
    const to = Math.min(from + run, count);
    if (reader.lacks((to - from) * element.bytes)) await reader.need((to - from) * element.bytes, what);
    readRun(cursor, { out, from, to, type, what });
  }
  return out;
}

interface Run {
  readonly out: MetaScalar[] | Float32Array | Int32Array | Uint32Array | Uint8Array;
  readonly from: number;
  readonly to: number;
  readonly type: number;
  readonly what: string;
}

function readRun(cursor: GgufCursor, { out, from, to, type, what }: Run): void {
  const { read } = valueTypes[type];
  for (let i = from; i < to; i++) {
    const value = read?.(cursor.reader) ?? 0;
    if (!Array.isArray(out)) out[i] = Number(value);
    else out[i] = type === boolType ? asBool(cursor, value, what) : value;
  }
}

async function readStrings(cursor: GgufCursor, count: number, what: string): Promise<readonly string[]> {
  const { reader } = cursor;
  const out: string[] = [];
  for (let i = 0; i < count; i++) {
    // A vocabulary is 10^5 strings: awaiting only where bytes are missing keeps it to milliseconds.
    if (reader.lacks(8)) await reader.need(8, what);
    const length = stringLength(cursor, what);
    if (reader.lacks(length)) await reader.need(length, what);
    out.push(decodeString(cursor, length, what));
  }
  return out;
}

/** Refuses a count that cannot be before anything is allocated for it. */
function arrayLength(cursor: GgufCursor, element: ValueType, what: string): number {
  const { reader, limits, source } = cursor;
  const count = reader.u64();
  const bytes = typeof count === "number" ? checkedMul(count, element.bytes) : undefined;
  const possible = bytes !== undefined && bytes <= reader.left;
  if (typeof count === "number" && count <= limits.arrayLength) {
    if (possible) return count;
    throw truncated(source, reader.offset, bytes ?? count, what);
  }
  const claim = `${what} claims ${count} elements of ${element.name}`;
  if (!possible) throw formatError(cursor, "FORMAT.type", `${claim}, more than the file could hold`);
  const message = `${claim}; the limit is ${limits.arrayLength}. Use a file with a smaller vocabulary or less metadata.`;
  throw new ShaderloomError("LIMIT.array", message, { detail: { count: String(count), limit: limits.arrayLength } });
}

function knownType(cursor: GgufCursor, type: number, what: string): ValueType {
  const known: ValueType | undefined = valueTypes[type];
  if (known === undefined) throw formatError(cursor, "FORMAT.type", `${what} has the unknown type ${type}`);
  return known;
}

function asBool(cursor: GgufCursor, value: MetaScalar, what: string): boolean {
  if (value !== 0 && value !== 1) throw formatError(cursor, "FORMAT.type", `${what} is a bool that is neither 0 nor 1`);
  return value === 1;
}

/** A FORMAT error at the reader's place; `problem` is a clause without a full stop. */
export function formatError(cursor: GgufCursor, code: FullErrorCode, problem: string): ShaderloomError {
  const { source, reader } = cursor;
  const message = `${source.name} is not a valid GGUF file: ${problem}. Get the file again, or another one.`;
  return new ShaderloomError(code, message, { detail: { offset: reader.offset } });
}

/** A string of the file as it may appear in a message: quoted, bounded, without control characters. */
export function printable(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}
