// Opens a model by its id in the store: a file of this computer that is remembered, or what was downloaded or imported. A chunk of its own:
// models that are given by address, file or bytes need none of it.

import { ShaderloomError } from "../base/errors.ts";
import type { StoreDiagnostics } from "../store/diagnostics.ts";
import type { ModelStore } from "../store/model_store.ts";
import { openBlobSource } from "./blob_source.ts";
import type { ByteSource } from "./byte_source.ts";

export interface StoredOptions {
  readonly models: ModelStore | undefined;
  readonly diagnostics: StoreDiagnostics;
  /** Which of the model's files. */
  readonly file: number;
  readonly peek: boolean;
  /** Opens an address under which a file is stored, by the file's id. */
  readonly openAddress: (url: URL, id: string) => Promise<ByteSource>;
  /** Compares what is read from this device with the hash that was promised. */
  readonly checked: (source: ByteSource) => Promise<ByteSource>;
}

/** @throws {ShaderloomError} SOURCE.missing, STORE.*; what `openAddress` throws */
export async function openStored(id: string, options: StoredOptions): Promise<ByteSource> {
  const { models, diagnostics, file: index, peek, openAddress, checked } = options;
  if (models === undefined) throw noStore();
  const files = await models.filesOf(id);
  if (files.length === 0) return checked(openBlobSource(await models.fileOf(id)));
  const manifest = files[index];
  if (manifest === undefined) throw missingFile(files[0]?.name ?? id, index);
  // Where the address is known whole, what is damaged or missing can be fetched.
  if (/^https?:[^?]*$/.test(manifest.url)) return openAddress(new URL(manifest.url), manifest.id);
  const { url, revision, name, bytes, model } = manifest;
  const { openStoredSource } = await import("./remote.ts");
  const hold = peek ? undefined : await models.holdModel(model);
  try {
    const description = { url, revision, name, bytes, sha256: manifest.sha256, ...(model === manifest.id ? {} : { model }) };
    const file = await models.open(description, diagnostics);
    if (file.manifest.state === "complete") return await checked(openStoredSource(file, () => hold?.release()));
    const message = `Not all of ${name} is stored. Import the file again, or load it from its address.`;
    throw new ShaderloomError("STORE.partial", message, { detail: { name, storedBytes: file.storedBytes, bytes } });
  } catch (thrown) {
    hold?.release();
    throw thrown;
  }
}

function noStore(): ShaderloomError {
  return new ShaderloomError("STORE.unavailable", "There is no model store here. Give the model's address or its file instead.");
}

function missingFile(name: string, index: number): ShaderloomError {
  const message = `File ${index + 1} of the model of ${name} is not stored. Load the model from its address.`;
  return new ShaderloomError("SOURCE.missing", message, { detail: { name, index } });
}
