// The architectures, by `general.architecture` or by what a config.json says.

import { ShaderloomError } from "../base/errors.ts";
import type { Architecture } from "./architecture.ts";
import type { HuggingFaceConfig, HuggingFaceMapping } from "./huggingface.ts";
import { llama } from "./llama.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";

export const architectures: readonly Architecture[] = [llama, qwen2, qwen3];

/** @throws {ShaderloomError} UNSUPPORTED.architecture naming the known ones */
export function architectureOf(name: unknown): Architecture {
  const found = architectures.find((architecture) => architecture.name === name);
  if (found) return found;
  throw unknownArchitecture(name);
}

/**
 * What a config.json describes, by its class and else by its model type.
 *
 * @throws {ShaderloomError} UNSUPPORTED.architecture naming the known ones
 */
export async function fromHuggingFace(config: HuggingFaceConfig): Promise<HuggingFaceMapping> {
  const { architectures: classes, model_type: type } = config;
  const named: unknown = Array.isArray(classes) && classes.length > 0 ? classes[0] : undefined;
  const known = architectures.flatMap((architecture) => architecture.fromHuggingFace ?? []);
  const found = known.find(({ classes: names, modelTypes }) =>
    named === undefined ? modelTypes.some((one) => one === type) : names.some((one) => one === named),
  );
  if (found) return found.load();
  throw unknownArchitecture(named ?? type);
}

function unknownArchitecture(name: unknown): ShaderloomError {
  const known = architectures.map((architecture) => architecture.name);
  return new ShaderloomError(
    "UNSUPPORTED.architecture",
    `The architecture "${String(name).slice(0, 64)}" is not supported. Choose a model of ${known.join(", ")}.`,
    { detail: { architecture: String(name).slice(0, 64), known } },
  );
}
