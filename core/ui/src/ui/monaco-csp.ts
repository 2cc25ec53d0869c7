// Monaco under a strict policy. It draws lines by innerHTML with style="...", which style-src-attr 'none' drops. Its
// Trusted Types hook lets us rename the attribute, and an observer applies it through CSSOM before anything is painted.
// This module must be evaluated before any of Monaco's (see editor.tsx); <style> elements get their nonce in csp.ts.
import EditorWorker from "monaco-editor/editor/editor.worker.js?worker";

const ATTRIBUTE = "data-monaco-style";

function applyStyle(element: HTMLElement): void {
  element.style.cssText = `${element.getAttribute(ATTRIBUTE) ?? ""};${element.style.cssText}`;
  element.removeAttribute(ATTRIBUTE);
}

function applyBelow(root: Element): void {
  if (root.hasAttribute(ATTRIBUTE)) applyStyle(root as HTMLElement);
  for (const element of root.querySelectorAll<HTMLElement>(`[${ATTRIBUTE}]`)) applyStyle(element);
}

new MutationObserver((records) => {
  for (const record of records) for (const node of record.addedNodes) if (node instanceof Element) applyBelow(node);
}).observe(document.body, { childList: true, subtree: true });

type PolicyOptions = { createHTML?: (text: string, ...rest: unknown[]) => string };

const environment = {
  getWorker: () => new EditorWorker(),
  createTrustedTypesPolicy: (_name: string, options?: PolicyOptions) => {
    const create = options?.createHTML;
    if (!create) return options;
    return {
      ...options,
      createHTML: (text: string, ...rest: unknown[]) =>
        String(create(text, ...rest)).replaceAll(/(<[a-z][^<>]*?)\sstyle="/gi, `$1 ${ATTRIBUTE}="`),
    };
  },
};

(globalThis as unknown as { MonacoEnvironment: unknown }).MonacoEnvironment = environment;
