// A window that slides over the head of a file: bounds-checked little-endian reads for a parser that does not know how long
// its header is. `need` fetches, the other readers are synchronous over bytes that are already there.

import { ShaderloomError } from "../../base/errors.ts";
import { shortRead } from "../byte_source.ts";
import type { ByteSource } from "../byte_source.ts";

const firstReadBytes = 1 << 20;
const largestReadBytes = 16 << 20;

export interface HeaderReaderOptions {
  readonly signal?: AbortSignal;
  /** Most bytes that the header may take. */
  readonly maxBytes: number;
}

export class HeaderReader {
  readonly #source: ByteSource;
  readonly #options: HeaderReaderOptions;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  /** File offset of the first byte of the window. */
  #start = 0;
  /** Next byte to read, in the window. */
  #at = 0;
  #nextRead = firstReadBytes;

  constructor(source: ByteSource, options: HeaderReaderOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** File offset of the next byte to read. */
  get offset(): number {
    return this.#start + this.#at;
  }

  /** Bytes from here to the end of the file. */
  get left(): number {
    return this.#source.size - this.offset;
  }

  /** True when `need(count)` would have to fetch. */
  lacks(count: number): boolean {
    return this.#bytes.length - this.#at < count;
  }

  /**
   * Makes the next `count` bytes readable.
   *
   * @throws {ShaderloomError} FORMAT.truncated past the end of the file, LIMIT.metadata past `maxBytes`, what the source throws
   */
  async need(count: number, what: string): Promise<void> {
    if (!this.lacks(count)) return;
    if (count > this.left) throw truncated(this.#source, this.offset, count, what);
    if (this.offset + count > this.#options.maxBytes) {
      const message = `The header of ${this.#source.name} is longer than ${this.#options.maxBytes} bytes. Use a file with less metadata.`;
      throw new ShaderloomError("LIMIT.metadata", message, { detail: { offset: this.offset, limit: this.#options.maxBytes } });
    }
    const have = this.#bytes.subarray(this.#at);
    const from = this.offset + have.length;
    const length = Math.min(Math.max(count - have.length, this.#nextRead), Math.min(this.#source.size, this.#options.maxBytes) - from);
    this.#nextRead = Math.min(this.#nextRead * 2, largestReadBytes);
    const read = await this.#source.read(from, length, this.#options);
    if (read.length !== length) throw shortRead(this.#source.name, { offset: from, length }, read.length);
    const joined = have.length === 0 ? read : new Uint8Array(have.length + length);
    if (joined !== read) {
      joined.set(have);
      joined.set(read, have.length);
    }
    this.#start = this.offset;
    this.#at = 0;
    this.#bytes = joined;
    this.#view = new DataView(joined.buffer, joined.byteOffset, joined.length);
  }

  /** The next `count` bytes, a view that is valid until the next `need`. */
  take(count: number): Uint8Array {
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  /** `count` bytes of UTF-8, or undefined when they are not. */
  text(count: number): string | undefined {
    try {
      return this.#decoder.decode(this.take(count));
    } catch {
      return undefined;
    }
  }

  u8(): number {
    return this.#view.getUint8(this.#at++);
  }

  i8(): number {
    return this.#view.getInt8(this.#at++);
  }

  u16(): number {
    this.#at += 2;
    return this.#view.getUint16(this.#at - 2, true);
  }

  i16(): number {
    this.#at += 2;
    return this.#view.getInt16(this.#at - 2, true);
  }

  u32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  i32(): number {
    this.#at += 4;
    return this.#view.getInt32(this.#at - 4, true);
  }

  f32(): number {
    this.#at += 4;
    return this.#view.getFloat32(this.#at - 4, true);
  }

  f64(): number {
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8, true);
  }

  /** A u64 as number when that is exact, else as bigint. */
  u64(): number | bigint {
    const low = this.u32();
    const high = this.u32();
    return high < 0x200000 ? high * 0x100000000 + low : (BigInt(high) << 32n) | BigInt(low);
  }

  /** An i64 as number when that is exact, else as bigint. */
  i64(): number | bigint {
    this.#at += 8;
    const value = this.#view.getBigInt64(this.#at - 8, true);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
}

/** FORMAT.truncated: the file ends where more was promised. */
export function truncated(source: ByteSource, offset: number, wanted: number, what: string): ShaderloomError {
  const message = `${source.name} ends inside ${what}: ${wanted} bytes are needed at offset ${offset}, the file has ${source.size}. The download is incomplete or damaged: get the file again.`;
  return new ShaderloomError("FORMAT.truncated", message, { detail: { offset, wanted, size: source.size } });
}
