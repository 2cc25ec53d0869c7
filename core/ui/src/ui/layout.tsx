import { useEffect, useRef, type ReactElement, type ReactNode, type RefObject } from "react";
import { useLocation } from "react-router";
import "./layout.css";

/** The address whose title was announced last: after the first page, each new one takes the focus to its title. */
let announced: string | null = null;

/** Says the page's title to the browser and, after navigation, to who listens: the focus goes to `heading`. */
export function usePageTitle(title: string): RefObject<HTMLHeadingElement | null> {
  const heading = useRef<HTMLHeadingElement>(null);
  const { pathname } = useLocation();
  useEffect(() => {
    document.title = `${title} · OpenLakes`;
  }, [title]);
  useEffect(() => {
    if (announced !== null && announced !== pathname) heading.current?.focus();
    announced = pathname;
  }, [pathname]);
  return heading;
}

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
  const heading = usePageTitle(title);
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
