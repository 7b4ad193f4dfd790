// A Hugging Face folder as a model: its configuration and tensors by canonical names through what an architecture says of them, and its text.

import { ShaderloomError } from "../base/errors.ts";
import type { MetaValue } from "../base/metadata.ts";
import { asConfig, type HuggingFaceConfig } from "../models/huggingface.ts";
import { fromHuggingFace } from "../models/index.ts";
import { canonicalTensors } from "../weights/safetensors/canonical.ts";
import { type ModelFolder, openFolder, type OpenFolderOptions } from "../weights/safetensors/folder.ts";
import type { FolderPlaces } from "../weights/safetensors/places.ts";
import type { FolderText, OpenedModel } from "./opened_model.ts";

/**
 * @throws {ShaderloomError} as `openFolder`; UNSUPPORTED.architecture, .config, .rope, .tensor, .type; MODEL.*. On failure all that was opened
 *   is closed.
 */
export async function openHuggingFace(places: FolderPlaces, options: OpenFolderOptions): Promise<OpenedModel> {
  const folder = await openFolder(places, options);
  try {
    const config = asConfig(folder.config);
    const mapping = await fromHuggingFace(config);
    const { tie_word_embeddings: tied, quantization_config: quantization } = config;
    const tensors = canonicalTensors(folder.tensors, {
      tensorName: (name) => mapping.tensorName(name),
      tied: typeof tied === "boolean" ? tied : undefined,
      scaled: quantization !== undefined && quantization !== null,
    });
    const metadata = new Map<string, MetaValue>(mapping.metadata(config));
    if (folder.name !== undefined) metadata.set("general.name", folder.name);
    const { source, sources, weightFiles } = folder;
    const readText = (): Promise<FolderText> => readFolderText(folder, config);
    return { file: { metadata, tensors, pairing: "half" }, source, sources, weightFiles, readText };
  } catch (thrown) {
    folder.source.close?.();
    throw thrown;
  }
}

async function readFolderText(folder: ModelFolder, config: HuggingFaceConfig): Promise<FolderText> {
  const tokenizer = await folder.readJson("tokenizer.json");
  if (tokenizer === undefined) {
    const message = "tokenizer.json is no file of a tokenizer. Get it again, with the other files of its folder.";
    throw new ShaderloomError("MODEL.folder", message, { detail: { missing: ["tokenizer.json"] } });
  }
  const tokenizerConfig = await folder.readJson("tokenizer_config.json");
  const generation = await folder.readJson("generation_config.json");
  const chatTemplate = (await folder.readText("chat_template.jinja")) ?? templateOf(tokenizerConfig);
  return { tokenizer, tokenizerConfig, chatTemplate, endIds: [...endIdsOf(config), ...endIdsOf(generation)] };
}

/** A template, or the one named `default` of several. */
function templateOf(tokenizerConfig: unknown): string | undefined {
  const template = field(tokenizerConfig, "chat_template");
  if (typeof template === "string") return template;
  if (!Array.isArray(template)) return undefined;
  const text = field(
    template.find((one) => field(one, "name") === "default"),
    "template",
  );
  return typeof text === "string" ? text : undefined;
}

/** `eos_token_id`: an id or a list of them. */
function endIdsOf(config: unknown): number[] {
  return [field(config, "eos_token_id")].flat().filter((id): id is number => typeof id === "number" && Number.isSafeInteger(id) && id >= 0);
}

function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}
