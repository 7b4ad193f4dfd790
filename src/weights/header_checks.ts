// What is done with a model's header whatever its files were: types that cannot be computed with are refused, what a tokenizer was made of is
// forgotten.

import { ShaderloomError } from "../base/errors.ts";
import { ggmlTypeName } from "./gguf/ggml_types.ts";
import type { ModelHeader, TensorInfo } from "./tensor_info.ts";

/** Forgets the lists of a vocabulary once a tokenizer was made of them: large ones take tens of megabytes. */
export function forgetVocabulary({ metadata }: ModelHeader): void {
  if (!(metadata instanceof Map)) return;
  for (const [key, value] of metadata) if (key.startsWith("tokenizer.ggml.") && typeof value === "object") metadata.delete(key);
}

/**
 * Refuses a model whose tensors have types that cannot be computed with, before any of its data is read.
 *
 * @throws {ShaderloomError} UNSUPPORTED.type with the first such tensor and its type
 */
export function assertSupported(tensors: Iterable<TensorInfo>, supportedTypes: ReadonlySet<number>): void {
  for (const { name, type } of tensors) {
    if (supportedTypes.has(type)) continue;
    const known = [...supportedTypes].map(ggmlTypeName).join(", ");
    const message = `The tensor ${JSON.stringify(name)} has type ${ggmlTypeName(type)}, which is not supported. Pick a file with ${known}.`;
    throw new ShaderloomError("UNSUPPORTED.type", message, { detail: { tensor: name, type: ggmlTypeName(type) } });
  }
}
