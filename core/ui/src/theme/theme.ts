// Mantine under our tokens: sizes are dense, radius 6, one accent; colours are CSS variables of tokens.css.
import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

const lake: MantineColorsTuple = [
  "#e0f1f0", "#bfe3e1", "#8fd0cd", "#5cbcb8", "#45c6c0", "#1f8f8f", "#0a6a6c", "#07575a", "#064648", "#04383a",
];

const dark: MantineColorsTuple = [
  "#e4ecf1", "#adbac5", "#8b99a5", "#5b6a77", "#3b4a56", "#24303a", "#18222a", "#131b21", "#0d1317", "#0a0f13",
];
const gray: MantineColorsTuple = [
  "#f6f8f9", "#eef2f4", "#dde4e8", "#ced7dd", "#b9c4cc", "#8a98a4", "#5d6b77", "#44525e", "#2b3a46", "#13202a",
];

export const theme = createTheme({
  primaryColor: "lake",
  primaryShade: { light: 6, dark: 4 },
  colors: { lake, dark, gray },
  autoContrast: true,
  fontFamily: "var(--font)",
  fontFamilyMonospace: "var(--mono)",
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "20px" },
  radius: { xs: "4px", sm: "6px", md: "6px", lg: "6px", xl: "6px" },
  defaultRadius: "sm",
  cursorType: "pointer",
  components: {
    Button: { defaultProps: { size: "xs", variant: "default" } },
    TextInput: { defaultProps: { size: "xs" } },
    Select: { defaultProps: { size: "xs", comboboxProps: { shadow: "md" } } },
    Autocomplete: { defaultProps: { size: "xs", comboboxProps: { shadow: "md" } } },
    NumberInput: { defaultProps: { size: "xs" } },
    Textarea: { defaultProps: { size: "xs" } },
    Modal: { defaultProps: { centered: true, closeButtonProps: { "aria-label": "Close" } } },
    Drawer: { defaultProps: { closeButtonProps: { "aria-label": "Close" } } },
    Notification: { defaultProps: { closeButtonProps: { "aria-label": "Dismiss" } } },
    CloseButton: { defaultProps: { "aria-label": "Close" } },
    Menu: { defaultProps: { withInitialFocusPlaceholder: false } },
    Tooltip: { defaultProps: { openDelay: 300, withArrow: false } },
  },
});

const shared = {
  "--mantine-color-body": "var(--surface)",
  "--mantine-color-text": "var(--text)",
  "--mantine-color-dimmed": "var(--text-2)",
  "--mantine-color-default": "var(--surface)",
  "--mantine-color-default-hover": "var(--sunken)",
  "--mantine-color-default-color": "var(--text)",
  "--mantine-color-default-border": "var(--line-strong)",
  "--mantine-color-placeholder": "var(--text-3)",
  "--mantine-color-error": "var(--bad)",
  "--mantine-color-anchor": "var(--accent)",
  "--mantine-primary-color-filled": "var(--accent)",
  "--mantine-primary-color-filled-hover": "var(--accent-hover)",
  "--mantine-primary-color-contrast": "var(--on-accent)",
  "--mantine-primary-color-light": "var(--accent-soft)",
  "--mantine-primary-color-light-color": "var(--accent)",
  "--mantine-color-lake-filled": "var(--accent)",
  "--mantine-color-lake-filled-hover": "var(--accent-hover)",
  "--mantine-shadow-md": "var(--shadow)",
};

export const cssVariables: CSSVariablesResolver = () => ({ variables: {}, light: shared, dark: shared });
