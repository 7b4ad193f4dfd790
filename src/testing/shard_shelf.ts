// A shelf of files for tests of split models: opens them by address as a server would, and notes what was asked for, opened and closed.

import { ShaderloomError } from "../base/errors.ts";
import { seededRng } from "../base/rng.ts";
import { openBlobSource } from "../weights/blob_source.ts";
import { bytesSource } from "../weights/byte_source.ts";
import type { ByteSource } from "../weights/byte_source.ts";
import type { OpenShard, ShardPlace } from "../weights/gguf/split.ts";
import type { FileLocation } from "../weights/source.ts";
import type { GgufContent } from "./gguf_writer.ts";

/** Seven small f32 tensors. */
export function smallModel(seed: number): GgufContent {
  const rng = seededRng(seed);
  const tensors = Array.from({ length: 7 }, (_, i) => {
    const data = new Uint8Array(Float32Array.from({ length: 5 + i }, () => rng.normal()).buffer);
    return { name: `t${i}`, shape: [5 + i], type: 0, data };
  });
  return {
    metadata: [
      ["general.architecture", "string", "llama"],
      ["general.name", "string", "m"],
    ],
    tensors,
  };
}

/** As gguf-split calls its files. */
export function nameOf(index: number, count = 3): string {
  return `m-${String(index + 1).padStart(5, "0")}-of-${String(count).padStart(5, "0")}.gguf`;
}

export interface Shelf {
  readonly open: OpenShard;
  readonly asked: Array<readonly [address: string, place: ShardPlace]>;
  readonly opened: string[];
  readonly closed: string[];
  readonly most: () => number;
}

/** A server of files by address; files and bytes are opened as they are. */
export function shelf(files: Readonly<Record<string, Uint8Array>>): Shelf {
  const asked: Array<readonly [string, ShardPlace]> = [];
  const opened: string[] = [];
  const closed: string[] = [];
  let now = 0;
  let most = 0;
  const pick = (location: FileLocation): ByteSource => {
    if (location instanceof Blob) return openBlobSource(location);
    if (typeof location !== "string" && !(location instanceof URL)) return bytesSource(new Uint8Array(location));
    const address = String(location);
    const bytes = files[address];
    const name = address.split(/[?#@]/)[0].replace(/^.*[/:]/, "");
    if (bytes === undefined) throw new ShaderloomError("SOURCE.missing", `There is no file at ${name}. Check the address.`);
    return bytesSource(bytes, name);
  };
  const open: OpenShard = async (location, place) => {
    asked.push([typeof location === "string" || location instanceof URL ? String(location) : "local", place]);
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 1));
    now--;
    const source = pick(location);
    opened.push(source.name);
    return { ...source, close: () => void closed.push(source.name) };
  };
  return { open, asked, opened, closed, most: () => most };
}

/** Files under names as gguf-split gives them. */
export function named(files: readonly Uint8Array[], prefix = "", suffix = ""): Record<string, Uint8Array> {
  return Object.fromEntries(files.map((bytes, index) => [`${prefix}${nameOf(index, files.length)}${suffix}`, bytes]));
}
