// The dialog that picks a model: one that the page offers, a file of this computer, or an address. It only says what was picked.

import { readAddress } from "./address.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import { button, element, icon } from "./dom.ts";
import type { ModelSource } from "./model_host.ts";

export interface ModelPicker {
  readonly root: HTMLDialogElement;
  readonly open: () => void;
  readonly setCatalogue: (entries: readonly CatalogueEntry[]) => void;
  /** Marks the entry in use. */
  readonly setCurrent: (name: string | undefined) => void;
}

function fileSection(onPick: (source: ModelSource) => void): HTMLElement {
  const input = element("input", {
    type: "file",
    id: "model-file",
    accept: ".gguf",
    "aria-label": "Model file",
    class: "unseen",
    tabindex: "-1",
  });
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    // Cleared, so that the same file can be picked again after an error.
    input.value = "";
    if (file) onPick({ location: file, name: file.name });
  });
  const choose = button({ class: "plain" }, [icon("file"), "Choose a .gguf file"], () => input.click());
  const hint = element("p", { class: "hint" }, ["Or drop one anywhere on this page. It is read in place and sent nowhere."]);
  return element("section", {}, [element("h3", {}, ["From this computer"]), choose, input, hint]);
}

function addressSection(onPick: (source: ModelSource) => void): HTMLElement {
  const input = element("input", {
    id: "model-address",
    type: "text",
    inputmode: "url",
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    placeholder: "hf:owner/repository/file.gguf",
    "aria-describedby": "model-address-problem model-address-hint",
  });
  const problem = element("p", { class: "field-problem", id: "model-address-problem", role: "alert" });
  const form = element("form", { class: "address", novalidate: true }, [
    input,
    element("button", { type: "submit", class: "plain" }, ["Load"]),
  ]);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const result = readAddress(input.value, document.baseURI);
    problem.textContent = result.ok ? "" : result.problem;
    input.setAttribute("aria-invalid", String(!result.ok));
    if (result.ok) onPick({ location: result.address, name: result.name });
  });
  const hint = element("p", { class: "hint", id: "model-address-hint" }, [
    "An https address or an hf: path. The file is fetched from there; nothing that you type in the chat is sent anywhere.",
  ]);
  const label = element("h3", {}, [element("label", { for: "model-address" }, ["From an address"])]);
  return element("section", {}, [label, form, problem, hint]);
}

/** @param onPick called after the dialog has closed */
export function createModelPicker(onPick: (source: ModelSource) => void): ModelPicker {
  let entries: readonly CatalogueEntry[] = [];
  let current: string | undefined;
  const list = element("div", { class: "catalogue" });
  const pick = (source: ModelSource): void => {
    root.close();
    onPick(source);
  };
  const refresh = (): void => {
    list.replaceChildren(
      ...entries.map((entry) => {
        const inUse = entry.name === current;
        const name = element("strong", {}, [entry.name, ...(inUse ? [element("span", { class: "tag" }, ["in use"])] : [])]);
        return button({ class: "entry" }, [name, element("span", { class: "hint" }, [entry.description])], () => pick(entry));
      }),
    );
  };
  const root: HTMLDialogElement = element("dialog", { class: "picker", "aria-labelledby": "picker-title" }, [
    element("header", {}, [
      element("h2", { id: "picker-title" }, ["Choose a model"]),
      button({ class: "quiet square", "aria-label": "Close" }, [icon("close")], () => root.close()),
    ]),
    element("section", {}, [list]),
    fileSection(pick),
    addressSection(pick),
    element("p", { class: "hint" }, [
      "GGUF files of Llama, Mistral, SmolLM, Qwen2 and Qwen3 models in F32, F16, BF16, Q8_0, Q4_0 or Q4_K_M.",
    ]),
  ]);
  // A press on the backdrop lands on the dialog itself.
  root.addEventListener("click", (event) => {
    if (event.target === root) root.close();
  });
  return {
    root,
    open: () => root.showModal(),
    setCatalogue(next) {
      entries = next;
      refresh();
    },
    setCurrent(name) {
      current = name;
      refresh();
    },
  };
}
