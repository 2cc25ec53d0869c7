import { pageNonce } from "./shell/csp";
import "./theme/mantine";
import "./theme/tokens.css";
import "./theme/base.css";
import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import { BrowserRouter } from "react-router";
import { ErrorBoundary } from "./shell/ErrorBoundary";
import { Portal } from "./shell/Portal";
import { ThemeSwitch } from "./shell/theme";
import { ApiError } from "./ui/api";
import { cssVariables, theme } from "./theme/theme";

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      refetchOnWindowFocus: false,
      retry: (count, error) => count < 1 && error instanceof ApiError && [0, 502, 503, 504].includes(error.problem.status),
    },
  },
});

const root = document.getElementById("root");
if (root)
  createRoot(root).render(
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} getStyleNonce={() => pageNonce}>
      <ThemeSwitch />
      {/* Where neither a dialog nor the actions of a page stand. */}
      <Notifications position="bottom-left" />
      <QueryClientProvider client={client}>
        <ErrorBoundary resetKey="portal">
          <BrowserRouter>
            <Portal />
          </BrowserRouter>
        </ErrorBoundary>
      </QueryClientProvider>
    </MantineProvider>,
  );
