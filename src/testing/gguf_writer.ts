// Writes GGUF files for tests: well-formed ones through `writeGguf`, and through `byteWriter` any other. It checks nothing,
// because tests of the reader need files that are wrong. Format: github.com/ggml-org/ggml/blob/master/docs/gguf.md

import { assert } from "../base/errors.ts";
import { alignUp } from "../base/math.ts";
import type { MetaScalar } from "../base/metadata.ts";

export type GgufScalarType = "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "bool" | "string" | "u64" | "i64" | "f64";
export type GgufScalarEntry = readonly [key: string, type: GgufScalarType, value: MetaScalar];
export type GgufArrayEntry = readonly [key: string, type: `${GgufScalarType}[]`, value: ArrayLike<MetaScalar>];
export type GgufEntry = GgufScalarEntry | GgufArrayEntry;

/** A tensor to write: shape rows first ([rows, cols] or [cols]), ggml type id, packed bytes. */
export interface GgufTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly data: Uint8Array;
}

export interface GgufContent {
  /** 3 unless told. */
  readonly version?: number;
  readonly metadata: readonly GgufEntry[];
  readonly tensors: readonly GgufTensor[];
  /** Where tensors start, in bytes; 32 unless told. Another value needs `general.alignment` in the metadata as well. */
  readonly alignment?: number;
}

/** The ids of the value types in the file. */
export const ggufTypeIds: Readonly<Record<GgufScalarType | "array", number>> = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
};

/** A growing little-endian buffer. */
export interface ByteWriter {
  u8(value: number): void;
  u16(value: number): void;
  u32(value: number): void;
  u64(value: number | bigint): void;
  f32(value: number): void;
  f64(value: number): void;
  /** Length as u64, then UTF-8. */
  text(value: string): void;
  bytes(value: Uint8Array): void;
  /** Zeros up to a multiple of `alignment`. */
  pad(alignment: number): void;
  readonly length: number;
  finish(): Uint8Array<ArrayBuffer>;
}

export function byteWriter(): ByteWriter {
  let buffer = new Uint8Array(1024);
  let view = new DataView(buffer.buffer);
  let length = 0;
  const encoder = new TextEncoder();
  const take = (count: number): number => {
    const at = length;
    length += count;
    if (length > buffer.length) {
      const grown = new Uint8Array(Math.max(length, buffer.length * 2));
      grown.set(buffer);
      buffer = grown;
      view = new DataView(buffer.buffer);
    }
    return at;
  };
  const bytes = (value: Uint8Array): void => {
    const at = take(value.length); // before `buffer` is read: taking may replace it
    buffer.set(value, at);
  };
  const put = (count: number, write: (at: number) => void): void => write(take(count));
  const u64 = (value: number | bigint): void => put(8, (at) => view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true));
  return {
    u8: (value) => put(1, (at) => view.setUint8(at, value)),
    u16: (value) => put(2, (at) => view.setUint16(at, value, true)),
    u32: (value) => put(4, (at) => view.setUint32(at, value, true)),
    u64,
    f32: (value) => put(4, (at) => view.setFloat32(at, value, true)),
    f64: (value) => put(8, (at) => view.setFloat64(at, value, true)),
    text: (value) => {
      const encoded = encoder.encode(value);
      u64(encoded.length);
      bytes(encoded);
    },
    bytes,
    pad: (alignment) => void take(alignUp(length, alignment) - length),
    get length() {
      return length;
    },
    finish: () => buffer.slice(0, length),
  };
}

function writeScalar(out: ByteWriter, type: GgufScalarType, value: MetaScalar): void {
  if (type === "string") out.text(String(value));
  else if (type === "u64" || type === "i64") out.u64(typeof value === "bigint" ? value : Number(value));
  else if (type === "f32") out.f32(Number(value));
  else if (type === "f64") out.f64(Number(value));
  else if (type === "u32" || type === "i32") out.u32(Number(value));
  else if (type === "u16" || type === "i16") out.u16(Number(value));
  else out.u8(Number(value));
}

function isScalar(entry: GgufEntry): entry is GgufScalarEntry {
  return !entry[1].endsWith("[]");
}

