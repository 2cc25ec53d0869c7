// A decision in words: the answer large, what decided it, the whole chain, and who could change it.
import type { ReactElement } from "react";
import { grantorWords, ruleWords } from "../../ui/access-words";
import { Icon } from "../../ui/icons";
import { Status } from "../../ui/status";
import type { Explanation } from "./shapes";
import "./access.css";

const OUTCOME = { allows: "healthy", denies: "down", "no opinion": "unknown" } as const;
const KIND: Record<string, string> = { account: "Account", binding: "Binding", role: "Role", decider: "Rule of a plugin", default: "Default" };

/** The one sentence: "Yes: alice may run SQL on catalog=lakehouse." */
export function answerWords({ allowed, username, permission, resource }: Pick<Explanation, "allowed" | "username" | "permission" | "resource">, description?: string): string {
  const what = description ? `${description.charAt(0).toLowerCase()}${description.slice(1)} (${permission})` : permission;
  return `${username} ${allowed ? "may" : "may not"} ${what}${resource ? `, on ${resource}` : ", on everything"}`;
}

/** Whether a step of the chain is the one that `decided_by` names. */
export const decides = (step: { kind: string; name: string }, decidedBy: string): boolean => decidedBy === `${step.kind} ${step.name}` || decidedBy === step.name;

export function Explained({ answer, description }: { answer: Explanation; description?: string }): ReactElement {
  return (
    <section className="panel" aria-label="Answer">
      <div className="answer" role="status" data-allowed={answer.allowed}>
        <h2>
          <Icon name={answer.allowed ? "check" : "close"} className={answer.allowed ? "ok" : "bad"} />
          {answer.allowed ? "Yes" : "No"}
        </h2>
        <p>{answerWords(answer, description)}.</p>
        <p className="t2">Decided by {ruleWords(answer.decided_by)}.</p>
        {answer.allowed ? null : <p className="t2">Who can grant it: {grantorWords(answer.grantors) || "nobody who is known here"}.</p>}
      </div>
      <ol className="chain" aria-label="How it was decided">
        {answer.chain.map((step, number) => (
          <li key={`${step.kind} ${step.name}`} data-deciding={decides(step, answer.decided_by) || undefined}>
            <p className="b">
              {number + 1}. {KIND[step.kind] ?? step.kind}
            </p>
            <div>
              <p>{step.detail}</p>
              <p className="small t2">
                <code>{step.name}</code>
                {decides(step, answer.decided_by) ? <span className="b"> This decided.</span> : null}
              </p>
            </div>
            <Status state={OUTCOME[step.outcome]} label={step.outcome} />
          </li>
        ))}
      </ol>
    </section>
  );
}
