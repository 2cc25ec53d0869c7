// Keys of the whole console: Ctrl/Cmd+K everywhere, also inside editors; `?` and `g` sequences outside of inputs.
import { useEffect, useEffectEvent } from "react";

type Keys = { palette: () => void; help: () => void; go: (letter: string) => void };

export function useKeys(keys: Keys): void {
  const palette = useEffectEvent(() => keys.palette());
  const help = useEffectEvent(() => keys.help());
  const go = useEffectEvent((letter: string) => keys.go(letter));
  useEffect(() => {
    let sequence = 0;
    const down = (event: KeyboardEvent): void => {
      if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
        event.preventDefault();
        event.stopPropagation();
        palette();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (event.key === "?") help();
      else if (event.key === "g") sequence = Date.now();
      else if (Date.now() - sequence < 1200 && /^[a-z]$/.test(event.key)) {
        sequence = 0;
        go(event.key);
      }
    };
    // In the capture phase: an editor must not swallow it.
    window.addEventListener("keydown", down, true);
    return () => window.removeEventListener("keydown", down, true);
  }, []);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.closest(".monaco-editor") !== null);
}
