// Starts the chat page.

import { createEngine } from "../index.ts";
import { App } from "./app.ts";
import { fetchCatalogue } from "./catalogue.ts";

await new App({ createEngine, fetchCatalogue: () => fetchCatalogue(document.baseURI) }).start(document.body);
