// One stored model in the list: what it is, and the buttons to load, check, copy or delete it. Deleting asks once, in place.

import type { StoredModel } from "../index.ts";
import { button, element, setProgress } from "./dom.ts";
import { formatAgo, formatBytes, formatShare } from "./figures.ts";
import type { Job, Note } from "./shelf.ts";

export interface RowState {
  /** How it is called on this page. */
  readonly name: string;
  readonly inUse: boolean;
  readonly check: Job | undefined;
  readonly note: Note | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface RowEvents {
  readonly onLoad: (model: StoredModel) => void;
  readonly onCheck: (model: StoredModel) => void;
  readonly onKeep: (model: StoredModel) => void;
  /** After it was confirmed. */
  readonly onDelete: (model: StoredModel) => void;
}

export interface StoredRow {
  readonly root: HTMLElement;
  readonly show: (model: StoredModel, state: RowState) => void;
}

/** Where a downloaded model came from. */
function originOf({ location }: StoredModel): string[] {
  return URL.canParse(location) && location.startsWith("http") ? [new URL(location).host] : [];
}

/** `386 MB · complete and verified · used 2 hours ago · huggingface.co`. */
export function rowLine(model: StoredModel, now: number): string {
  const used = `used ${formatAgo(model.usedAt, now)}`;
  if (model.kind === "copy") return [formatBytes(model.imageBytes), "made of a file of this computer, to stream it from", used].join(" · ");
  const copy = model.imageBytes > 0 ? [`${formatBytes(model.imageBytes)} more to stream from`] : [];
  if (model.kind === "remembered") return [formatBytes(model.bytes), "on this computer, read in place", ...copy, used].join(" · ");
  const size = model.complete ? formatBytes(model.bytes) : `${formatBytes(model.storedBytes)} of ${formatBytes(model.bytes)}`;
  const state = model.complete
    ? model.verified
      ? "complete, verified"
      : "complete"
    : `${formatShare(model.storedBytes / model.bytes)} downloaded`;
  const origin = model.kind === "imported" ? ["copied from this computer"] : originOf(model);
  return [size, ...copy, state, used, ...origin].join(" · ");
}

function loadLabel({ kind, complete }: StoredModel): string {
  if (kind === "remembered") return "Open";
  return complete ? "Load" : "Resume";
}

const againOf = {
  downloaded: "It would have to be downloaded again.",
  imported: "It would have to be copied again.",
  copy: "It would have to be made again.",
};

/** What deleting is called, and what it asks first. */
function deletion(model: StoredModel, name: string): { readonly label: string; readonly question: string; readonly confirm: string } {
  if (model.kind === "remembered")
    return { label: "Forget", question: `Forget where ${name} is? The file itself stays.`, confirm: "Forget" };
  const again = againOf[model.kind];
  const size = formatBytes(model.storedBytes + model.imageBytes);
  return { label: "Delete", question: `Delete ${name} and free ${size}? ${again}`, confirm: `Delete ${size}` };
}

interface Confirmation {
  readonly root: HTMLElement;
  readonly ask: (question: string, confirm: string) => void;
}

function createConfirmation(onYes: () => void, onNo: () => void): Confirmation {
  const question = element("p");
  const close = (): void => {
    root.hidden = true;
  };
  const yes = button({ class: "danger small" }, [], () => {
    close();
    onYes();
  });
  const no = button({ class: "plain small" }, ["Keep it"], () => {
    close();
    onNo();
  });
  const root = element("div", { class: "stored-confirm", role: "group", "aria-label": "Confirm", hidden: true }, [question, yes, no]);
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    // The dialog around it stays.
    event.preventDefault();
    event.stopPropagation();
    no.click();
  });
  return {
    root,
    ask(text, confirm) {
      question.textContent = text;
      yes.textContent = confirm;
      root.hidden = false;
      no.focus();
    },
  };
}

export function createStoredRow(events: RowEvents): StoredRow {
  let current: StoredModel | undefined;
  let cancelCheck: (() => void) | undefined;
  let name = "";
  const act = (run: (model: StoredModel) => void) => (): void => {
    if (current) run(current);
  };
  const title = element("strong");
  const tag = element("span", { class: "tag" }, ["in use"]);
  const line = element("p", { class: "hint" });
  const bar = element("progress");
  const stop = button({ class: "quiet small" }, ["Cancel"], () => cancelCheck?.());
  const checking = element("div", { class: "stored-check" }, [bar, stop]);
  const note = element("p", { class: "stored-note" });
  const load = button({ class: "plain small" }, [], act(events.onLoad));
  const check = button({ class: "quiet small" }, ["Check"], act(events.onCheck));
  const keep = button({ class: "quiet small" }, ["Keep a copy"], act(events.onKeep));
  const remove = button(
    { class: "quiet small" },
    [],
    act((model) => {
      const { question, confirm } = deletion(model, name);
      confirmation.ask(question, confirm);
    }),
  );
  const confirmation = createConfirmation(act(events.onDelete), () => remove.focus());
  const head = element("div", { class: "stored-head" }, [element("p", { class: "stored-name" }, [title, tag]), line]);
  const actions = element("div", { class: "stored-actions" }, [load, check, keep, remove]);
  return {
    root: element("li", { class: "stored" }, [head, actions, confirmation.root, checking, note]),
    show(model, state) {
      current = model;
      ({ name } = state);
      cancelCheck = state.check?.cancel;
      title.textContent = name;
      tag.hidden = !state.inUse;
      line.textContent = rowLine(model, state.now);
      const remembered = model.kind === "remembered";
      load.textContent = loadLabel(model);
      load.hidden = state.inUse || model.kind === "copy";
      check.hidden = remembered || state.check !== undefined;
      keep.hidden = !remembered;
      remove.textContent = deletion(model, name).label;
      for (const node of [load, check, keep, remove]) node.setAttribute("aria-label", `${node.textContent} ${name}`);
      checking.hidden = state.check === undefined;
      bar.setAttribute("aria-label", `Checking ${name}`);
      stop.setAttribute("aria-label", `Cancel checking ${name}`);
      setProgress(bar, state.check && state.check.total > 0 ? state.check.done / state.check.total : undefined);
      note.textContent = state.note?.text ?? "";
      note.hidden = state.note === undefined;
      note.classList.toggle("good", state.note?.good === true);
    },
  };
}
