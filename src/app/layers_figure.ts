// A row of a streamed model's layers, each as it is just now: on the GPU for good, in a frame, being read, or in storage.

import type { LayerState, StreamingStats } from "../index.ts";
import { element } from "./dom.ts";
import { formatBytes, formatCount, formatCountOf, formatMilliseconds } from "./figures.ts";

export interface LayersFigure {
  readonly root: HTMLElement;
  /** Null where nothing is streamed. */
  readonly show: (streaming: StreamingStats | null) => void;
}

type Shown = Pick<StreamingStats, "resident" | "streamed" | "bytesPerStep" | "stallMsPerToken" | "readBytesPerSecond" | "image">;

const names: Readonly<Record<LayerState, string>> = {
  resident: "stays on the GPU",
  frame: "on the GPU for now",
  reading: "being read",
  stored: "in storage",
};

/** `12 of 28 layers are read for each token: 1.2 GB at 1.4 GB/s, 35 ms of waiting`. */
export function streamingLine(streaming: Shown): string {
  const { resident, streamed, bytesPerStep, stallMsPerToken, readBytesPerSecond, image } = streaming;
  const from = image.tier === "memory" ? " from this computer's memory" : "";
  const layers = `${formatCount(streamed)} of ${formatCountOf(resident + streamed, "layer")} are read${from} for each token`;
  const rate = readBytesPerSecond > 0 ? ` at ${formatBytes(readBytesPerSecond)}/s` : "";
  return `${layers}: ${formatBytes(bytesPerStep)}${rate}, ${formatMilliseconds(stallMsPerToken)} of waiting`;
}

/** States of all layers; where nothing tells of each, those that stay stand first. */
function statesOf({ layers, resident, streamed }: StreamingStats): readonly LayerState[] {
  if (layers) return layers;
  return Array.from({ length: resident + streamed }, (_, layer) => (layer < resident ? "resident" : "stored"));
}

export function createLayersFigure(): LayersFigure {
  const row = element("div", { class: "layers-row", role: "img" });
  const line = element("p", {});
  const legend = element("ul", { class: "layers-legend" });
  const root = element("section", { class: "layers", "aria-label": "Streaming", hidden: true }, [row, line, legend]);
  let cells: readonly HTMLElement[] = [];
  const shownStates = Object.keys(names).filter((state): state is LayerState => state in names);
  return {
    root,
    show(streaming) {
      root.hidden = !streaming;
      if (!streaming) return;
      const states = statesOf(streaming);
      if (cells.length !== states.length) {
        cells = states.map(() => element("span"));
        row.replaceChildren(...cells);
      }
      for (const [index, state] of states.entries()) {
        cells[index].className = `layer is-${state}`;
        cells[index].title = `Layer ${index + 1}: ${names[state]}`;
      }
      const text = streamingLine(streaming);
      row.setAttribute("aria-label", text);
      line.textContent = text;
      const wanted = shownStates.filter((state) => streaming.layers !== undefined || state === "resident" || state === "stored");
      if (legend.childElementCount === wanted.length) return;
      legend.replaceChildren(...wanted.map((state) => element("li", {}, [element("span", { class: `layer is-${state}` }), names[state]])));
    },
  };
}
