// Owns the library of stored models: what is listed, and the work on it that a person started (checking, copying, deleting). Says
// what changed; shows nothing itself. A browser that stores nothing is a state, not an error.

import type { ModelLibrary, StorageSpace, StoredModel } from "../index.ts";
import { plainAddress } from "./address.ts";
import { formatBytes, formatCount, formatCountOf } from "./figures.ts";
import type { ModelSource } from "./model_host.ts";
import { asProblem, isAbort, type Problem } from "./problem.ts";

/** Work on a stored model, or a copy that is being made. */
export interface Job {
  readonly done: number;
  readonly total: number;
  readonly cancel: () => void;
}

/** What came of the last work on a model. */
export interface Note {
  readonly text: string;
  readonly good: boolean;
}

export interface ShelfState {
  readonly models: readonly StoredModel[];
  readonly space: StorageSpace | undefined;
  /** Why nothing is listed; undefined when the library is open. */
  readonly problem: Problem | undefined;
  /** Whether the browser was asked to keep the models and did not agree. */
  readonly keepRefused: boolean;
  /** Checks under way, by model. */
  readonly checks: ReadonlyMap<string, Job>;
  readonly notes: ReadonlyMap<string, Note>;
  /** The copy under way, and what came of the last one. */
  readonly copy: (Job & { readonly name: string }) | undefined;
  readonly copyNote: Note | undefined;
}

export interface ShelfEvents {
  onChange(state: ShelfState): void;
  /** For people who hear the page. */
  onAnnounce(text: string): void;
}

