// The form of settings beside the conversation. A value counts as soon as it is valid; an invalid one is marked and ignored.

import { button, element, icon } from "./dom.ts";
import { boundedNumber, defaultSettings, numberFields, type NumberField, type Settings } from "./settings.ts";

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
    onChange(settings);
  };
  const controls = [
    promptControl((systemPrompt) => change({ systemPrompt })),
    ...numberFields.map((field) => numberControl(field, (key, value) => change({ [key]: value }))),
  ];
  const show = (): void => controls.forEach((control) => control.show(settings));
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
