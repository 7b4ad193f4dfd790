// The part of the model dialog where an address is typed, and the access token of a gated file. The token is handed on and forgotten.

import { readAddress } from "./address.ts";
import { element } from "./dom.ts";
import type { ModelSource } from "./model_host.ts";

export interface AddressSection {
  readonly root: HTMLElement;
  /** Puts an address back and asks for its token. */
  readonly askToken: (address: string) => void;
}

function tokenField(): { readonly root: HTMLDetailsElement; readonly input: HTMLInputElement } {
  // Not a field that a browser offers to remember.
  const input = element("input", {
    id: "model-token",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    maxlength: "4096",
    "aria-describedby": "model-token-hint",
  });
  const root = element("details", { class: "token" }, [
    element("summary", {}, ["The file is gated"]),
    element("label", { for: "model-token" }, ["Access token"]),
    input,
    element("p", { class: "hint", id: "model-token-hint" }, [
      "Of your Hugging Face account. It is sent to huggingface.co for this load only, and kept nowhere.",
    ]),
  ]);
  return { root, input };
}

export function createAddressSection(onPick: (source: ModelSource) => void): AddressSection {
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
  const token = tokenField();
  const problem = element("p", { class: "field-problem", id: "model-address-problem", role: "alert" });
  const hint = element("p", { class: "hint", id: "model-address-hint" }, [
    "An https address or an hf: path, hf:owner/repository for safetensors. What it takes is shown before it is downloaded; nothing that you type in the chat is sent anywhere.",
  ]);
  const form = element("form", { novalidate: true, "aria-label": "Address of a model" }, [
    element("div", { class: "address" }, [input, element("button", { type: "submit", class: "plain" }, ["Load"])]),
    problem,
    hint,
    token.root,
  ]);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const result = readAddress(input.value, document.baseURI);
    problem.textContent = result.ok ? "" : result.problem;
    input.setAttribute("aria-invalid", String(!result.ok));
    if (!result.ok) return;
    const secret = token.input.value.trim();
    token.input.value = "";
    onPick({ location: result.address, name: result.name, ...(secret === "" ? {} : { token: secret }) });
  });
  const label = element("h3", {}, [element("label", { for: "model-address" }, ["From an address"])]);
  return {
    root: element("section", {}, [label, form]),
    askToken(address) {
      input.value = address;
      token.root.open = true;
      token.input.focus();
    },
  };
}
