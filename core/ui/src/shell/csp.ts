// Every <style> that a script makes (Monaco, scroll locks) gets the page's nonce: the policy allows no other.
const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";
const create = document.createElement.bind(document);

document.createElement = ((tag: string, options?: ElementCreationOptions) => {
  const element = create(tag, options);
  if (element instanceof HTMLStyleElement) element.nonce = nonce;
  return element;
}) as typeof document.createElement;

export const pageNonce = nonce;
