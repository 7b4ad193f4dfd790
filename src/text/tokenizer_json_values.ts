// Narrowing of parsed JSON, and the errors of tokenizer.json.

import { ShaderloomError } from "../base/errors.ts";

export type JsonRecord = Record<string, unknown>;

/** @throws {ShaderloomError} TOKENIZER.kind naming the part that cannot be used */
export function kindError(part: string, value: unknown): ShaderloomError {
  const shown = (typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing")).slice(0, 60);
  const message = `This tokenizer.json has a ${part} of kind "${shown}", which is not supported. Use the model's GGUF file.`;
  return new ShaderloomError("TOKENIZER.kind", message, { detail: { part, kind: shown } });
}

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function asRecord(value: unknown, part: string): JsonRecord {
  if (isRecord(value)) return value;
  throw kindError(part, value);
}

export function asArray(value: unknown, part: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw kindError(part, value);
}
