// The texts of shaders/ by their paths below that folder, in chunks of a device class. What a model may never need comes with its user
// instead: the parts of weight formats (formats/format.ts) and the kernel of peaks (peak.ts).

import type { DeviceClass } from "../gpu/caps.ts";

/** `gemv.wgsl` -> its text. */
export type ShaderFiles = ReadonlyMap<string, string>;

/** Puts the modules of chunks together. */
export function shaderFilesOf(...chunks: ReadonlyArray<Readonly<Record<string, string>>>): ShaderFiles {
  const named = chunks.flatMap((modules) => Object.entries(modules));
  return new Map(named.map(([path, text]) => [path.slice(path.indexOf("/shaders/") + "/shaders/".length), text]));
}

/**
 * The files of every variant that a device of this class may run.
 * @throws when a script cannot be fetched
 */
export async function openShaderFiles(deviceClass: DeviceClass): Promise<ShaderFiles> {
  // Side by side: neither waits for the other to be fetched.
  const own = deviceClass === "cpu" ? import("./shader_texts/cpu_shaders.ts") : import("./shader_texts/gpu_shaders.ts");
  const [shared, { modules }] = await Promise.all([import("./shader_texts/shared_shaders.ts"), own]);
  return shaderFilesOf(shared.modules, modules);
}
