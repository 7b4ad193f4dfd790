// What the files of a model are once they are opened, whatever their format.

import type { ModelFile } from "../weights/gguf/split.ts";

/** What a Hugging Face folder says of text, read when it is wanted. */
export interface FolderText {
  /** Parsed tokenizer.json and tokenizer_config.json. */
  readonly tokenizer: unknown;
  readonly tokenizerConfig: unknown;
  readonly chatTemplate: string | undefined;
  /** Ids that end an answer, beside those that the tokenizer knows. */
  readonly endIds: readonly number[];
}

export interface OpenedModel extends ModelFile {
  /** Files that hold weights: those that hashes are promised for. */
  readonly weightFiles: number;
  /** Undefined where the metadata has the vocabulary. */
  readonly readText?: (() => Promise<FolderText>) | undefined;
}
