// The tokenizer and chat template of a model, from its metadata or from a folder's files.

import type { ChatTemplate } from "../text/chat_template.ts";
import { type Tokenizer, tokenizerFromGguf, tokenizerFromJson } from "../text/tokenizer.ts";
import { forgetVocabulary } from "../weights/header_checks.ts";
import { checkVocabulary, type LoadedModel } from "./model.ts";
import type { FolderText, OpenedModel } from "./opened_model.ts";

/** What turns text into ids and back. */
export interface SessionText {
  readonly tokenizer: Tokenizer;
  readonly chatTemplate: ChatTemplate | undefined;
}

/** @throws {ShaderloomError} TOKENIZER, TEMPLATE, MODEL.config */
export async function loadText(model: LoadedModel, { readText }: OpenedModel): Promise<SessionText> {
  const { tokenizer, template } = readText ? await folderText(model, readText) : await ggufText(model);
  if (typeof template !== "string") return { tokenizer, chatTemplate: undefined };
  // A chunk of its own: models without a template, and pages before a load, need none of it.
  const { compileChatTemplate } = await import("../text/chat_template.ts");
  return { tokenizer, chatTemplate: await compileChatTemplate(template) };
}

interface TextParts {
  readonly tokenizer: Tokenizer;
  readonly template: unknown;
}

async function ggufText({ file }: LoadedModel): Promise<TextParts> {
  const tokenizer = await tokenizerFromGguf(file.metadata);
  forgetVocabulary(file);
  return { tokenizer, template: file.metadata.get("tokenizer.chat_template") };
}

async function folderText({ config }: LoadedModel, readText: () => Promise<FolderText>): Promise<TextParts> {
  const text = await readText();
  const tokenizer = await tokenizerFromJson(text.tokenizer, text.tokenizerConfig);
  checkVocabulary(tokenizer.vocabSize, config.vocabSize);
  const endOfGeneration = new Set([...tokenizer.endOfGeneration, ...text.endIds]);
  return { tokenizer: { ...tokenizer, endOfGeneration }, template: text.chatTemplate };
}
