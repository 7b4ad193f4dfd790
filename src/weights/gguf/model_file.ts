// Opens a model that is one GGUF file, or hands over to split.ts, which most loads need none of.

import type { ByteSource } from "../byte_source.ts";
import type { FileLocation, ModelLocation } from "../source.ts";
import { openGguf } from "./gguf.ts";
import type { OpenGgufOptions } from "./gguf.ts";
import type { ModelFile, OpenedGguf, OpenShard, ShardPlace } from "./split.ts";
import { defaultGgufLimits } from "./values.ts";

/** Names that may be those of a part of a model; shard_names.ts says which are. */
const numbered = /-\d{5}-of-\d{5}\.gguf/;

/**
 * Opens the model at a location: its file, an address of any of its files, or all of them in any order. On failure all that was opened is
 * closed.
 *
 * @throws {ShaderloomError} as `openSplitModel` and `openGguf`; what `open` throws
 */
export async function openModelFile(location: ModelLocation, open: OpenShard, options: OpenGgufOptions = {}): Promise<ModelFile> {
  const opened: ByteSource[] = [];
  const openFile = async (at: FileLocation, place: ShardPlace): Promise<OpenedGguf> => {
    const source = await open(at, place);
    opened.push(source);
    return { source, file: await openGguf(source, options) };
  };
  try {
    const alone = fileAlone(location);
    const first = alone === undefined ? undefined : await openFile(alone, { index: 0 });
    if (first !== undefined && !first.file.metadata.has("split.count")) return { ...first, sources: [first.source] };
    const { openSplitModel } = await import("./split.ts");
    return await openSplitModel(location, { openFile, first, maxTensors: options.limits?.tensors ?? defaultGgufLimits.tensors });
  } catch (thrown) {
    for (const source of opened) source.close?.();
    throw thrown;
  }
}

/** The one file given, unless its name may be that of a part. */
function fileAlone(location: ModelLocation): FileLocation | undefined {
  const locations = [location].flat();
  const [one] = locations;
  return locations.length === 1 && one !== undefined && !numbered.test(nameOf(one)) ? one : undefined;
}

function nameOf(location: FileLocation): string {
  if (typeof location === "string" || location instanceof URL) return String(location);
  return location instanceof Blob && "name" in location ? location.name : "";
}
