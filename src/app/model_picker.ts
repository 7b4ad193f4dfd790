// The dialog that picks a model: one that the page offers, one that is stored here, files of this computer, or an address. It only
// says what was picked.

import type { StoredModel } from "../index.ts";
import { plainAddress } from "./address.ts";
import { createAddressSection } from "./address_section.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import { createCatalogueView } from "./catalogue_view.ts";
import { dialog, element } from "./dom.ts";
import { createFileSection, type FileEvents } from "./file_section.ts";
import type { ModelSource } from "./model_host.ts";
import { createQuantizeField, type Quantize } from "./quantize_field.ts";
import type { ShelfState } from "./shelf.ts";
import { createStorageView, type StorageEvents, type Unkept } from "./storage_view.ts";

/** What the dialog has to know of the model in use. */
export interface PickerState {
  readonly shelf: ShelfState;
  /** Name of the model in use. */
  readonly current: string | undefined;
  /** Id of the stored model in use. */
  readonly inUse: string | undefined;
  readonly unkept: Unkept | undefined;
  readonly keepable: File | undefined;
}

export interface ModelPicker {
  readonly root: HTMLDialogElement;
  /** At the stored models, or at the field of an access token. */
  readonly open: (at?: "storage" | { readonly token: string }) => void;
  readonly setCatalogue: (entries: readonly CatalogueEntry[]) => void;
  readonly show: (state: PickerState) => void;
  /** What float weights become. */
  readonly quantize: () => Quantize | undefined;
}

export interface PickerEvents extends FileEvents, Omit<StorageEvents, "onLoad"> {
  /** Called after the dialog has closed. */
  readonly onPick: (source: ModelSource) => void;
  /** A stored model, whole or not: to be loaded without asking. */
  readonly onStored: (source: ModelSource) => void;
  readonly onOpen: () => void;
}

/** A stored model as something to load, with the name and the questions of the catalogue's entry for it. */
function storedSource(model: StoredModel, entries: readonly CatalogueEntry[]): ModelSource {
  const entry = entryOf(model, entries);
  return entry ? { ...entry, location: model.location } : { location: model.location, name: model.name };
}

function entryOf(model: StoredModel, entries: readonly CatalogueEntry[]): CatalogueEntry | undefined {
  return entries.find(({ location }) => plainAddress(location) === plainAddress(model.location));
}

function tagOf({ name, location }: CatalogueEntry, state: PickerState | undefined): string | undefined {
  if (name === state?.current) return "in use";
  const stored = state?.shelf.models.some((model) => model.complete && plainAddress(model.location) === plainAddress(location));
  return stored ? "on this device" : undefined;
}

export function createModelPicker(events: PickerEvents): ModelPicker {
  let entries: readonly CatalogueEntry[] = [];
  let state: PickerState | undefined;
  /** What is done with a choice is seen without the dialog. */
  const closing =
    <T extends readonly unknown[]>(run: (...choice: T) => void) =>
    (...choice: T): void => {
      root.close();
      run(...choice);
    };
  const pick = closing(events.onPick);
  const list = createCatalogueView(pick);
  const storage = createStorageView({
    ...events,
    onLoad: closing((model: StoredModel) => events.onStored(storedSource(model, entries))),
    onStore: closing(events.onStore),
  });
  const files = createFileSection({ ...events, onFiles: closing(events.onFiles) });
  const address = createAddressSection(pick);
  const quantize = createQuantizeField();
  const root = dialog({ id: "picker", class: "sheet picker" }, element("h2", {}, ["Choose a model"]));
  root.append(
    element("section", {}, [list.root]),
    storage.root,
    files.root,
    address.root,
    quantize.root,
    element("p", { class: "hint" }, [
      "GGUF files of any weight type, and Hugging Face folders with safetensors, of Llama, Mistral, SmolLM, Qwen2 and Qwen3 models.",
    ]),
  );
  const refresh = (): void => {
    list.show(entries, (entry) => tagOf(entry, state));
    if (!state) return;
    const { shelf, inUse, unkept, keepable } = state;
    storage.show(shelf, { inUse, unkept, nameOf: (model) => entryOf(model, entries)?.name ?? model.name });
    files.show(shelf, keepable);
  };
  return {
    root,
    open(at) {
      events.onOpen();
      if (!root.open) root.showModal();
      if (at === "storage") storage.reveal();
      else if (at) address.askToken(at.token);
    },
    setCatalogue(next) {
      entries = next;
      refresh();
    },
    show(next) {
      state = next;
      refresh();
    },
    quantize: quantize.value,
  };
}
