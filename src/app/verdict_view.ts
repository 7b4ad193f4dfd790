// The dialog before a download: what the model takes, whether it fits and how fast it would be, and the buttons to go on or not.
// While the estimate is under way it says what is being done.

import { button, dialog, element, icon } from "./dom.ts";
import { formatCount } from "./figures.ts";
import { createMemoryBar } from "./memory_bar.ts";
import type { EstimateStep } from "./model_choice.ts";
import type { ModelSource } from "./model_host.ts";
import type { Tone, Verdict, VerdictFact } from "./verdict_text.ts";
import { textOf } from "./problem.ts";

export interface VerdictView {
  readonly root: HTMLDialogElement;
  /** Opens, or goes back to waiting. */
  readonly working: (source: ModelSource, step: EstimateStep) => void;
  readonly show: (source: ModelSource, verdict: Verdict) => void;
  readonly close: () => void;
}

export interface VerdictEvents {
  /** Load it. Called after the dialog has closed. */
  readonly onRun: (source: ModelSource) => void;
  /** Judge it again as it is now, with another context or another type of keys and values. */
  readonly onInstead: (source: ModelSource) => void;
  readonly onChooseOther: () => void;
  /** Closed without a decision. */
  readonly onCancel: () => void;
}

const stepTexts: Readonly<Record<EstimateStep, string>> = {
  first: "Reading the beginning of the file, then measuring this device, once. It takes a few seconds.",
  header: "Reading the beginning of the file to see what it takes.",
};

const toneIcons = { good: "check", tight: "warning", bad: "close" } as const satisfies Record<Tone, string>;

function factRow({ label, text, tone }: VerdictFact): HTMLElement {
  return element("div", { class: "verdict-fact" }, [element("dt", {}, [label]), element("dd", { class: tone ?? "" }, [text])]);
}

function verdictBody(verdict: Verdict): HTMLElement[] {
  const problems = verdict.problems.map((problem) => element("li", {}, [`${textOf(problem)} `, element("code", {}, [problem.code])]));
  return [
    element("p", { class: `verdict-headline ${verdict.tone}`, id: "verdict-headline" }, [
      icon(toneIcons[verdict.tone]),
      element("span", {}, [verdict.headline]),
    ]),
    ...(problems.length > 0 ? [element("ul", { class: "verdict-problems" }, problems)] : []),
    ...(verdict.suggestion === undefined ? [] : [element("p", { class: "verdict-suggestion" }, [verdict.suggestion])]),
    ...(verdict.memory === undefined ? [] : [createMemoryBar(verdict.memory)]),
    element("dl", { class: "verdict-facts" }, verdict.facts.map(factRow)),
    element("p", { class: "hint" }, ["Estimated from the beginning of the file and a short measurement of this device."]),
  ];
}

interface Actions {
  readonly run: (source: ModelSource) => void;
  readonly judge: (source: ModelSource) => void;
  readonly chooseOther: () => void;
}

function verdictButtons(
  source: ModelSource,
  { run, contextLength, kvType, tone, memoryBudget }: Verdict,
  actions: Actions,
): HTMLButtonElement[] {
  const buttons: HTMLButtonElement[] = [];
  const go = (): void => actions.run(memoryBudget === undefined ? source : { ...source, memoryBudget });
  const add = (label: string, press: () => void): void => {
    // What is best comes first and stands out.
    const first = buttons.length === 0;
    buttons.push(
      button({ class: first ? "primary" : "plain", ...(first ? { "aria-describedby": "verdict-headline" } : {}) }, [label], press),
    );
  };
  if (kvType !== undefined) add(`Use ${kvType}`, () => actions.judge({ ...source, kvType }));
  if (contextLength !== undefined) add(`Use ${formatCount(contextLength)} tokens`, () => actions.judge({ ...source, contextLength }));
  if (run !== undefined && tone !== "bad") add(run, go);
  if (tone === "bad") add("Choose another model", actions.chooseOther);
  if (run !== undefined && tone === "bad") add(run, go);
  return buttons;
}

export function createVerdictView({ onRun, onInstead, onChooseOther, onCancel }: VerdictEvents): VerdictView {
  const title = element("h2");
  const about = element("p", { class: "hint verdict-about" });
  const step = element("p", { role: "status" });
  const waiting = element("div", { class: "verdict-waiting" }, [step, element("progress", { "aria-label": "Estimating" })]);
  const body = element("div", { class: "verdict-body", role: "region", "aria-label": "What it takes" });
  const choices = element("div", { class: "verdict-choices" });
  const cancel = button({ class: "quiet" }, ["Cancel"], () => root.close());
  const root = dialog({ id: "verdict", class: "sheet verdict" }, title);
  root.append(about, waiting, body, element("footer", {}, [choices, cancel]));
  // Closing by button, Escape or a press beside it is a no; closing by a decision is not.
  let decided = false;
  root.addEventListener("close", () => {
    if (!decided) onCancel();
  });
  const close = (): void => {
    decided = true;
    root.close();
  };
  const open = (source: ModelSource): void => {
    decided = false;
    title.textContent = source.name;
    if (!root.open) root.showModal();
  };
  const actions: Actions = {
    run(source) {
      close();
      onRun(source);
    },
    judge: onInstead,
    chooseOther() {
      close();
      onChooseOther();
    },
  };
  return {
    root,
    close,
    working(source, current) {
      open(source);
      step.textContent = stepTexts[current];
      about.textContent = "";
      waiting.hidden = false;
      body.hidden = true;
      choices.replaceChildren();
      cancel.focus();
    },
    show(source, verdict) {
      open(source);
      about.textContent = verdict.about;
      waiting.hidden = true;
      body.replaceChildren(...verdictBody(verdict));
      body.hidden = false;
      choices.replaceChildren(...verdictButtons(source, verdict, actions));
      (choices.querySelector("button") ?? cancel).focus();
    },
  };
}
