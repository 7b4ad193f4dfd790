// A model as far as its header makes one: where a load would refuse, the reason is kept and the model goes on with what would be
// accepted, so that its sizes can be told all the same.

import { asShaderloomError, type ShaderloomError } from "../base/errors.ts";
import type { MetaValue } from "../base/metadata.ts";
import { formatTypes } from "../formats/index.ts";
import type { Caps } from "../gpu/caps.ts";
import { assertSupported } from "../weights/header_checks.ts";
import type { ModelHeader } from "../weights/tensor_info.ts";
import type { ByteSource } from "../weights/source.ts";
import type { KvOptions } from "./kv_options.ts";
import { buildModel, type LoadedModel, type ModelOptions } from "./model.ts";

export interface DraftOptions {
  readonly contextLength?: number | undefined;
  readonly activations?: "f32" | "f16" | "int8" | undefined;
  readonly kv?: KvOptions | undefined;
  readonly caps: Caps;
}

export interface ModelDraft {
  readonly name: string;
  readonly architecture: string;
  /** Tokens that the sizes are for; 0 when there is no model. */
  readonly contextLength: number;
  readonly trainedContextLength: number;
  /** Undefined when nothing could be accepted. */
  readonly model: LoadedModel | undefined;
  /** What a load would throw. */
  readonly problems: readonly ShaderloomError[];
  /** A context instead of one that a load would refuse. */
  readonly acceptedContext: number | undefined;
}

/** Stands in for the file's data, of which only RoPE factors are read: any number but 0 does. */
const ones: ByteSource = {
  name: "header",
  size: Number.MAX_SAFE_INTEGER,
  read: async (_, length) => new Uint8Array(Float32Array.from({ length: Math.ceil(length / 4) }, () => 1).buffer).subarray(0, length),
};

/** @throws {ShaderloomError} REQUEST.contextLength, a mistake of the caller and not of the model */
export async function draftModel(file: ModelHeader, options: DraftOptions): Promise<ModelDraft> {
  const problems: ShaderloomError[] = [];
  const { contextLength: context, activations, kv, caps } = options;
  let wanted: ModelOptions = { contextLength: context, activations, kv, caps, headerOnly: true };
  let acceptedContext: number | undefined;
  for (;;) {
    try {
      assertSupported(file.tensors.values(), formatTypes);
      const model = await buildModel(file, ones, wanted);
      const { contextLength, config, architecture } = model;
      const names = { name: config.name, architecture: architecture.name };
      return { ...names, contextLength, trainedContextLength: config.contextLength, model, problems, acceptedContext };
    } catch (thrown) {
      const problem = asShaderloomError(thrown, "MODEL.internal");
      if (problem.code.startsWith("REQUEST.")) throw problem;
      problems.push(problem);
      const accepted = acceptableContext(problem);
      // Each refusal may be met once; a second one of the same kind has no answer.
      if (accepted !== undefined && accepted !== wanted.contextLength && problems.length < 4) {
        acceptedContext = accepted;
        wanted = { ...wanted, contextLength: accepted };
      } else if (problem.code === "GPU.unavailable" && wanted.activations === "f16") {
        wanted = { ...wanted, activations: "f32" };
      } else {
        return { ...namesOf(file), contextLength: 0, model: undefined, problems, acceptedContext: undefined };
      }
    }
  }
}

/** The context that an error names as fitting. */
function acceptableContext({ code, detail }: ShaderloomError): number | undefined {
  const context = code === "CONTEXT.limit" ? detail.have : code === "GPU.limits" ? detail.contextLength : undefined;
  return typeof context === "number" && context > 0 ? context : undefined;
}

function text(value: MetaValue | undefined): string {
  return typeof value === "string" ? value : "";
}

/** What a file says of itself, when no model can be made of it. */
function namesOf({ metadata }: ModelHeader): Pick<ModelDraft, "name" | "architecture" | "trainedContextLength"> {
  const architecture = text(metadata.get("general.architecture"));
  const trained = metadata.get(`${architecture}.context_length`);
  return { name: text(metadata.get("general.name")), architecture, trainedContextLength: typeof trained === "number" ? trained : 0 };
}
