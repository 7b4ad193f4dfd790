// Where a question is typed. Enter sends, Shift+Enter starts a line; the same button stops an answer that is being written.

import { button, element, icon } from "./dom.ts";

/** `blocked`: no model to ask; `ready`; `answering`. */
export type ComposerState = "blocked" | "ready" | "answering";

export interface Composer {
  readonly root: HTMLElement;
  readonly setState: (state: ComposerState, placeholder: string) => void;
  readonly focus: () => void;
  /** Puts a question back, to be asked again or changed. */
  readonly setText: (text: string) => void;
}

export interface ComposerEvents {
  readonly onSend: (question: string) => void;
  readonly onStop: () => void;
}

export function createComposer({ onSend, onStop }: ComposerEvents): Composer {
  let state: ComposerState = "blocked";
  const input = element("textarea", {
    id: "question",
    rows: "1",
    "aria-label": "Your message",
    autocomplete: "off",
    enterkeyhint: "send",
    maxlength: "1000000",
  });
  const action = button({ class: "send", id: "send" }, [], () => (state === "answering" ? onStop() : send()));
  const root = element("form", { class: "composer", "aria-label": "Ask" }, [input, action]);

  const fit = (): void => {
    // Browsers without `field-sizing` need the height set by hand.
    if (CSS.supports("field-sizing", "content")) return;
    input.style.height = "auto";
    input.style.height = `${input.scrollHeight}px`;
  };
  const refresh = (): void => {
    const answering = state === "answering";
    action.setAttribute("aria-label", answering ? "Stop" : "Send");
    action.title = answering ? "Stop (Esc)" : "Send (Enter)";
    action.disabled = !answering && (state === "blocked" || input.value.trim() === "");
    action.classList.toggle("stopping", answering);
  };
  const send = (): void => {
    const question = input.value.trim();
    if (state !== "ready" || question === "") return;
    input.value = "";
    fit();
    onSend(question);
    refresh();
  };
  input.addEventListener("input", () => {
    fit();
    refresh();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  root.addEventListener("submit", (event) => event.preventDefault());
  action.append(icon("send"));
  refresh();
  return {
    root,
    setState(next, placeholder) {
      if ((next === "answering") !== (state === "answering")) action.replaceChildren(icon(next === "answering" ? "stop" : "send"));
      state = next;
      input.placeholder = placeholder;
      refresh();
    },
    focus: () => input.focus(),
    setText(text) {
      input.value = text;
      fit();
      refresh();
    },
  };
}
