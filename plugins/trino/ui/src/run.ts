// One run of one tab: asked for, followed, stopped. It lives outside of React, so that runs of several tabs go on side
// by side while another tab is looked at.
import { ApiError, reportRunning } from "@openlakes/ui";
import { ArrowRows, readArrow } from "./arrow";
import { getQuery, leaveQuery, openResults, startQuery, stopQuery, type NewQuery } from "./client";
import { isDone, type Query } from "./types";

export type RunView = {
  query: Query | null;
  rows: ArrowRows;
  version: number;
  /** The request itself failed: nothing was started, or nothing can be read. */
  error: unknown;
  stopping: boolean;
  startedAt: number;
  loading: boolean;
};

export class Run {
  private view: RunView = { query: null, rows: new ArrowRows(), version: 0, error: null, stopping: false, startedAt: Date.now(), loading: true };
  private listeners = new Set<() => void>();
  private abort = new AbortController();
  private frame = 0;
  private stopAsked = false;
  private ended: (() => void) | null = null;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  snapshot = (): RunView => this.view;

  get busy(): boolean {
    return this.view.error === null && (this.view.query === null || !isDone(this.view.query.state));
  }

  get queryId(): string | null {
    return this.view.query?.id ?? null;
  }

  private change(part: Partial<RunView>): void {
    this.view = { ...this.view, ...part };
    this.tell();
    for (const listener of this.listeners) listener();
  }

  /** The console's bar shows what runs, on every page. */
  private tell(): void {
    const { query, startedAt } = this.view;
    if (query && this.busy) {
      const title = query.sql.replaceAll(/\s+/g, " ").slice(0, 80);
      this.ended ??= reportRunning({ id: `trino.${query.id}`, title, path: `/x/trino/sql?query=${query.id}`, since: startedAt });
    } else {
      this.ended?.();
      this.ended = null;
    }
  }

  /** Batches come faster than the screen: tell of them once a frame. */
  private rowsChanged = (): void => {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.change({ version: this.view.version + 1 });
    });
  };

  async start(input: NewQuery, onId: (id: string) => void): Promise<void> {
    try {
      const query = await startQuery(input);
      this.change({ query });
      onId(query.id);
      if (this.stopAsked) await this.stop();
      await this.follow(query.id);
    } catch (error) {
      this.change({ error, loading: false, stopping: false });
    }
  }

  /** Take up a query that is there already: after a reload, or from the history. */
  async attach(id: string): Promise<void> {
    try {
      const query = await getQuery(id, this.abort.signal);
      this.change({ query, startedAt: Date.now() - query.elapsed * 1000 });
      await this.follow(id);
    } catch (error) {
      if (!this.abort.signal.aborted) this.change({ error, loading: false });
    }
  }

  private async follow(id: string): Promise<void> {
    await Promise.all([this.poll(id), this.read(id)]);
    this.change({ loading: false, version: this.view.version + 1 });
    void this.count(id);
  }

  /** Of a result that was cut, the server may yet learn how many rows there are. */
  private async count(id: string): Promise<void> {
    while (this.view.query?.counting && !this.abort.signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, 400));
      const query = this.abort.signal.aborted ? null : await getQuery(id, this.abort.signal).catch(() => null);
      if (!query) return; // the result is there; only its total stays unknown
      this.change({ query });
    }
  }

  private async poll(id: string): Promise<void> {
    let wait = 120;
    while (!this.abort.signal.aborted && !(this.view.query && isDone(this.view.query.state))) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      wait = Math.min(1000, wait * 1.4);
      if (this.abort.signal.aborted) return;
      try {
        this.change({ query: await getQuery(id, this.abort.signal) });
      } catch (error) {
        if (error instanceof ApiError && [0, 429, 502, 503, 504].includes(error.problem.status)) continue;
        throw error;
      }
    }
  }

  /** Once there is something to read; a query that failed has no result to ask for. */
  private async readable(): Promise<boolean> {
    for (;;) {
      const query = this.view.query;
      if (this.abort.signal.aborted || (query && (query.state === "failed" || query.state === "cancelled"))) return false;
      if (query && (query.state === "finished" || query.columns.length > 0)) return true;
      await new Promise<void>((resolve) => {
        const leave = this.subscribe(() => {
          leave();
          resolve();
        });
      });
    }
  }

  private async read(id: string): Promise<void> {
    if (!(await this.readable())) return;
    try {
      await readArrow(await openResults(id, this.abort.signal), this.view.rows, this.rowsChanged);
    } catch (error) {
      // A query that failed or was stopped has no (whole) result; its state says so, in its own words.
      const query = this.abort.signal.aborted ? null : await getQuery(id, this.abort.signal).catch(() => null);
      if (query) this.change({ query });
      if (query?.state === "finished") throw error;
    }
  }

  async stop(): Promise<void> {
    const id = this.view.query?.id;
    if (!this.busy) return;
    this.change({ stopping: true });
    if (!id) {
      this.stopAsked = true;
      return;
    }
    try {
      this.change({ query: await stopQuery(id), stopping: false });
    } catch (error) {
      this.change({ stopping: false, error });
    }
  }

  /** The page goes: the engine must not work on for nobody, unless the page comes back and asks for it. */
  leave(): void {
    const id = this.queryId;
    if (!id || !this.busy) return;
    this.abort.abort();
    void leaveQuery(id).catch(() => undefined);
  }

  dispose(): void {
    this.abort.abort();
    this.change({ loading: false });
    this.ended?.();
    this.ended = null;
  }
}
