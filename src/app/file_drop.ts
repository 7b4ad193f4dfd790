// Takes files dropped anywhere on the page. Without this the browser would leave the page and open them instead.

import { element, icon } from "./dom.ts";
import { readDrop, type PickedFiles } from "./file_access.ts";

function carriesFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

/** @returns the sheet shown over the page while a file is dragged over it */
export function acceptDrops(onFiles: (picked: PickedFiles) => void): HTMLElement {
  const sheet = element("div", { class: "drop-sheet", hidden: true }, [element("p", {}, [icon("file"), "Drop the model to load it"])]);
  // Every element entered is left again; the sheet goes when all are.
  let depth = 0;
  const track = (change: number): void => {
    depth = Math.max(0, depth + change);
    sheet.hidden = depth === 0;
  };
  document.addEventListener("dragenter", (event) => {
    if (carriesFiles(event)) track(1);
  });
  document.addEventListener("dragleave", (event) => {
    if (carriesFiles(event)) track(-1);
  });
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
  });
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    track(-depth);
    if (!event.dataTransfer) return;
    void readDrop(event.dataTransfer).then((picked) => {
      if (picked.files.length > 0) onFiles(picked);
    });
  });
  return sheet;
}
