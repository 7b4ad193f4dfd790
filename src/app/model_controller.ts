// Everything about which model is in use: picking one, its verdict, its load, and what is stored. Joins the views of these with the
// host, the choice and the shelf; the conversation is told only that a model is there or gone.

import type { ModelLibrary } from "../index.ts";
import type { Banners } from "./banner.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import { sourceOfFiles, type PickedFiles } from "./file_access.ts";
import { createLoadView } from "./load_view.ts";
import { ModelChoice, type EstimateFunctions } from "./model_choice.ts";
import { ModelHost, type CreateEngine, type LoadedModel, type ModelSource } from "./model_host.ts";
import { createModelPicker, type ModelPicker } from "./model_picker.ts";
import { asProblem, loadRemedies, type LoadRemedy, type Problem } from "./problem.ts";
import { Shelf } from "./shelf.ts";
import type { Unkept } from "./storage_view.ts";
import { readVerdict } from "./verdict_text.ts";
import { createVerdictView } from "./verdict_view.ts";

/** The parts of the API that concern models. */
export interface ModelFunctions extends Pick<EstimateFunctions, "estimate"> {
  readonly createEngine: CreateEngine;
  readonly openModels: () => Promise<ModelLibrary>;
}

export interface ModelControllerEvents {
  /** A model is loaded; the one before it is freed after this returns. */
  onReady(model: LoadedModel): void;
  /** What is in use or being loaded has changed. */
  onChange(): void;
  onAnnounce(text: string): void;
}

type LoadView = ReturnType<typeof createLoadView>;
type VerdictView = ReturnType<typeof createVerdictView>;

export class ModelController {
  readonly loadView: LoadView;
  readonly picker: ModelPicker;
  readonly verdict: VerdictView;
  readonly #banners: Banners;
  readonly #events: ModelControllerEvents;
  readonly #host: ModelHost;
  readonly #choice: ModelChoice;
  readonly #shelf: Shelf;
  /** Where the file in use is remembered. */
  #remembered: { readonly source: ModelSource; readonly location: string } | undefined;
  #heldBytes = 0;

