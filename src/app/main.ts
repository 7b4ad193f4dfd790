// Starts the chat page.

import { createEngine, estimate, openModels, probe } from "../index.ts";
import { App } from "./app.ts";
import { fetchCatalogue } from "./catalogue.ts";

await new App({ createEngine, estimate, openModels, probe, fetchCatalogue: () => fetchCatalogue(document.baseURI) }).start(document.body);
