import { useEffect, useRef, type ReactElement, type ReactNode } from "react";
import { useLocation } from "react-router";
import "./layout.css";

/** The head of a page: where it is, its title (which gets the focus after navigation), one line, its actions. */
export function PageHeader({
  title,
  crumbs,
  subtitle,
  actions,
}: {
  title: string;
  crumbs?: ReactNode;
  subtitle?: ReactNode;
  actions?: ReactNode;
}): ReactElement {
  const heading = useRef<HTMLHeadingElement>(null);
  const { pathname } = useLocation();
  const first = useRef(true);
  useEffect(() => {
    document.title = `${title} · OpenLakes`;
  }, [title]);
  useEffect(() => {
    if (first.current) first.current = false;
    else heading.current?.focus();
  }, [pathname]);
  return (
    <div className="page-head">
      <div className="grow">
        {crumbs ? <div className="crumbs">{crumbs}</div> : null}
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {subtitle ? <div className="t2 small page-sub">{subtitle}</div> : null}
      </div>
      {actions ? <div className="row page-actions">{actions}</div> : null}
    </div>
  );
}

export function Panel({ title, badge, actions, children, label }: {
  title?: ReactNode;
  badge?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  label?: string;
}): ReactElement {
  return (
    <section className="panel" aria-label={label ?? (typeof title === "string" ? title : undefined)}>
      {title !== undefined || actions ? (
        <header>
          {typeof title === "string" ? <h2>{title}</h2> : title}
          {badge !== undefined ? <span className="tag">{badge}</span> : null}
          <span className="grow" />
          {actions}
        </header>
      ) : null}
      {children}
    </section>
  );
}
