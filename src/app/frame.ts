// The page's frame: a bar with its name and controls, a place for notices, the conversation, and the place to type.

import { button, element, icon } from "./dom.ts";

export interface Frame {
  readonly root: HTMLElement;
  readonly setModelName: (name: string) => void;
  readonly setSettingsOpen: (open: boolean) => void;
}

/** What goes where. */
export interface FrameParts {
  readonly notices: readonly HTMLElement[];
  readonly conversation: HTMLElement;
  readonly bottom: readonly HTMLElement[];
  readonly side: HTMLElement;
}

export interface FrameEvents {
  readonly onModel: () => void;
  readonly onNewChat: () => void;
  readonly onSettings: () => void;
}

export function createFrame(parts: FrameParts, { onModel, onNewChat, onSettings }: FrameEvents): Frame {
  const name = element("span", { class: "model-name" });
  const model = button({ class: "model", "aria-haspopup": "dialog", title: "Choose a model" }, [name, icon("chevron")], onModel);
  const newChat = button({ class: "quiet", "aria-label": "New chat", title: "New chat" }, [icon("add"), label("New chat")], onNewChat);
  const settings = button(
    { class: "quiet", "aria-label": "Settings", title: "Settings", "aria-expanded": "false", "aria-controls": "settings" },
    [icon("settings"), label("Settings")],
    onSettings,
  );
  const brand = element("div", { class: "brand" }, [
    element("img", { src: "icon.svg", alt: "", width: "24", height: "24" }),
    label("Shaderloom"),
  ]);
  const bar = element("header", { class: "bar" }, [brand, model, element("nav", { "aria-label": "Chat" }, [newChat, settings])]);
  const main = element("main", {}, [
    element("div", { class: "notices" }, parts.notices),
    parts.conversation,
    element("div", { class: "bottom" }, parts.bottom),
  ]);
  return {
    root: element("div", { class: "frame" }, [bar, main, parts.side]),
    setModelName: (text) => (name.textContent = text),
    setSettingsOpen(open) {
      settings.setAttribute("aria-expanded", String(open));
      if (!open) settings.focus();
    },
  };
}

/** Text that narrow screens leave out; the control's own name stays. */
function label(text: string): HTMLElement {
  return element("span", { class: "label" }, [text]);
}
