// The part of the model dialog about files of this computer: picking them, and keeping a copy of the one in use.

import { button, element, icon, setProgress } from "./dom.ts";
import { canPickHandles, modelFileEndings, pickFiles, type PickedFiles } from "./file_access.ts";
import { formatBytes, formatShare } from "./figures.ts";
import type { ShelfState } from "./shelf.ts";

export interface FileSection {
  readonly root: HTMLElement;
  /** `keepable` is the file in use, when no copy and no note of it is kept. */
  readonly show: (state: ShelfState, keepable: File | undefined) => void;
}

export interface FileEvents {
  readonly onFiles: (picked: PickedFiles) => void;
  readonly onCopy: (file: File) => void;
}

function fileInput(onFiles: FileEvents["onFiles"]): HTMLInputElement {
  const input = element("input", {
    type: "file",
    id: "model-file",
    accept: modelFileEndings.join(","),
    multiple: true,
    "aria-label": "Model file",
    class: "unseen",
    tabindex: "-1",
  });
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    // Cleared, so that the same file can be picked again after an error.
    input.value = "";
    if (files.length > 0) onFiles({ files });
  });
  return input;
}

function createCopyView(): { readonly root: HTMLElement; readonly show: (state: ShelfState) => void } {
  let cancel: (() => void) | undefined;
  const text = element("span");
  const bar = element("progress", { "aria-label": "Copying the file" });
  const stop = button({ class: "quiet small", "aria-label": "Cancel copying" }, ["Cancel"], () => cancel?.());
  const running = element("div", { class: "copying" }, [text, stop, bar]);
  const note = element("p", { class: "stored-note" });
  return {
    root: element("div", {}, [running, note]),
    show({ copy, copyNote }) {
      running.hidden = copy === undefined;
      note.hidden = copyNote === undefined;
      note.textContent = copyNote?.text ?? "";
      note.classList.toggle("good", copyNote?.good === true);
      if (!copy) return;
      ({ cancel } = copy);
      const share = copy.total > 0 ? copy.done / copy.total : 0;
      text.textContent = `Copying ${copy.name}: ${formatShare(share)} of ${formatBytes(copy.total)}`;
      setProgress(bar, share);
    },
  };
}

export function createFileSection({ onFiles, onCopy }: FileEvents): FileSection {
  let file: File | undefined;
  const input = fileInput(onFiles);
  const pick = async (): Promise<void> => {
    try {
      const picked = await pickFiles();
      if (picked) onFiles(picked);
    } catch {
      // Not allowed here, for example in a frame of another site: the input always is.
      input.click();
    }
  };
  const choose = button({ class: "plain" }, [icon("file"), "Choose model files"], () => (canPickHandles() ? void pick() : input.click()));
  const hint = element("p", { class: "hint" }, [
    "A .gguf file, all parts of a split one, or all files of a safetensors folder. Or drop them, or the folder, anywhere on this page. They are read in place and sent nowhere.",
  ]);
  const keepText = element("span");
  const keep = element("div", { class: "keep" }, [
    keepText,
    button({ class: "quiet small" }, ["Keep a copy"], () => {
      if (file) onCopy(file);
    }),
  ]);
  const copying = createCopyView();
  return {
    root: element("section", {}, [element("h3", {}, ["From this computer"]), choose, input, hint, keep, copying.root]),
    show(state, keepable) {
      file = keepable;
      keep.hidden = keepable === undefined || state.copy !== undefined || state.problem !== undefined;
      keepText.textContent = keepable ? `${keepable.name} is open and not kept.` : "";
      copying.show(state);
    },
  };
}
