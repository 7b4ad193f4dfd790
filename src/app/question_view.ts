// A question of the conversation, which can be changed: what follows it is asked anew from there.

import { button, element } from "./dom.ts";

/** @param onEdit called with the changed question */
export function createQuestion(question: string, onEdit: (question: string) => void): HTMLElement {
  const shown = element("div", { class: "question-text" }, [question]);
  const edit = button({ class: "quiet small edit", "aria-label": "Edit this question" }, ["Edit"], () => open());
  const input = element("textarea", { rows: "3", "aria-label": "Your question", maxlength: "1000000" });
  const cancel = button({ class: "quiet small" }, ["Cancel"], () => close());
  const again = button({ class: "primary small" }, ["Ask again"], () => send());
  const form = element("div", { class: "question-edit" }, [input, element("div", { class: "question-buttons" }, [cancel, again])]);
  const root = element("article", { class: "question", "aria-label": "You" }, [shown, edit]);
  const open = (): void => {
    input.value = question;
    root.replaceChildren(form);
    input.focus();
  };
  const close = (): void => {
    root.replaceChildren(shown, edit);
    edit.focus();
  };
  const send = (): void => {
    const changed = input.value.trim();
    if (changed === "") close();
    else onEdit(changed);
  };
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    }
    if (event.target !== input || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  return root;
}
