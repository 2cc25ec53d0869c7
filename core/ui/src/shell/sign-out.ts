import { api } from "../ui/api";

/** Ends the sign-in here and, where it has a session of its own, at the provider; leaves the console. */
export async function signOut(): Promise<void> {
  // The provider keeps a session of its own: where it has to be ended by this browser, the answer says where.
  const onward = await api<{ location: string } | undefined>("/auth/logout", { method: "POST" });
  window.location.assign(onward?.location ?? "/signin");
}
