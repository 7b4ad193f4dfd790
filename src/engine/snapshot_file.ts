// A conversation as one file: eight letters, the version, the length of a header, the header as JSON, the records one behind the other, and
// sha256 over all before it. Nothing of a file is used unless all of it is what was written.

import { ShaderloomError } from "../base/errors.ts";
import { sha256 } from "../store/hash.ts";
import { corruptSnapshot, parseFacts, type SnapshotFacts } from "./snapshot_facts.ts";

export interface SnapshotContent {
  readonly facts: SnapshotFacts;
  /** Those of the full pages, then that of the tokens behind them. */
  readonly records: readonly Uint8Array[];
}

const magic = "SLOOM-KV";
const fileVersion = 1;
const hashBytes = 32;
/** Letters, version, header length. */
const startBytes = magic.length + 8;

export async function writeSnapshotFile({ facts, records }: SnapshotContent): Promise<Uint8Array<ArrayBuffer>> {
  const header = new TextEncoder().encode(JSON.stringify({ facts, records: records.map(({ length }) => length) }));
  const size = startBytes + header.length + records.reduce((sum, { length }) => sum + length, 0);
  const file = new Uint8Array(size + hashBytes);
  file.set(new TextEncoder().encode(magic));
  const view = new DataView(file.buffer);
  view.setUint32(magic.length, fileVersion, true);
  view.setUint32(magic.length + 4, header.length, true);
  file.set(header, startBytes);
  let at = startBytes + header.length;
  for (const record of records) {
    file.set(record, at);
    at += record.length;
  }
  file.set(await hashOf(file.subarray(0, size)), size);
  return file;
}

/**
 * @returns views of the file
 * @throws {ShaderloomError} SESSION.corrupt, SESSION.version
 */
export async function readSnapshotFile(file: Uint8Array): Promise<SnapshotContent> {
  const letters = String.fromCharCode(...file.subarray(0, magic.length));
  if (letters !== magic) throw corruptSnapshot("this is no file of a conversation");
  if (file.length < startBytes + hashBytes) throw corruptSnapshot("the file ends early");
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const size = file.length - hashBytes;
  const found = await hashOf(file.subarray(0, size));
  if (!found.every((byte, index) => byte === file[size + index])) throw corruptSnapshot("its checksum is another");
  const version = view.getUint32(magic.length, true);
  if (version !== fileVersion) {
    const message = `The file of the conversation has version ${version} and this reads ${fileVersion}. Update this page, or export the conversation again.`;
    throw new ShaderloomError("SESSION.version", message, { detail: { found: version, known: fileVersion } });
  }
  const end = startBytes + view.getUint32(magic.length + 4, true);
  if (end > size) throw corruptSnapshot("its header does not end");
  const { facts, lengths } = parseHeader(file.subarray(startBytes, end));
  const records: Uint8Array[] = [];
  let at = end;
  for (const length of lengths) {
    records.push(file.subarray(at, at + length));
    at += length;
  }
  if (at !== size) throw corruptSnapshot("its records have other lengths");
  return { facts, records };
}

function parseHeader(bytes: Uint8Array): { readonly facts: SnapshotFacts; readonly lengths: readonly number[] } {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw corruptSnapshot("its header is no JSON");
  }
  const fields = new Map<string, unknown>(Object.entries(header ?? {}));
  const parsed = parseFacts(fields.get("facts"));
  const records = fields.get("records");
  if (!parsed || !isLengths(records)) throw corruptSnapshot("its header makes no sense");
  return { facts: parsed, lengths: records };
}

function isLengths(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((length) => Number.isSafeInteger(length) && length >= 0);
}

async function hashOf(bytes: Uint8Array): Promise<Uint8Array> {
  // A view of shared memory could not be hashed.
  const plain = bytes.buffer instanceof ArrayBuffer ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : bytes.slice();
  const digits = await sha256(plain);
  return Uint8Array.from({ length: hashBytes }, (_, index) => Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16));
}
