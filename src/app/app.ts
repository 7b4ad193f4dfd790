// Puts the page together: the views, the model and the conversation, and what each tells the others.

import type { EngineOptions } from "../index.ts";
import { createBanners } from "./banner.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import { ChatController } from "./chat_controller.ts";
import { ChatKeeper, type Recalled } from "./chat_keeper.ts";
import { createChatView } from "./chat_view.ts";
import { createComposer } from "./composer.ts";
import { element } from "./dom.ts";
import { formatCountOf } from "./figures.ts";
import { acceptDrops } from "./file_drop.ts";
import { createFrame } from "./frame.ts";
import { createLayersFigure } from "./layers_figure.ts";
import { ModelController, type ModelFunctions } from "./model_controller.ts";
import type { LoadedModel, ModelSource } from "./model_host.ts";
import { answerRemedy, endsEngine, type Problem } from "./problem.ts";
import { kvOption, recallSettings, rememberSettings } from "./settings.ts";
import { createSettingsView } from "./settings_view.ts";
import { createStatsView } from "./stats_view.ts";

export interface AppOptions extends ModelFunctions {
  readonly fetchCatalogue: () => Promise<readonly CatalogueEntry[]>;
}

/** Milliseconds between looks at the layers of a streamed model while it answers. */
const lookEveryMs = 250;

/** The page. Views are plain objects; what changes over time is in the two controllers and `#settings`. */
export class App {
  readonly #models: ModelController;
  readonly #chat: ChatController;
  readonly #banners = createBanners();
  readonly #stats = createStatsView();
  readonly #layers = createLayersFigure();
  readonly #keeper = new ChatKeeper(() => localStorage);
  /** Whether the conversation is of an earlier visit, and no model has been given what it remembered of it. */
  #recalled = false;
  #looking: ReturnType<typeof setInterval> | undefined;
  readonly #announcer: HTMLElement = element("div", { class: "unseen", role: "status", "aria-live": "polite" });
  readonly #view = createChatView((prompt) => this.#ask(prompt));
  readonly #composer = createComposer({ onSend: (question) => this.#ask(question), onStop: () => this.#chat.stop() });
  readonly #settingsView = createSettingsView(
    recallSettings(() => localStorage),
    {
      onChange: (settings) => {
        this.#settings = settings;
        rememberSettings(() => localStorage, settings);
      },
      onToggle: (open) => this.#frame.setSettingsOpen(open),
    },
  );
  readonly #frame: ReturnType<typeof createFrame>;
  #settings = recallSettings(() => localStorage);
  readonly #options: AppOptions;

  constructor(options: AppOptions) {
    this.#options = options;
    const { createEngine, estimate, openModels } = options;
    const functions: ModelFunctions = {
      createEngine: (given) => createEngine(this.#withMemory(given)),
      estimate: (given) => estimate(this.#withMemory(given)),
      openModels,
    };
    this.#models = new ModelController(functions, this.#banners, {
      onReady: (model) => this.#modelReady(model),
      onChange: () => this.#refresh(),
      onAnnounce: (text) => this.#announce(text),
    });
    this.#chat = new ChatController(this.#view, {
      onAnswering: (answering) => {
        this.#watchLayers(answering);
        this.#view.setAnswering(answering);
        this.#refresh();
      },
      onAnnounce: (text) => this.#announce(text),
      onUsage: (usage, model) => {
        void this.#showUsage(usage.kv?.kept_tokens ?? usage.total_tokens, model);
        void this.#keep(model);
      },
      onFail: (problem, model) => this.#answerFailed(problem, model),
      onEdit: (question) => this.#ask(question),
      onTurns: (turns) => this.#keeper.remember(turns),
    });
    this.#frame = createFrame(
      {
        notices: [this.#models.loadView.root, this.#banners.root],
        conversation: this.#view.root,
        bottom: [this.#composer.root, this.#layers.root, this.#stats.root],
        side: this.#settingsView.root,
      },
      {
        onModel: () => this.#models.picker.open(),
        onNewChat: () => this.#newChat(),
        onSettings: () => (this.#settingsView.root.hidden ? this.#settingsView.open() : this.#settingsView.close()),
      },
    );
  }

  /** Shows the page and loads its first model. */
  async start(body: HTMLElement): Promise<void> {
    const { picker, verdict } = this.#models;
    body.append(this.#frame.root, picker.root, verdict.root, this.#announcer);
    body.append(acceptDrops((picked) => this.#models.openFiles(picked)));
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || picker.root.open || verdict.root.open || !this.#chat.answering) return;
      event.preventDefault();
      this.#chat.stop();
    });
    // An answer under way is kept as far as it went.
    addEventListener("pagehide", () => this.#chat.answering && this.#keeper.remember(this.#chat.turns));
    this.#chat.restore(this.#keeper.recall());
    this.#recalled = this.#chat.turns.length > 0;
    if (this.#recalled) this.#view.setNotice(recalledText());
    this.#refresh();
    this.#composer.focus();
    await this.#models.start(this.#options.fetchCatalogue);
  }

  /** What the settings say of memory, for a model that says nothing of it. */
  #withMemory<T extends Pick<EngineOptions, "memoryBudget" | "kv">>(given: T): T {
    const { gpuGigabytes } = this.#settings;
    const kv = kvOption(this.#settings, given.kv?.type);
    return { ...(gpuGigabytes === null ? {} : { memoryBudget: Math.round(gpuGigabytes * 1e9) }), ...given, ...(kv && { kv }) };
  }

  #modelReady(model: LoadedModel): void {
    // An answer of the model before ends here; its text stays.
    this.#chat.stop();
    this.#banners.clear("answer");
    this.#stats.setModel(model.info);
    this.#layers.show(null);
    void this.#showUsage(0, model);
    if (this.#recalled) void this.#giveBack(model);
  }

  /** Gives the first model what it remembered of the conversation of an earlier visit. */
  async #giveBack(model: LoadedModel): Promise<void> {
    this.#recalled = false;
    const recalled = await this.#keeper.restore(model.engine);
    const untouched = this.#models.current === model && !this.#chat.answering && this.#view.notice !== "";
    if (!untouched) return;
    this.#view.setNotice(recalledText(recalled));
    if (recalled.kind === "remembered") void this.#showUsage(recalled.tokens, model);
  }

  /** Keeps what the model remembers of the conversation, for the next visit. */
  async #keep(model: LoadedModel): Promise<void> {
    const problem = await this.#keeper.save(model.engine);
    if (problem !== undefined && !this.#chat.answering)
      this.#view.setNotice(`The chat's memory is not kept for the next visit: ${problem}`);
  }

  #ask(question: string): void {
    const model = this.#models.current;
    if (!model || this.#chat.answering) return;
    this.#banners.clear("answer");
    this.#composer.focus();
    void this.#chat.ask(question, model, this.#settings);
  }

  #answerFailed(problem: Problem, model: LoadedModel): void {
    const askAgain = (): void => {
      const question = this.#chat.takeBackFailed();
      if (question !== undefined) this.#ask(question);
    };
    // The question goes back to where it was typed, so that it is not lost with the chat or the engine.
    const takeBack = (): void => this.#composer.setText(this.#chat.takeBackFailed() ?? "");
    const startOver = (): void => {
      takeBack();
      this.#newChat();
    };
    const reload = (): void => {
      takeBack();
      this.#models.load(model.source);
    };
    const remedies = {
      retry: { label: "Ask again", run: askAgain },
      "new chat": { label: "New chat", run: startOver },
      reload: { label: "Load the model again", run: reload },
    };
    if (endsEngine(problem) && this.#models.current === model) {
      this.#models.drop();
      this.#stats.setModel(undefined);
      this.#layers.show(null);
    }
    this.#banners.show("answer", problem, { remedies: [remedies[answerRemedy(problem)]] });
    this.#refresh();
  }

  #newChat(): void {
    this.#chat.clear();
    this.#recalled = false;
    this.#keeper.forget(this.#models.current?.engine);
    this.#banners.clear("answer");
    this.#stats.setContext(0);
    this.#announce("New chat.");
    this.#composer.focus();
  }

  async #showUsage(contextTokens: number, model: LoadedModel): Promise<void> {
    this.#stats.setContext(contextTokens);
    try {
      const stats = await model.engine.stats();
      if (this.#models.current !== model) return;
      this.#stats.setStats(stats);
      this.#layers.show(stats.streaming);
      this.#models.noteMemory(stats.gpuBytes.total);
    } catch {
      // Only a figure is missing; whatever is wrong with the engine shows at the next question.
    }
  }

  /** The figure of layers moves while an answer is written. */
  #watchLayers(answering: boolean): void {
    clearInterval(this.#looking);
    const model = this.#models.current;
    if (!answering || !model || this.#layers.root.hidden) return;
    let asking = false;
    this.#looking = setInterval(() => {
      if (asking) return;
      asking = true;
      const shown = model.engine.stats().then(({ streaming }) => this.#models.current === model && this.#layers.show(streaming));
      // Only a figure is missing; whatever is wrong with the engine shows in the answer.
      void shown.catch(() => undefined).finally(() => (asking = false));
    }, lookEveryMs);
  }

  #announce(text: string): void {
    this.#announcer.textContent = text;
  }

  /** Brings everything that follows from the state of model and conversation up to date. */
  #refresh(): void {
    const model = this.#models.current;
    const { loading } = this.#models;
    const name = model?.source.name;
    this.#frame.setModelName(name ?? (loading ? "Loading…" : "Choose a model"));
    if (this.#chat.answering) this.#composer.setState("answering", "Answering…");
    else if (model)
      this.#composer.setState("ready", model.info.model.chatTemplate ? "Ask something" : "Start a text for the model to continue");
    else this.#composer.setState("blocked", loading ? "The model is loading…" : "Choose a model first");
    this.#view.setWelcome(welcome(model, loading));
  }
}

