// What a plugin's module exports: `export default definePlugin({ pages: { Overview }, slots: { Card } })`.
import type { ComponentType } from "react";

export type OpenLakesPlugin = { apiVersion: 1; pages: Record<string, ComponentType>; slots: Record<string, ComponentType> };

export function definePlugin(plugin: { pages?: Record<string, ComponentType>; slots?: Record<string, ComponentType> }): OpenLakesPlugin {
  return { apiVersion: 1, pages: plugin.pages ?? {}, slots: plugin.slots ?? {} };
}
