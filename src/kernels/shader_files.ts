// The texts of shaders/ by their paths below that folder, in chunks for kinds of targets. What a model may never need comes with its user
// instead: the parts of weight formats (formats/format.ts) and the kernel of peaks (peak.ts).

import { isKvNumber, type KvType } from "../base/kv_types.ts";
import type { KernelTarget } from "./kernel.ts";

/** `gemv.wgsl` -> its text. */
export type ShaderFiles = ReadonlyMap<string, string>;

/** Puts the modules of chunks together. */
export function shaderFilesOf(...chunks: ReadonlyArray<Readonly<Record<string, string>>>): ShaderFiles {
  const named = chunks.flatMap((modules) => Object.entries(modules));
  return new Map(named.map(([path, text]) => [path.slice(path.indexOf("/shaders/") + "/shaders/".length), text]));
}

export interface OpenFiles extends Omit<KernelTarget, "maxRows"> {
  /** What the cache holds, where it may be codes. */
  readonly kv?: KvType | undefined;
}

/**
 * The files of every variant that a target may run.
 * @throws when a script cannot be fetched
 */
export async function openShaderFiles({ caps, deviceClass, precision, kv }: OpenFiles): Promise<ShaderFiles> {
  // Side by side: none waits for another to be fetched.
  const chunks = [
    import("./shader_texts/shared_shaders.ts"),
    deviceClass === "cpu" ? import("./shader_texts/cpu_shaders.ts") : import("./shader_texts/gpu_shaders.ts"),
    ...(precision === "int8" ? [import("./shader_texts/int8_shaders.ts")] : []),
    ...(kv === undefined || isKvNumber(kv) ? [] : [import("./shader_texts/kv_shaders.ts")]),
    ...(caps.subgroupMatrix.length > 0 ? [import("./shader_texts/matrix_shaders.ts")] : []),
  ];
  const opened = await Promise.all(chunks);
  return shaderFilesOf(...opened.map(({ modules }) => modules));
}

/**
 * Those files and what attention reads that is more than a softmax over the whole past.
 * @throws when a script cannot be fetched
 */
export async function withRules(files: ShaderFiles): Promise<ShaderFiles> {
  const { modules } = await import("./shader_texts/rules_shaders.ts");
  return new Map([...files, ...shaderFilesOf(modules)]);
}
