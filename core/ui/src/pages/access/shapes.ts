// What the routes of access answer with, as far as the pages read it.
import type { Grantor } from "../../ui/api";

export type Page<T> = { items: T[]; next_cursor: string | null };
export type Given = { permission: string; resource: string | null };
export type Effect = { subject: string | null; username: string | null; name: string; gains: Given[]; loses: Given[] };
export type Preview = { effects: Effect[]; affected: number };
export type Origin = "settings" | "demo" | "console" | "request" | "share";

export type RoleHeld = {
  role: string;
  kind: "role" | "permission";
  binding: string;
  origin: Origin;
  by: "group" | "subject";
  group: string | null;
  resource: string | null;
  expires_at: string | null;
  reason: string;
};
export type Mine = { groups: string[]; roles: RoleHeld[]; permissions: Given[] };
export type User = {
  subject: string;
  issuer: string;
  username: string;
  name: string;
  email: string | null;
  groups: string[];
  roles: RoleHeld[];
  first_seen_at: string;
  last_seen_at: string;
  disabled_at: string | null;
  disabled_reason: string | null;
};
export type Owned = { plugin: string; collection: string; id: string; title: string; updated_at: string };
export type Group = { name: string; members: number; roles: string[] };
export type Role = {
  name: string;
  description: string;
  permissions: string[];
  origin: "built-in" | "console";
  version: number;
  bindings: number;
  updated_at: string | null;
};
export type Binding = {
  id: string;
  role: string;
  kind: "role" | "permission" | "unknown";
  group: string | null;
  subject: string | null;
  subject_username: string | null;
  subject_name: string | null;
  resource: string | null;
  expires_at: string | null;
  ended: boolean;
  origin: Origin;
  read_only: boolean;
  reason: string;
  created_by: string;
  created_at: string | null;
  version: number;
};
export type Permission = { name: string; description: string; plugin: string; scoped: boolean; implies: string[]; roles: string[] };
export type Explanation = {
  subject: string;
  username: string;
  permission: string;
  resource: string | null;
  allowed: boolean;
  decided_by: string;
  chain: { kind: string; name: string; outcome: "allows" | "denies" | "no opinion"; detail: string }[];
  grantors: Grantor[];
};
export type MatrixPerson = { subject: string; username: string; kind: "person" | "service account"; name: string; disabled: boolean; roles: string[]; permissions: Given[] };
export type AccessRequest = {
  id: string;
  username: string;
  name: string;
  permission: string;
  description: string;
  resource: string | null;
  purpose: string;
  duration: number | null;
  state: "open" | "granted" | "refused" | "withdrawn";
  created_at: string;
  decided_at: string | null;
  decided_by_name: string | null;
  decision_reason: string | null;
  expires_at: string | null;
  binding_id: string | null;
  mine: boolean;
  may_decide: boolean;
};
export type SessionRow = {
  id: string;
  current: boolean;
  username: string;
  name: string;
  address: string | null;
  agent: string | null;
  created_at: string;
  seen_at: string;
  expires_at: string;
};
export type Token = {
  id: string;
  name: string;
  hint: string;
  username: string;
  permissions: string[];
  created_at: string;
  expires_at: string;
  expired: boolean;
  last_used_at: string | null;
  last_used_address: string | null;
};
export type ServiceAccount = {
  name: string;
  username: string;
  subject: string;
  description: string;
  roles: RoleHeld[];
  created_by: string;
  created_at: string;
  disabled_at: string | null;
};
