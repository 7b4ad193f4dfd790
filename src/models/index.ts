// The architectures, by `general.architecture`.

import { ShaderloomError } from "../base/errors.ts";
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";

export const architectures: readonly Architecture[] = [llama, qwen2, qwen3];

/** @throws {ShaderloomError} UNSUPPORTED.architecture naming the known ones */
export function architectureOf(name: unknown): Architecture {
  const found = architectures.find((architecture) => architecture.name === name);
  if (found) return found;
  const known = architectures.map((architecture) => architecture.name);
  throw new ShaderloomError(
    "UNSUPPORTED.architecture",
    `The architecture "${String(name).slice(0, 64)}" is not supported. Choose a model of ${known.join(", ")}.`,
    { detail: { architecture: String(name).slice(0, 64), known } },
  );
}
