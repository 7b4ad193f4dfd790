// Takes a file dropped anywhere on the page. Without this the browser would leave the page and open the file instead.

import { element, icon } from "./dom.ts";

function carriesFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

/** @returns the sheet shown over the page while a file is dragged over it */
export function acceptDrops(onFile: (file: File) => void): HTMLElement {
  const sheet = element("div", { class: "drop-sheet", hidden: true }, [element("p", {}, [icon("file"), "Drop the .gguf file to load it"])]);
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
    const file = event.dataTransfer?.files[0];
    if (file) onFile(file);
  });
  return sheet;
}
