// Starts the chat page.

import { createEngine, estimate, openModels } from "../index.ts";
import { App } from "./app.ts";
import { fetchCatalogue } from "./catalogue.ts";

await new App({ createEngine, estimate, openModels, fetchCatalogue: () => fetchCatalogue(document.baseURI) }).start(document.body);
