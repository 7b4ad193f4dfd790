// The form of settings beside the conversation. A value counts as soon as it is valid; an invalid one is marked and ignored.

import { button, element, icon } from "./dom.ts";
import {
  boundedNumber,
  canForget,
  choiceFields,
  type ChoiceField,
  defaultSettings,
  numberFields,
  type NumberField,
  type Settings,
} from "./settings.ts";

export interface SettingsView {
  readonly root: HTMLElement;
  readonly open: () => void;
  readonly close: () => void;
}

export interface SettingsEvents {
  readonly onChange: (settings: Settings) => void;
  readonly onToggle: (open: boolean) => void;
}

interface Control {
  readonly root: HTMLElement;
  readonly show: (settings: Settings) => void;
  /** Whether it says anything, as the others are. */
  readonly allow?: (settings: Settings) => void;
}

/** Controls that only say something where a chat forgets. */
function isAllowed(key: NumberField["key"] | ChoiceField["key"], settings: Settings): boolean {
  if (key === "evict") return canForget(settings);
  return key !== "keepTokens" || (settings.evict !== "off" && canForget(settings));
}

function choiceControl(field: ChoiceField, onValue: (key: ChoiceField["key"], value: string) => void): Control {
  const id = `setting-${field.key}`;
  const options = field.choices.map(([value, label]) => element("option", { value }, [label]));
  const select = element("select", { id, "aria-describedby": `${id}-hint` }, options);
  select.addEventListener("change", () => onValue(field.key, select.value));
  const hint = element("span", { class: "hint", id: `${id}-hint` }, [field.hint]);
  return {
    root: element("div", { class: "setting choice" }, [element("label", { for: id }, [field.label]), select, hint]),
    show: (settings) => (select.value = settings[field.key]),
    allow: (settings) => (select.disabled = !isAllowed(field.key, settings)),
  };
}

function numberControl(field: NumberField, onValue: (key: NumberField["key"], value: number | null) => void): Control {
  const id = `setting-${field.key}`;
  const input = element("input", {
    id,
    type: "number",
    inputmode: Number.isInteger(field.step) ? "numeric" : "decimal",
    min: String(field.min),
    max: String(field.max),
    step: String(field.step),
    placeholder: field.empty,
    required: field.empty === undefined,
    "aria-describedby": `${id}-hint`,
  });
  input.addEventListener("input", () => {
    // A step is what the arrows move by; values between the steps are fine.
    const invalid = input.validity.badInput || input.validity.valueMissing || input.validity.rangeOverflow || input.validity.rangeUnderflow;
    const value = input.value === "" ? null : boundedNumber(field, input.valueAsNumber);
    input.setAttribute("aria-invalid", String(invalid));
    if (!invalid && value !== undefined) onValue(field.key, value);
  });
  const hint = element("span", { class: "hint", id: `${id}-hint` }, [`${field.hint} (${field.min} to ${field.max})`]);
  return {
    root: element("div", { class: "setting" }, [element("label", { for: id }, [field.label]), input, hint]),
    show(settings) {
      input.value = settings[field.key] === null ? "" : String(settings[field.key]);
      input.removeAttribute("aria-invalid");
    },
    allow: (settings) => (input.disabled = !isAllowed(field.key, settings)),
  };
}

function promptControl(onValue: (value: string) => void): Control {
  const id = "setting-systemPrompt";
  const input = element("textarea", { id, rows: "4", maxlength: "20000", placeholder: "None" });
  input.addEventListener("input", () => onValue(input.value));
  return {
    root: element("div", { class: "setting wide" }, [element("label", { for: id }, ["System prompt"]), input]),
    show: (settings) => (input.value = settings.systemPrompt),
  };
}

/** @param initial what the form shows first */
export function createSettingsView(initial: Settings, { onChange, onToggle }: SettingsEvents): SettingsView {
  let settings = initial;
  const change = (part: Partial<Settings>): void => {
    settings = { ...settings, ...part };
    for (const { allow } of controls) allow?.(settings);
    onChange(settings);
  };
  const numbers = numberFields.map((field) => [field.key, numberControl(field, (key, value) => change({ [key]: value }))] as const);
  const choices = choiceFields.map((field) => choiceControl(field, (key, value) => change({ [key]: value })));
  const aside = new Set<NumberField["key"]>(["keepTokens", "gpuGigabytes"]);
  const controls: readonly Control[] = [
    promptControl((systemPrompt) => change({ systemPrompt })),
    ...numbers.flatMap(([key, control]) => (aside.has(key) ? [] : [control])),
    ...choices,
    ...numbers.flatMap(([key, control]) => (aside.has(key) ? [control] : [])),
  ];
  const show = (): void => {
    for (const control of controls) {
      control.show(settings);
      control.allow?.(settings);
    }
  };
  const restore = button({ class: "quiet" }, ["Restore defaults"], () => {
    change(defaultSettings);
    show();
  });
  const close = (): void => {
    root.hidden = true;
    onToggle(false);
  };
  const root = element("aside", { class: "settings", id: "settings", "aria-label": "Settings", hidden: true }, [
    element("header", {}, [
      element("h2", {}, ["Settings"]),
      button({ class: "quiet square", "aria-label": "Close settings" }, [icon("close")], close),
    ]),
    element(
      "div",
      { class: "setting-list" },
      controls.map((control) => control.root),
    ),
    element("footer", {}, [restore, element("p", { class: "hint" }, ["Kept in this browser. They apply from the next answer on."])]),
  ]);
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close();
  });
  show();
  return {
    root,
    close,
    open() {
      root.hidden = false;
      onToggle(true);
      root.querySelector<HTMLElement>("textarea")?.focus();
    },
  };
}