export class Shelf {
  readonly #open: () => Promise<ModelLibrary>;
  readonly #events: ShelfEvents;
  #library: Promise<ModelLibrary> | undefined;
  #state: ShelfState = {
    models: [],
    space: undefined,
    problem: undefined,
    keepRefused: false,
    checks: new Map(),
    notes: new Map(),
    copy: undefined,
    copyNote: undefined,
  };

  constructor(open: () => Promise<ModelLibrary>, events: ShelfEvents) {
    this.#open = open;
    this.#events = events;
  }

  get state(): ShelfState {
    return this.#state;
  }

  /** Reads the list anew. Never rejects. */
  async refresh(): Promise<void> {
    try {
      const library = await this.#opened();
      const [models, space] = await Promise.all([library.list(), library.space()]);
      const sorted = models.toSorted((a, b) => b.usedAt - a.usedAt);
      const known = new Set(sorted.map(({ id }) => id));
      const notes = new Map([...this.#state.notes].filter(([id]) => known.has(id)));
      this.#change({ models: sorted, space, problem: undefined, notes });
    } catch (thrown) {
      // Opened again at the next refresh.
      this.#library = undefined;
      this.#change({ models: [], problem: asProblem(thrown) });
    }
  }

  /** The stored model of a source, complete or not. Looks at the list as it is now in the store. */
  async find(source: ModelSource): Promise<StoredModel | undefined> {
    const { location } = source;
    if (typeof location !== "string") return undefined;
    await this.refresh();
    const address = plainAddress(location);
    const found = this.#state.models.filter((model) => plainAddress(model.location) === address);
    return found.find(({ complete }) => complete) ?? found[0];
  }

  /** Hashes all of a model again. Never rejects. */
  async check(model: StoredModel): Promise<void> {
    if (this.#state.checks.has(model.id)) return;
    const controller = new AbortController();
    const progress = (done: number, total: number): void => this.#setCheck(model.id, { done, total, cancel: () => controller.abort() });
    progress(0, model.storedBytes);
    this.#note(model, undefined);
    try {
      const library = await this.#opened();
      const { chunks, damaged } = await library.verify(model.id, { signal: controller.signal, onProgress: progress });
      this.#note(model, checkNote({ chunks, damaged, how: model.kind === "imported" ? "copied" : "downloaded" }));
    } catch (thrown) {
      this.#note(model, failureNote(thrown, "Checking was cancelled."));
    }
    this.#setCheck(model.id, undefined);
    await this.refresh();
  }

  /** Deletes a model; of a remembered file only the note of where it is. Never rejects. @returns whether it is gone */
  async delete(model: StoredModel): Promise<boolean> {
    this.#note(model, undefined);
    let gone = false;
    try {
      await (await this.#opened()).delete(model.id);
      gone = true;
      const freed = model.storedBytes > 0 ? ` ${formatBytes(model.storedBytes)} are free again.` : "";
      this.#events.onAnnounce(model.kind === "remembered" ? `${model.name} is forgotten.` : `${model.name} is deleted.${freed}`);
    } catch (thrown) {
      this.#note(model, failureNote(thrown, ""));
    }
    await this.refresh();
    return gone;
  }

  /** Asks the browser to keep what is stored. Never rejects. @returns what it said */
  async persist(): Promise<boolean> {
    let kept = false;
    try {
      kept = await (await this.#opened()).persist();
    } catch {
      // The same as a no; the list says what is wrong with the library.
    }
    this.#change({ keepRefused: !kept });
    this.#events.onAnnounce(kept ? "The browser keeps the models." : "The browser did not agree to keep the models.");
    await this.refresh();
    return kept;
  }

  /** Copies a file of this computer, so that it stays when the file goes. One at a time. Never rejects. */
  async copy(file: File): Promise<void> {
    if (this.#state.copy) return;
    const controller = new AbortController();
    const { name } = file;
    const onProgress = (done: number, total: number): void =>
      this.#change({ copy: { name, done, total, cancel: () => controller.abort() }, copyNote: undefined });
    onProgress(0, file.size);
    let copyNote: Note;
    try {
      await (await this.#opened()).importFile(file, { signal: controller.signal, onProgress });
      copyNote = { text: `A copy of ${name} is on this device.`, good: true };
    } catch (thrown) {
      copyNote = failureNote(thrown, `Copying ${name} was cancelled; it goes on where it stopped.`);
    }
    this.#change({ copy: undefined, copyNote });
    this.#events.onAnnounce(copyNote.text);
    await this.refresh();
  }

  /** Remembers a file to be read in place next time. Failing is no harm: it can be picked again. @returns its `stored:` address */
  async remember(handle: FileSystemFileHandle): Promise<string | undefined> {
    try {
      const { location } = await (await this.#opened()).remember(handle);
      await this.refresh();
      return location;
    } catch {
      return undefined;
    }
  }

  /** The file of a remembered model. Never rejects. */
  async copyRemembered(model: StoredModel): Promise<void> {
    try {
      await this.copy(await (await this.#opened()).fileOf(model.id));
    } catch (thrown) {
      this.#note(model, failureNote(thrown, ""));
    }
  }

  #opened(): Promise<ModelLibrary> {
    this.#library ??= this.#open();
    return this.#library;
  }

  #setCheck(id: string, job: Job | undefined): void {
    const checks = new Map(this.#state.checks);
    if (job) checks.set(id, job);
    else checks.delete(id);
    this.#change({ checks });
  }

  #note({ id, name }: StoredModel, note: Note | undefined): void {
    const notes = new Map(this.#state.notes);
    if (note) notes.set(id, note);
    else notes.delete(id);
    this.#change({ notes });
    if (note) this.#events.onAnnounce(`${name}: ${note.text}`);
  }

  #change(part: Partial<ShelfState>): void {
    this.#state = { ...this.#state, ...part };
    this.#events.onChange(this.#state);
  }
}

function checkNote({ chunks, damaged, how }: { chunks: number; damaged: number; how: string }): Note {
  if (damaged === 0)
    return { good: true, text: `Checked: ${chunks === 1 ? "its one part is" : `all ${formatCountOf(chunks, "part")} are`} as ${how}.` };
  const cure = how === "copied" ? "Copy the file again." : "Loading it fetches them again.";
  return { good: false, text: `${formatCount(damaged)} of ${formatCountOf(chunks, "part")} were damaged and are removed. ${cure}` };
}

function failureNote(thrown: unknown, cancelled: string): Note {
  const problem = asProblem(thrown);
  // The engine speaks of unloading, which is done here by loading another model.
  if (problem.code === "STORE.busy") return { text: "It is in use. Load another model first, here and in other tabs.", good: false };
  return isAbort(problem) ? { text: cancelled, good: true } : { text: problem.message, good: false };
}
