import { definePlugin } from "@openlakes/ui";
import { RecentQueries, SavedQueries } from "./RecentCard";
import { Workbench } from "./Workbench";

export default definePlugin({ pages: { Workbench }, slots: { RecentQueries, SavedQueries } });
