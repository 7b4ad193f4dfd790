// Owns the conversation and the answer under way: asks, stops, starts over, and says what went wrong.

import type { FinishReason, Usage } from "../index.ts";
import { streamAnswer } from "./answer.ts";
import type { AnswerView, ChatView } from "./chat_view.ts";
import type { Turn } from "./conversation.ts";
import type { LoadedModel } from "./model_host.ts";
import { asProblem, isAbort, type Problem } from "./problem.ts";
import type { Settings } from "./settings.ts";
import { speedLine } from "./stats_view.ts";

export interface ChatEvents {
  /** An answer starts or has ended. */
  readonly onAnswering: (answering: boolean) => void;
  /** For people who hear the page instead of seeing it. */
  readonly onAnnounce: (text: string) => void;
  readonly onUsage: (usage: Usage, model: LoadedModel) => void;
  readonly onFail: (problem: Problem, model: LoadedModel) => void;
  /** A question was changed: it is to be asked in the place of the one that it was, which is gone with all that followed. */
  readonly onEdit: (question: string) => void;
  /** The conversation is another: a question was asked, an answer has ended or turns are gone. */
  readonly onTurns: (turns: readonly Turn[]) => void;
}

interface Running {
  readonly controller: AbortController;
  readonly turn: Turn;
}

export class ChatController {
  readonly #view: ChatView;
  readonly #events: ChatEvents;
  readonly #turns: Turn[] = [];
  #running: Running | undefined;

  constructor(view: ChatView, events: ChatEvents) {
    this.#view = view;
    this.#events = events;
  }

  get answering(): boolean {
    return this.#running !== undefined;
  }

  get turns(): readonly Turn[] {
    return this.#turns;
  }

  /** Shows turns of an earlier visit. */
  restore(turns: readonly Turn[]): void {
    for (const turn of turns) {
      this.#turns.push(turn);
      const answer = this.#addTurn(turn);
      answer.append(turn.answer);
      const note = turn.state === "done" ? undefined : turn.state === "length" ? "Cut at its limit" : "Broken off";
      answer.end(note === undefined ? {} : { note });
    }
  }

  /** Asks the model and shows its answer. Never rejects: errors go to the events. */
  async ask(question: string, model: LoadedModel, settings: Settings): Promise<void> {
    if (this.#running) return;
    const turn: Turn = { question, answer: "", state: "waiting" };
    const running: Running = { controller: new AbortController(), turn };
    this.#turns.push(turn);
    this.#running = running;
    const answer = this.#addTurn(turn);
    this.#view.setNotice("");
    this.#events.onAnswering(true);
    this.#events.onTurns(this.#turns);
    // What was said of the answer before must not stand beside this one, nor beside the error it may end in.
    this.#events.onAnnounce("");
    try {
      await this.#stream(running, { answer, model, settings });
    } catch (thrown) {
      this.#fail(running, { answer, model, problem: asProblem(thrown) });
    } finally {
      if (this.#running === running) {
        this.#running = undefined;
        this.#events.onAnswering(false);
        this.#events.onTurns(this.#turns);
      }
    }
  }

  #addTurn(turn: Turn): AnswerView {
    return this.#view.addTurn(turn.question, (question) => {
      const index = this.#turns.indexOf(turn);
      if (this.#running || index === -1) return;
      this.#removeFrom(index);
      this.#events.onEdit(question);
    });
  }

  #removeFrom(index: number): void {
    this.#turns.length = index;
    this.#view.removeTurns(index);
    this.#view.setNotice("");
    this.#events.onTurns(this.#turns);
  }

  async #stream(running: Running, to: { answer: AnswerView; model: LoadedModel; settings: Settings }): Promise<void> {
    const { turn, controller } = running;
    const { answer, model, settings } = to;
    for await (const event of streamAnswer({ model, settings, turns: this.#turns, signal: controller.signal })) {
      if (event.kind === "text") {
        turn.answer += event.text;
        answer.append(event.text);
        continue;
      }
      turn.state = event.finish === "length" ? "length" : "done";
      answer.end({ note: cutNote(event.finish, event.usage, model), figures: event.usage && speedLine(event.usage) });
      if (this.#running !== running) return;
      if (event.usage) this.#events.onUsage(event.usage, model);
      this.#events.onAnnounce(turn.state === "length" ? "The answer was cut at its limit." : "The answer is complete.");
    }
  }

  #fail(running: Running, { answer, model, problem }: { answer: AnswerView; model: LoadedModel; problem: Problem }): void {
    const stopped = isAbort(problem);
    running.turn.state = stopped ? "stopped" : "failed";
    answer.end({ note: stopped ? "Stopped" : running.turn.answer === "" ? "No answer" : "Broken off" });
    if (this.#running !== running) return;
    if (stopped) this.#events.onAnnounce("Stopped.");
    else this.#events.onFail(problem, model);
  }

  /** Stops the answer under way; what is written so far stays. */
  stop(): void {
    this.#running?.controller.abort();
  }

  /** Takes back the last question when it failed, to be asked again. @returns the question */
  takeBackFailed(): string | undefined {
    if (this.#running || this.#turns.at(-1)?.state !== "failed") return undefined;
    const question = this.#turns.at(-1)?.question;
    this.#removeFrom(this.#turns.length - 1);
    return question;
  }

  /** Starts over with an empty conversation. */
  clear(): void {
    const running = this.#running;
    this.#running = undefined;
    running?.controller.abort();
    this.#turns.length = 0;
    this.#view.clear();
    this.#view.setNotice("");
    if (running) this.#events.onAnswering(false);
  }
}

function cutNote(finish: FinishReason, usage: Usage | undefined, model: LoadedModel): string | undefined {
  if (finish !== "length") return undefined;
  // Where a policy makes room, there is no end of the context.
  const full = usage !== undefined && !usage.kv && usage.total_tokens >= model.info.contextLength;
  return full ? "Cut: the context is full. Start a new chat to go on." : "Cut at the longest answer that the settings allow";
}
