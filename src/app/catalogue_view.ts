// The models that the page offers by name, as buttons.

import type { CatalogueEntry } from "./catalogue.ts";
import { button, element } from "./dom.ts";
import type { ModelSource } from "./model_host.ts";

function entryButton(entry: CatalogueEntry, tag: string | undefined, onPick: (source: ModelSource) => void): HTMLButtonElement {
  const name = element("strong", {}, [entry.name, ...(tag === undefined ? [] : [" ", element("span", { class: "tag" }, [tag])])]);
  return button({ class: "entry" }, [name, element("span", { class: "hint" }, [entry.description])], () => onPick(entry));
}

export interface CatalogueView {
  readonly root: HTMLElement;
  readonly show: (entries: readonly CatalogueEntry[], tagOf: (entry: CatalogueEntry) => string | undefined) => void;
}

export function createCatalogueView(onPick: (source: ModelSource) => void): CatalogueView {
  const root = element("div", { class: "catalogue" });
  return {
    root,
    show(entries, tagOf) {
      const focused = [...root.children].indexOf(document.activeElement ?? root);
      root.replaceChildren(...entries.map((entry) => entryButton(entry, tagOf(entry), onPick)));
      const again = root.children[focused];
      if (again instanceof HTMLElement) again.focus();
    },
  };
}
