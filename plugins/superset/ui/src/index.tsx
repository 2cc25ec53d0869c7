import { definePlugin } from "@openlakes/ui";
import { Gallery } from "./Gallery";
import { OneChart, OneDashboard } from "./One";
import { OpenInSuperset } from "./OpenInSuperset";

export default definePlugin({ pages: { Gallery, OneDashboard, OneChart }, slots: { OpenInSuperset } });
