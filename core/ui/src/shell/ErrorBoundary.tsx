import { Component, type ReactNode } from "react";
import { ErrorState } from "../ui/states";

type Props = { children: ReactNode; resetKey: string; onRetry?: () => void };

/** A page or a slot that fails shows that in its own place; everything around it goes on. */
export class ErrorBoundary extends Component<Props, { error: unknown }> {
  override state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error };
  }

  override componentDidUpdate(before: Props): void {
    if (before.resetKey !== this.props.resetKey && this.state.error !== null) this.setState({ error: null });
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children;
    return (
      <section className="panel failed" aria-label="Failed">
        <ErrorState
          error={this.state.error}
          retry={() => {
            this.props.onRetry?.();
            this.setState({ error: null });
          }}
        />
      </section>
    );
  }
}
