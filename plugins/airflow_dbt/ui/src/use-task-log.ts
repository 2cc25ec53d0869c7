// Reads a log piece by piece: each answer says where it ended, and the next question begins there.
import { api, plainLine, type ApiError } from "@openlakes/ui";
import { useEffect, useEffectEvent, useState } from "react";
import { logRoute, type LogLine, type LogPiece } from "./types";

const EVERY = 1000;
const AFTER_ERROR = 5000;
// Of a log that is too long to be followed its end is read again.
const VERY_LONG = 15_000;
const MOST = 20_000;

export type Followed = { lines: string[]; dropped: number; ended: boolean; error: ApiError | null };
type Which = { dag: string; run: string; task: string; mapIndex: number; attempt: number; over: boolean };

/** A line as loggers write it: time, level, text. */
export function textOf({ at, level, text }: LogLine): string {
  const time = at ? `${at.slice(11, 19)} ` : "";
  return plainLine(`${time}${level ? `${level.toUpperCase().padEnd(5)} ` : ""}${text}`);
}

/** What is shown once a piece has come. One that begins at the beginning replaces what was there before. */
export function withPiece(before: Followed, piece: LogPiece, asked: string | null, over: boolean): Followed {
  const lines = piece.lines.map(textOf);
  const all = asked === null ? lines : [...before.lines, ...lines];
  const dropped = Math.max(0, all.length - MOST) + (asked === null ? 0 : before.dropped) + (piece.dropped ?? 0);
  return { lines: all.slice(-MOST), dropped, ended: over && piece.token === null, error: null };
}

export function useTaskLog({ dag, run, task, mapIndex, attempt, over }: Which): Followed {
  const [followed, setFollowed] = useState<Followed>({ lines: [], dropped: 0, ended: false, error: null });
  const isOver = useEffectEvent(() => over);
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = async (token: string | null): Promise<void> => {
      // Asked before the log is: what ends meanwhile is read once more.
      const wasOver = isOver();
      const query = new URLSearchParams({ attempt: String(attempt), map_index: String(mapIndex), ...(token ? { token } : {}) });
      try {
        const piece = await api<LogPiece>(`${logRoute(dag, run, task)}?${query}`, { signal: stop.signal });
        setFollowed((before) => withPiece(before, piece, token, wasOver));
        if (!(wasOver && piece.token === null)) timer = setTimeout(() => void read(piece.token), piece.dropped ? VERY_LONG : EVERY);
      } catch (error) {
        if (stop.signal.aborted) return;
        setFollowed((before) => ({ ...before, error: error as ApiError }));
        timer = setTimeout(() => void read(token), AFTER_ERROR);
      }
    };
    void read(null);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [dag, run, task, mapIndex, attempt]);
  return followed;
}