  constructor(functions: ModelFunctions, banners: Banners, events: ModelControllerEvents) {
    this.#banners = banners;
    this.#events = events;
    this.#shelf = new Shelf(functions.openModels, {
      onChange: () => this.#showShelf(),
      onAnnounce: (text) => events.onAnnounce(text),
    });
    this.#host = this.#createHost(functions.createEngine);
    this.#choice = this.#createChoice(functions);
    this.loadView = createLoadView(() => this.#host.cancel());
    this.verdict = createVerdictView({
      onRun: (source) => this.load(source),
      onInstead: (source) => void this.#choice.assess(source),
      onChooseOther: () => this.picker.open(),
      onCancel: () => this.#choice.cancel(),
    });
    this.picker = createModelPicker({
      onOpen: () => void this.#shelf.refresh(),
      onPick: (source) => void this.#choice.pick(this.#asChosen(source)),
      onStored: (source) => this.load(this.#asChosen(source)),
      onFiles: (picked) => this.openFiles(picked),
      onCopy: (file) => void this.#shelf.copy(file),
      onCheck: (model) => void this.#shelf.check(model),
      onKeep: (model) => void this.#shelf.copyRemembered(model),
      onDelete: (model) => void this.#shelf.delete(model),
      onPersist: () => void this.#shelf.persist(),
      onStore: () => this.#storeCurrent(),
    });
    this.#showShelf();
  }

  get current(): LoadedModel | undefined {
    return this.#host.current;
  }

  get loading(): ModelSource | undefined {
    return this.#host.loading;
  }

  /** Loads the first model of the catalogue, or without a catalogue the one used last. */
  async start(fetchCatalogue: () => Promise<readonly CatalogueEntry[]>): Promise<void> {
    let first: ModelSource | undefined;
    try {
      const catalogue = await fetchCatalogue();
      this.picker.setCatalogue(catalogue);
      [first] = catalogue;
    } catch (thrown) {
      await this.#shelf.refresh();
      first = this.#shelf.state.models.find(({ complete, kind }) => complete && kind !== "remembered");
      if (!first) this.#banners.show("page", asProblem(thrown), {});
    }
    // A file may have been dropped meanwhile.
    if (first && !this.loading && !this.current) await this.#host.load(first);
  }

  /** Files of this computer are read in place, so nothing is asked first. */
  openFiles(picked: PickedFiles): void {
    const source = sourceOfFiles(picked);
    if (!source) return;
    this.load(this.#asChosen(source));
    const { handle } = picked;
    if (handle) void this.#remember(source, handle);
  }

  load(source: ModelSource): void {
    if (this.picker.root.open) this.picker.root.close();
    this.#choice.cancel();
    void this.#host.load(source);
  }

  /** Lets go of a model whose engine is gone. */
  drop(): void {
    void this.#host.drop();
    this.#showShelf();
  }

  /** What the model in use holds of the GPU's memory, for the verdict on the next one. */
  noteMemory(bytes: number): void {
    this.#heldBytes = bytes;
  }

  /** With what the dialog says of float weights. */
  #asChosen(source: ModelSource): ModelSource {
    const quantize = this.picker.quantize();
    return quantize === undefined ? source : { ...source, quantize };
  }

  #createHost(create: CreateEngine): ModelHost {
    return new ModelHost(create, {
      onStart: (source) => {
        this.#banners.clear("load");
        this.#banners.clear("storage");
        this.loadView.start(source.name, !isRemote(source));
        this.#events.onAnnounce(`Loading ${source.name}.`);
        this.#events.onChange();
      },
      onProgress: (progress) => this.loadView.show(progress),
      onReady: (model) => this.#ready(model),
      onFail: (problem, source) => {
        this.#failed(problem, source, () => this.load(source));
        this.#ended("");
      },
      onCancel: (source) => this.#ended(`Loading ${source.name} was cancelled. What was downloaded is kept.`),
    });
  }

  #createChoice({ estimate }: ModelFunctions): ModelChoice {
    const isStored = async (source: ModelSource): Promise<boolean> => (await this.#shelf.find(source))?.complete === true;
    return new ModelChoice(
      { estimate, isStored },
      {
        onLoad: (source) => {
          this.verdict.close();
          void this.#host.load(source);
        },
        onStep: (source, step) => {
          // What was wrong with the model before does not concern this one.
          this.#banners.clear("load");
          this.verdict.working(source, step);
        },
        onEstimate: (source, made) => {
          const held = this.current ? { name: this.current.source.name, bytes: this.#heldBytes } : undefined;
          this.verdict.show(source, readVerdict(made, held));
        },
        onFail: (problem, source) => {
          this.verdict.close();
          this.#failed(problem, source, () => void this.#choice.pick(source));
        },
        onCancel: () => this.verdict.close(),
      },
    );
  }

  #ready(model: LoadedModel): void {
    this.#events.onReady(model);
    const { warning, diagnostics } = model.info.storage;
    const mended = diagnostics.damagedChunks + diagnostics.refusedChunks;
    this.#ended(`${model.source.name} is ready.${mended > 0 ? " Damaged parts of it were downloaded again." : ""}`);
    void this.#shelf.refresh();
    if (!warning) return;
    this.#banners.show("storage", warning, {
      calm: true,
      state: `${model.source.name} runs from memory and was not kept: the next visit would download it again.`,
      remedies: [
        ...(warning.code.startsWith("QUOTA") ? [{ label: "Make room", run: () => this.picker.open("storage") }] : []),
        { label: "Store it", run: () => this.#storeCurrent() },
      ],
    });
  }

  #failed(problem: Problem, source: ModelSource, again: () => void): void {
    const { current } = this;
    const state = current ? `${current.source.name} is still loaded.` : "No model is loaded.";
    const { location } = source;
    const run: Readonly<Record<LoadRemedy, () => void>> = {
      retry: again,
      choose: () => this.picker.open(),
      token: () => this.picker.open({ token: typeof location === "string" ? location : "" }),
      room: () => this.picker.open("storage"),
      unstored: () => this.load({ ...source, unstored: true }),
      verdict: () => void this.#choice.assess(source),
    };
    this.#banners.show("load", problem, {
      state: `${source.name} was not loaded. ${state}`,
      remedies: loadRemedies(problem, isRemote(source)).map(({ kind, label }) => ({ label, run: run[kind] })),
    });
  }

  #ended(announcement: string): void {
    this.loadView.end();
    if (announcement !== "") this.#events.onAnnounce(announcement);
    this.#showShelf();
    this.#events.onChange();
  }

  async #remember(source: ModelSource, handle: FileSystemFileHandle): Promise<void> {
    const location = await this.#shelf.remember(handle);
    if (location === undefined) return;
    this.#remembered = { source, location };
    this.#showShelf();
  }

  /** Loads the model in use again, because there may be room for it now. */
  #storeCurrent(): void {
    const source = this.current?.source;
    if (source) this.load(source);
  }

  #unkept({ source, info }: LoadedModel): Unkept | undefined {
    if (!info.storage.warning?.code.startsWith("QUOTA")) return undefined;
    const part = this.#shelf.state.models.find(({ id }) => id === info.storage.model);
    return { name: source.name, missing: part && part.bytes - part.storedBytes };
  }

  #showShelf(): void {
    const model = this.current;
    const location = model?.source.location;
    const remembered = model && this.#remembered?.source === model.source ? this.#remembered.location : undefined;
    this.picker.show({
      shelf: this.#shelf.state,
      current: model?.source.name,
      inUse: model?.info.storage.model ?? idOf(location) ?? idOf(remembered),
      unkept: model && this.#unkept(model),
      keepable: location instanceof File && remembered === undefined ? location : undefined,
    });
  }
}

/** Whether it is read from an address. */
function isRemote({ location }: ModelSource): boolean {
  return typeof location === "string" && !location.startsWith("stored:");
}

function idOf(location: ModelSource["location"] | undefined): string | undefined {
  return typeof location === "string" && location.startsWith("stored:") ? location.slice("stored:".length) : undefined;
}