function isScalarType(name: string): name is GgufScalarType {
  return name !== "array" && Object.hasOwn(ggufTypeIds, name);
}

/** One key, its type and its value. */
export function writeEntry(out: ByteWriter, entry: GgufEntry): void {
  out.text(entry[0]);
  if (isScalar(entry)) {
    out.u32(ggufTypeIds[entry[1]]);
    writeScalar(out, entry[1], entry[2]);
    return;
  }
  const element = entry[1].slice(0, -2);
  assert(isScalarType(element), `no GGUF type ${element}`);
  const values = entry[2];
  out.u32(ggufTypeIds.array);
  out.u32(ggufTypeIds[element]);
  out.u64(values.length);
  for (let i = 0; i < values.length; i++) writeScalar(out, element, values[i]);
}

/** A whole file: tensors in the given order, each padded to the alignment. */
export function writeGguf(content: GgufContent): Uint8Array<ArrayBuffer> {
  const { version = 3, metadata, tensors, alignment = 32 } = content;
  const out = byteWriter();
  out.bytes(new TextEncoder().encode("GGUF"));
  out.u32(version);
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
    offset += alignUp(tensor.data.length, alignment);
  }
  out.pad(alignment);
  for (const tensor of tensors) {
    out.bytes(tensor.data);
    out.pad(alignment);
  }
  return out.finish();
}

/**
 * The files that gguf-split makes of a model: `counts` tensors in each, the metadata in the first alone. `lies` replaces what a file says of
 * the set.
 */
export function writeSplitGguf(
  content: GgufContent,
  counts: readonly number[],
  lies: ReadonlyArray<Partial<SplitClaim> | undefined> = [],
): ReadonlyArray<Uint8Array<ArrayBuffer>> {
  let start = 0;
  return counts.map((count, index) => {
    const { no, count: files, tensors } = { no: index, count: counts.length, tensors: content.tensors.length, ...lies[index] };
    const metadata: GgufEntry[] = [
      ["split.no", "u16", no],
      ["split.count", "u16", files],
      ["split.tensors.count", "i32", tensors],
    ];
    start += count;
    return writeGguf({
      ...content,
      metadata: [...(index === 0 ? content.metadata : []), ...metadata],
      tensors: content.tensors.slice(start - count, start),
    });
  });
}

/** What one file of a split model says of the set. */
export interface SplitClaim {
  readonly no: number;
  readonly count: number;
  readonly tensors: number;
}

/** What a lying header claims; absent fields are made consistent with the rest. */
export interface GgufHeader {
  readonly magic?: string;
  readonly version?: number;
  readonly tensorCount?: number | bigint;
  readonly entryCount?: number | bigint;
  /** Entries, or writers of whatever bytes stand in their place. */
  readonly entries?: ReadonlyArray<GgufEntry | ((out: ByteWriter) => void)>;
  readonly tensors?: readonly GgufClaim[];
  /** Zeros after the header. */
  readonly dataBytes?: number;
}

/** A row of the tensor table as claimed; shape rows first. */
export interface GgufClaim {
  readonly name?: string;
  readonly shape?: ReadonlyArray<number | bigint>;
  readonly type?: number;
  readonly offset?: number | bigint;
}

/** A header that may lie about anything, for tests of what is refused. */
export function writeGgufHeader(header: GgufHeader): Uint8Array<ArrayBuffer> {
  const { magic = "GGUF", version = 3, entries = [], tensors = [], dataBytes = 0 } = header;
  const out = byteWriter();
  out.bytes(new TextEncoder().encode(magic));
  out.u32(version);
  out.u64(header.tensorCount ?? tensors.length);
  out.u64(header.entryCount ?? entries.length);
  for (const entry of entries) {
    if (typeof entry === "function") entry(out);
    else writeEntry(out, entry);
  }
  for (const { name = "a", shape = [8], type = 0, offset = 0 } of tensors) {
    out.text(name);
    out.u32(shape.length);
    for (const size of shape.toReversed()) out.u64(size);
    out.u32(type);
    out.u64(offset);
  }
  out.pad(32);
  out.bytes(new Uint8Array(dataBytes));
  return out.finish();
}
