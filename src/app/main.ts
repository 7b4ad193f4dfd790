// Starts the chat page.

import { createEngine } from "../index.ts";
import { App } from "./app.ts";
import { fetchCatalogue } from "./catalogue.ts";
import { installScriptPolicy } from "./trusted_types.ts";

installScriptPolicy(window, document.baseURI);
await new App({ createEngine, fetchCatalogue: () => fetchCatalogue(document.baseURI) }).start(document.body);
