// The column of questions and answers, and the welcome in its place while there are none. It shows; it asks nobody anything.

import { button, element, icon } from "./dom.ts";
import { createQuestion } from "./question_view.ts";
import { followEnd } from "./scroll_follow.ts";
import { createTextBlocks } from "./text_blocks.ts";

/** An answer on the page while it is written. */
export interface AnswerView {
  readonly append: (text: string) => void;
  /** Ends the answer: `note` says how when it was cut short, `figures` how fast it was. */
  readonly end: (outcome: { readonly note?: string; readonly figures?: string }) => void;
}

export interface ChatView {
  readonly root: HTMLElement;
  /** @param onEdit called with the question as it was changed */
  readonly addTurn: (question: string, onEdit: (question: string) => void) => AnswerView;
  /** Takes turns away from the one at `index` on, so that they can be asked again. */
  readonly removeTurns: (index: number) => void;
  /** While an answer is written, no question can be changed. */
  readonly setAnswering: (answering: boolean) => void;
  /** Says something of the conversation below it; an empty text nothing. */
  readonly setNotice: (text: string) => void;
  readonly notice: string;
  readonly clear: () => void;
  /** What the empty page says. */
  readonly setWelcome: (welcome: { readonly title: string; readonly text: string; readonly prompts: readonly string[] }) => void;
}

function copyButton(text: () => string): HTMLButtonElement {
  const node = button({ class: "quiet small" }, ["Copy"], () => {
    void navigator.clipboard.writeText(text()).then(
      () => (node.textContent = "Copied"),
      () => (node.textContent = "Copying is blocked here"),
    );
  });
  return node;
}

function createAnswer(onGrown: () => void): { root: HTMLElement; view: AnswerView } {
  const text = createTextBlocks("answer-text");
  const dots = element("span", { class: "dots", role: "img", "aria-label": "Reading the question" }, [
    element("span"),
    element("span"),
    element("span"),
  ]);
  const footer = element("footer", { class: "answer-foot" });
  const root = element("article", { class: "answer", "aria-label": "Answer", "aria-busy": "true" }, [text.root, dots, footer]);
  let all = "";
  let pending = "";
  let frame = 0;
  const flush = (): void => {
    cancelAnimationFrame(frame);
    frame = 0;
    if (pending === "") return;
    dots.remove();
    text.append(pending);
    all += pending;
    pending = "";
    onGrown();
  };
  const view: AnswerView = {
    append(more) {
      pending += more;
      // One change a frame is all that can be seen; a hidden page gets no frames.
      if (document.hidden) flush();
      else if (frame === 0) frame = requestAnimationFrame(flush);
    },
    end({ note, figures }) {
      flush();
      dots.remove();
      root.removeAttribute("aria-busy");
      if (note !== undefined) footer.append(element("span", { class: "note" }, [note]));
      if (figures !== undefined) footer.append(element("span", { class: "figures" }, [figures]));
      if (all !== "") footer.append(copyButton(() => all));
      onGrown();
    },
  };
  return { root, view };
}

/** @param onPrompt called with a suggested question that was pressed */
export function createChatView(onPrompt: (prompt: string) => void): ChatView {
  const title = element("h1");
  const text = element("p");
  const prompts = element("div", { class: "prompts" });
  const welcome = element("div", { class: "welcome" }, [title, text, prompts]);
  const log = element("div", { class: "log", role: "log", "aria-live": "polite", "aria-label": "Conversation" });
  const notice = element("p", { class: "chat-notice", role: "status" });
  // Focusable, so that the keyboard can scroll it.
  const scroller = element("div", { class: "scroller", tabindex: "0", "aria-label": "Conversation, scrollable", role: "region" }, [
    element("div", { class: "column" }, [welcome, log, notice]),
  ]);
  const jump = button({ class: "jump", "aria-label": "Go to the end of the conversation", hidden: true }, [icon("down")], () =>
    follow.jump(),
  );
  const follow = followEnd(scroller, (following) => {
    jump.hidden = following;
  });
  return {
    root: element("div", { class: "chat" }, [scroller, jump]),
    addTurn(question, onEdit) {
      welcome.hidden = true;
      const { root, view } = createAnswer(follow.grown);
      log.append(element("div", { class: "turn" }, [createQuestion(question, onEdit), root]));
      follow.jump();
      return view;
    },
    removeTurns(index) {
      while (log.childElementCount > index) log.lastElementChild?.remove();
      welcome.hidden = log.childElementCount > 0;
    },
    setAnswering: (answering) => log.classList.toggle("answering", answering),
    setNotice: (said) => (notice.textContent = said),
    get notice() {
      return notice.textContent;
    },
    clear() {
      log.replaceChildren();
      welcome.hidden = false;
      follow.jump();
    },
    setWelcome(content) {
      title.textContent = content.title;
      text.textContent = content.text;
      prompts.replaceChildren(...content.prompts.map((prompt) => button({ class: "prompt" }, [prompt], () => onPrompt(prompt))));
    },
  };
}
