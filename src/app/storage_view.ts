// The part of the model dialog about this device: stored models, how much room there is, and whether the browser keeps them.

import type { StoredModel } from "../index.ts";
import { button, element, icon } from "./dom.ts";
import { formatBytes } from "./figures.ts";
import type { ShelfState } from "./shelf.ts";
import { createStoredRow, type RowEvents, type StoredRow } from "./stored_row.ts";

export interface StorageEvents extends RowEvents {
  readonly onPersist: () => void;
  /** Load the model in use again, so that it is stored this time. */
  readonly onStore: () => void;
}

/** The model in use, when it runs from memory because storage was refused. */
export interface Unkept {
  readonly name: string;
  /** Bytes of it that are not stored, when known. */
  readonly missing: number | undefined;
}

export interface StorageContext {
  /** Id of the stored model in use. */
  readonly inUse: string | undefined;
  readonly unkept: Unkept | undefined;
  readonly nameOf: (model: StoredModel) => string;
}

export interface StorageView {
  readonly root: HTMLElement;
  readonly show: (state: ShelfState, context: StorageContext) => void;
  /** Brings the section into sight and the focus to it. */
  readonly reveal: () => void;
}

/** `1.2 GB used · about 84 GB free`. */
export function spaceLine({ models, space }: ShelfState): string {
  const stored = models.reduce((sum, { storedBytes, imageBytes }) => sum + storedBytes + imageBytes, 0);
  const parts = [`Models take ${formatBytes(stored)}`];
  if (space && space.availableBytes !== null) parts.push(`about ${formatBytes(space.availableBytes)} free`);
  return parts.join(" · ");
}

function createUnkeptNote(onStore: () => void): { readonly root: HTMLElement; readonly show: (unkept: Unkept | undefined) => void } {
  const text = element("p");
  const root = element("div", { class: "unkept" }, [icon("warning"), text, button({ class: "plain small" }, ["Store it"], onStore)]);
  return {
    root,
    show(unkept) {
      root.hidden = unkept === undefined;
      if (!unkept) return;
      const size = unkept.missing === undefined ? "" : ` ${formatBytes(unkept.missing)} of it found no room.`;
      text.textContent = `${unkept.name} runs from memory and is not kept.${size} Delete what you no longer need, then store it.`;
    },
  };
}

export function createStorageView(events: StorageEvents): StorageView {
  const rows = new Map<string, StoredRow>();
  const heading = element("h3", { tabindex: "-1" }, ["On this device"]);
  const list = element("ul", { class: "stored-list" });
  const problem = element("p", { class: "hint" });
  const unkept = createUnkeptNote(events.onStore);
  const space = element("span");
  const persist = button({ class: "quiet small" }, ["Ask the browser to keep models"], events.onPersist);
  const kept = element("span");
  const foot = element("div", { class: "storage-foot hint" }, [space, persist, kept]);
  const root = element("section", { "aria-label": "On this device" }, [heading, unkept.root, list, problem, foot]);
  const showRows = (state: ShelfState, { inUse, nameOf }: StorageContext): void => {
    const now = Date.now();
    const wanted = state.models.map((model) => {
      const row = rows.get(model.id) ?? createStoredRow(events);
      rows.set(model.id, row);
      const { id } = model;
      row.show(model, { name: nameOf(model), inUse: id === inUse, check: state.checks.get(id), note: state.notes.get(id), now });
      return row.root;
    });
    for (const id of [...rows.keys()].filter((known) => !state.models.some((model) => model.id === known))) rows.delete(id);
    // Moving a node drops its focus, so only a list that changed is set anew.
    const same = wanted.length === list.childElementCount && wanted.every((node, index) => list.children[index] === node);
    if (same) return;
    const focused = document.activeElement;
    const inside = focused instanceof HTMLElement && list.contains(focused) ? focused : undefined;
    list.replaceChildren(...wanted);
    if (inside) (list.contains(inside) ? inside : heading).focus();
  };
  return {
    root,
    reveal() {
      heading.scrollIntoView({ block: "start" });
      heading.focus();
    },
    show(state, context) {
      showRows(state, context);
      unkept.show(context.unkept);
      problem.textContent = state.problem?.message ?? "";
      problem.hidden = state.problem === undefined;
      space.textContent = spaceLine(state);
      const persisted = state.space?.persisted === true;
      persist.hidden = persisted || state.keepRefused;
      kept.hidden = !persist.hidden;
      kept.textContent = persisted
        ? "The browser keeps them until you delete them."
        : "The browser did not agree to keep them: it may delete them when space runs out.";
      foot.hidden = state.problem !== undefined;
      root.hidden = state.models.length === 0 && state.problem === undefined && context.unkept === undefined;
    },
  };
}