/** What is said of a conversation of an earlier visit. */
function recalledText(recalled?: Recalled): string {
  const kept = "From your last visit. It is kept in this browser until you start a new chat.";
  if (recalled === undefined) return kept;
  if (recalled.kind === "unread") return `${kept} The model reads it again with your next question.`;
  return `${kept} The model still has it in mind: ${formatCountOf(recalled.tokens, "token")} need not be read again.`;
}

interface Welcome {
  readonly title: string;
  readonly text: string;
  readonly prompts: readonly string[];
}

function welcome(model: LoadedModel | undefined, loading: ModelSource | undefined): Welcome {
  if (!model) {
    if (loading) return { title: "One moment", text: `${loading.name} is being loaded.`, prompts: [] };
    return {
      title: "No model is loaded",
      text: "Choose one above, or drop a .gguf file or a safetensors folder on this page.",
      prompts: [],
    };
  }
  const { name, prompts = [] } = model.source;
  const place = model.info.adapter.deviceClass === "gpu" ? "on your own GPU" : "on your own processor";
  const text = `It runs ${place}, inside this page. Nothing you type leaves it.`;
  if (model.info.model.chatTemplate) return { title: `Chat with ${name}`, text, prompts };
  return { title: name, text: `This model has no chat template: it continues a text instead of answering. ${text}`, prompts };
}
