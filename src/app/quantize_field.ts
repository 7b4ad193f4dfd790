// The choice what float weights become while a model is loaded. Kept for this visit only.

import type { EngineOptions } from "../index.ts";
import { element } from "./dom.ts";

export type Quantize = NonNullable<EngineOptions["quantize"]>;

export interface QuantizeField {
  readonly root: HTMLElement;
  /** Undefined leaves weights as they are stored. */
  readonly value: () => Quantize | undefined;
}

const choices: ReadonlyArray<readonly [value: Quantize, label: string]> = [
  ["q8_0", "8 bits (Q8_0)"],
  ["q4_k", "4 bits (Q4_K)"],
  ["q4_0", "4 bits (Q4_0), quicker to make"],
];

export function createQuantizeField(): QuantizeField {
  const options = choices.map(([value, label]) => element("option", { value }, [label]));
  const select = element("select", { id: "model-quantize", "aria-describedby": "model-quantize-hint" }, [
    element("option", { value: "" }, ["As they are stored"]),
    ...options,
  ]);
  const hint = element("p", { class: "hint", id: "model-quantize-hint" }, [
    "Fewer bits take less of the GPU's memory. Models that are quantized already stay as they are.",
  ]);
  const label = element("h3", {}, [element("label", { for: "model-quantize" }, ["Weights of 16 or 32 bits"])]);
  return {
    root: element("section", { class: "quantize" }, [label, select, hint]),
    value: () => choices.find(([value]) => value === select.value)?.[0],
  };
}
