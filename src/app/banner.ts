// Shows errors where they cannot be missed, with their advice, their code and a way on. One of each kind at a time.

import { button, element, icon } from "./dom.ts";
import { detailLines, headingOf, type Problem, textOf } from "./problem.ts";

/** `load`: of a model; `answer`: of a question; `storage`: of keeping a model that runs; `page`: of the page itself. */
export type BannerKind = "load" | "answer" | "storage" | "page";

export interface Remedy {
  readonly label: string;
  readonly run: () => void;
}

export interface BannerOptions {
  /** A sentence on what the page has now. */
  readonly state?: string;
  /** They close the banner. */
  readonly remedies?: readonly Remedy[];
  /** Nothing has failed that was asked for: said calmly. */
  readonly calm?: boolean;
}

export interface Banners {
  readonly root: HTMLElement;
  readonly show: (kind: BannerKind, problem: Problem, options: BannerOptions) => void;
  readonly clear: (kind: BannerKind) => void;
}

export function createBanners(): Banners {
  const shown = new Map<BannerKind, HTMLElement>();
  const root = element("div", { class: "banners" });
  const clear = (kind: BannerKind): void => {
    shown.get(kind)?.remove();
    shown.delete(kind);
  };
  return {
    root,
    clear,
    show(kind, problem, { state, remedies = [], calm = false }) {
      clear(kind);
      const lines = detailLines(problem);
      const details = element("details", {}, [
        element("summary", {}, ["Details"]),
        element(
          "ul",
          {},
          [`code: ${problem.code}`, ...lines].map((line) => element("li", {}, [line])),
        ),
      ]);
      const actions = remedies.map(({ label, run }) =>
        button({ class: "plain small" }, [label], () => {
          clear(kind);
          run();
        }),
      );
      const banner = element("div", { class: calm ? "banner calm" : "banner", role: calm ? "status" : "alert" }, [
        element("div", { class: "banner-head" }, [
          element("div", {}, [element("strong", {}, [headingOf(problem)]), " ", element("code", {}, [problem.code])]),
          button({ class: "quiet square", "aria-label": "Dismiss" }, [icon("close")], () => clear(kind)),
        ]),
        element("p", {}, [textOf(problem)]),
        ...(state === undefined ? [] : [element("p", { class: "banner-state" }, [state])]),
        element("div", { class: "banner-actions" }, [...actions, ...(lines.length > 0 ? [details] : [])]),
      ]);
      shown.set(kind, banner);
      root.append(banner);
    },
  };
}
