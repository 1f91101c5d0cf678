import type {Test} from 'tap'
import type {Ended} from '../lab/lab.js'
import type {Answer, Operator} from './operator.js'

/** What the tests read of a plan. */
export interface PlanView {
  readonly id: string
  readonly method: string
  readonly risks: readonly {readonly code: string; readonly mustAccept: boolean}[]
  readonly phases: readonly {
    readonly name: string
    readonly steps: readonly {
      readonly id: string
      readonly host: string
      readonly action: {readonly do: string; readonly path?: string}
    }[]
  }[]
}

/** What the tests read of a diagnosis. */
export interface DiagnosisView {
  readonly findings: readonly {readonly code: string; readonly severity: string}[]
  readonly remedies: readonly RemedyView[]
}

/** What the tests read of a way out. */
export interface RemedyView {
  readonly title: string
  readonly risk: string
  readonly commands: readonly string[]
}

/** Asks doctor; returns its exit status, the codes it found and the ways out it offers, in its order. */
export async function doctor(operator: Operator): Promise<{
  exitCode: number | undefined
  codes: ReadonlySet<string>
  remedies: readonly RemedyView[]
  text: string
}> {
  const {exitCode, answer} = await operator.json<DiagnosisView>('doctor', '--cluster', 'lab')
  const codes = new Set(answer.result?.findings.map(finding => finding.code))
  const remedies = answer.result?.remedies ?? []
  return {exitCode, codes, remedies, text: `doctor: exit ${String(exitCode)}, ${[...codes].join(', ')}`}
}

/** Has `peers fix` make a plan without carrying it out. */
export async function planned(
  operator: Operator,
  ...args: readonly string[]
): Promise<{
  exitCode: number | undefined
  plan: PlanView | undefined
  answer: Answer<unknown>
  text: string
}> {
  const {exitCode, answer, text} = await operator.json<{plan?: PlanView} & Partial<PlanView>>(
    ...['peers', 'fix', '--cluster', 'lab', ...args, '--dry-run'],
  )
  const plan =
    answer.result?.plan ?? (answer.result?.phases === undefined ? undefined : (answer.result as PlanView))
  const brief = `peers fix --dry-run: exit ${String(exitCode)}, ${plan?.method ?? text.slice(0, 1500)}`
  return {exitCode, plan, answer, text: brief}
}

/** The arguments that consent to a plan: the cluster's name and each risk that must be accepted. */
export function consent(plan: PlanView): readonly string[] {
  const accepted = plan.risks.filter(risk => risk.mustAccept).flatMap(risk => ['--accept', risk.code])
  return ['--confirm', 'lab', ...accepted]
}

/** Plans, checks the method, and carries the change out in one go. */
export async function fix(operator: Operator, method: string, ...args: readonly string[]): Promise<Ended> {
  const {plan, text} = await planned(operator, ...args)
  if (plan === undefined) throw new Error(`no plan: ${text}`)
  if (plan.method !== method) throw new Error(`the plan's method is ${plan.method}, not ${method}: ${text}`)
  return operator.run('peers', 'fix', '--cluster', 'lab', ...args, ...consent(plan))
}

/** `--remove` and `--dead` for servers that are gone for good. */
export function gone(operator: Operator, ...servers: readonly number[]): readonly string[] {
  return servers.flatMap(i => ['--remove', operator.lab.name(i), '--dead', operator.lab.name(i)])
}

/** Claims that quorate ended with exit status 0; what it printed is shown when it did not. */
export function endedWell(t: Test, {exitCode, stdout, stderr}: Ended): void {
  if (exitCode === 0) t.pass('quorate ends with exit status 0')
  else t.fail(`quorate ended with exit status ${String(exitCode)}`, {stdout, stderr})
}
