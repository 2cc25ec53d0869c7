// Loading plugins' modules: once each, checked, forgotten when they fail so that a retry fetches again.
import { lazy, useMemo, useState, type ComponentType, type ReactElement, type ReactNode, Suspense } from "react";
import type { OpenLakesPlugin } from "../ui/contract";
import type { PluginInfo } from "../ui/session";
import { Loading } from "../ui/states";
import { ErrorBoundary } from "./ErrorBoundary";

const modules = new Map<string, Promise<OpenLakesPlugin>>();

function loadStyles(plugin: PluginInfo): void {
  for (const href of plugin.styles) {
    if (document.querySelector(`link[rel="stylesheet"][href="${CSS.escape(href)}"]`)) continue;
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = href;
    document.head.append(link);
  }
}

async function load(plugin: PluginInfo, attempt: number): Promise<OpenLakesPlugin> {
  if (!plugin.module) throw new Error(`The plugin ${plugin.id} has no module.`);
  loadStyles(plugin);
  const found = (await fetched(plugin, plugin.module, attempt)).default;
  if (found?.apiVersion !== 1) throw new Error(`The module of ${plugin.id} speaks version ${String(found?.apiVersion)}, this console speaks 1.`);
  return found;
}

/** The module of a plugin. What a browser says of one that it does not get is for its own developers. */
async function fetched(plugin: PluginInfo, module: string, attempt: number): Promise<{ default?: OpenLakesPlugin }> {
  try {
    const address = attempt === 0 ? module : await again(module, attempt);
    return (await import(/* @vite-ignore */ address)) as { default?: OpenLakesPlugin };
  } catch (error) {
    if (error instanceof TypeError && /module/i.test(error.message))
      throw new Error(`The module of ${plugin.title} could not be fetched, or is not the file that was announced. The rest of the console is not affected.`, { cause: error });
    throw error;
  }
}

/**
 * A browser may remember that an address failed: another attempt has another address. The import map's integrity is
 * bound to the first one, so the new one is preloaded with the same: a changed file does not run on a retry either.
 */
function again(module: string, attempt: number): Promise<string> {
  const map = JSON.parse(document.querySelector('script[type="importmap"]')?.textContent ?? "{}") as { integrity?: Record<string, string> };
  const address = `${module}?attempt=${attempt}`;
  const link = document.createElement("link");
  link.rel = "modulepreload";
  link.integrity = map.integrity?.[module] ?? "";
  link.href = address;
  return new Promise((resolve, reject) => {
    link.addEventListener("load", () => resolve(address));
    link.addEventListener("error", () => reject(new TypeError("module not fetched")));
    document.head.append(link);
  });
}

function moduleOf(plugin: PluginInfo, attempt: number): Promise<OpenLakesPlugin> {
  const key = `${plugin.module}#${attempt}`;
  const held = modules.get(key);
  if (held) return held;
  const loading = load(plugin, attempt);
  modules.set(key, loading);
  loading.catch(() => modules.delete(key));
  return loading;
}

/** A component of a plugin's module in its own error boundary. */
export function FromModule({ plugin, kind, name }: { plugin: PluginInfo; kind: "pages" | "slots"; name: string }): ReactElement {
  const [attempt, setAttempt] = useState(0);
  const Found = useMemo(
    () =>
      lazy(async () => {
        const module = await moduleOf(plugin, attempt);
        const component: ComponentType | undefined = module[kind][name];
        if (!component) throw new Error(`The module of ${plugin.id} has no ${kind === "pages" ? "page" : "slot"} ${name}.`);
        return { default: component };
      }),
    [plugin, kind, name, attempt],
  );
  return (
    <ErrorBoundary resetKey={`${plugin.id}.${name}`} onRetry={() => setAttempt((n) => n + 1)}>
      <Waiting>
        {/* oxlint-disable-next-line react/static-components -- made once for a module, a name and an attempt */}
        <Found />
      </Waiting>
    </ErrorBoundary>
  );
}

function Waiting({ children }: { children: ReactNode }): ReactElement {
  return <Suspense fallback={<Loading rows={8} />}>{children}</Suspense>;
}
