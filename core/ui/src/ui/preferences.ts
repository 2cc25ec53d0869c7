// What a person chose in this browser: theme, times, sizes. Kept in localStorage, told to every component at once.
import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();

function read(key: string): string | null {
  try {
    return localStorage.getItem(`openlakes.${key}`);
  } catch {
    return null;
  }
}

export function setPreference(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`openlakes.${key}`);
    else localStorage.setItem(`openlakes.${key}`, value);
  } catch {
    // a browser without storage forgets, and that is all
  }
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("storage", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("storage", listener);
  };
}

export function usePreference(key: string, fallback: string): string {
  return useSyncExternalStore(subscribe, () => read(key) ?? fallback, () => fallback);
}

export function getPreference(key: string, fallback: string): string {
  return read(key) ?? fallback;
}
