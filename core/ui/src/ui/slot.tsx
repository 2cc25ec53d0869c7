// A place in one plugin's page that others may fill: the page says what stands there, the shell draws who has something.
import { createContext, useContext, type ReactElement } from "react";
import { usePortal, type PluginInfo } from "./session";

/** A query whose result somebody looks at, as the slot `query.result` gets it. */
export type QueryResult = { engine: string; sql: string; catalog: string | null; schema: string | null };

/** How the shell draws a component of a plugin's module; it is the shell that loads modules. */
export const SlotDrawer = createContext<((plugin: PluginInfo, name: string) => ReactElement) | null>(null);
const SlotValue = createContext<unknown>(undefined);

/** Everything that plugins have for this place, in their order; nothing where nobody has. */
export function Slot({ name, value }: { name: "query.result"; value: QueryResult }): ReactElement | null {
  const draw = useContext(SlotDrawer);
  const { boot } = usePortal();
  if (!draw) return null;
  const found = boot.plugins
    .flatMap((plugin) => plugin.slots.filter((s) => s.slot === name && s.export !== null).map((slot) => ({ plugin, slot })))
    .sort((a, b) => a.slot.order - b.slot.order);
  return (
    <SlotValue.Provider value={value}>
      {found.map(({ plugin, slot }) => (
        <span key={`${plugin.id}.${slot.id}`} className="slot">
          {draw(plugin, slot.export ?? "")}
        </span>
      ))}
    </SlotValue.Provider>
  );
}

/** What the place is about, for a component that stands in it. */
export function useSlotValue<T>(): T {
  const value = useContext(SlotValue);
  if (value === undefined) throw new Error("this component must stand in a slot that has a value");
  return value as T;
}
