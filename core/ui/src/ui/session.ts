// Who is signed in, and what the shell knows: one context for pages of ours and of plugins.
import { createContext, useContext } from "react";

export type Session = {
  subject: string;
  issuer: string;
  username: string;
  name: string;
  email: string | null;
  roles: string[];
  permissions: string[];
  expires_at: string;
  csrf_token: string;
};
export type NavItem = { id: string; section: string; label: string; icon: string; path: string; order: number };
export type PluginPage = {
  id: string;
  path: string;
  title: string;
  subtitle: string | null;
  kind: "module" | "declared";
  export: string | null;
  full_bleed: boolean;
};
export type PluginSlot = { slot: string; id: string; title: string; kind: "module" | "declared"; export: string | null; order: number };
export type PluginInfo = {
  id: string;
  title: string;
  version: string;
  module: string | null;
  styles: string[];
  pages: PluginPage[];
  slots: PluginSlot[];
};
export type AppInfo = { id: string; title: string; address: string; permission: string };
export type Persona = { id: string; title: string; name: string; description: string };
export type Bootstrap = {
  site: { name: string; environment: { name: string; color: string }; version: string; demo: boolean };
  auth: { mode: "demo" | "oidc"; login_url: string; provider: string | null; personas: Persona[] };
  session: Session | null;
  nav: NavItem[];
  plugins: PluginInfo[];
  apps: AppInfo[];
  theme: string;
};

export type PortalState = { boot: Bootstrap; reload: () => Promise<void> };

export const PortalContext = createContext<PortalState | null>(null);

export function usePortal(): PortalState {
  const state = useContext(PortalContext);
  if (!state) throw new Error("this component must stand inside the portal's shell");
  return state;
}

/** The session; pages are only drawn when somebody is signed in. */
export function useSession(): Session {
  const { boot } = usePortal();
  if (!boot.session) throw new Error("nobody is signed in");
  return boot.session;
}

export function usePermission(name: string): boolean {
  return usePortal().boot.session?.permissions.includes(name) ?? false;
}
