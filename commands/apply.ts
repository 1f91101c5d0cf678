import {Args} from '@oclif/core'
import {BaseCommand} from '../src/base-command.js'
import type {ApplyOutcome} from '../src/core/model/progress.js'
import {fleetFlags} from '../src/fleet-flags.js'
import {consentFlags, progressFlag, reconcileFlag} from '../src/plan-flags.js'

/** What `apply --json` prints. */
interface ApplyResult {
  readonly plan: string
  readonly method: string
  readonly outcome: ApplyOutcome
}

/** Applies a saved plan exactly as it is. */
export default class Apply extends BaseCommand<ApplyResult> {
  static override summary = 'Apply a saved plan, exactly as it was reviewed.'
  static override description =
    'Observes again first and refuses when a fact that the plan rests on has changed, or when the plan has expired. ' +
    'Hosts are reached as the inventory or the flags say; without either, by the names in the plan.'
  static override examples = [
    '<%= config.bin %> peers fix --cluster prod --remove 192.168.1.14 --out plan.json',
    '<%= config.bin %> <%= command.id %> plan.json --cluster prod --confirm prod',
  ]
  static override args = {
    file: Args.string({required: true, description: 'Plan file, as `peers fix --out` writes it.'}),
  }
  static override flags = {...fleetFlags, ...consentFlags, ...progressFlag, ...reconcileFlag}

  /** Loads, shows, asks, applies. */
  async run(): Promise<ApplyResult> {
    const {args, flags} = await this.parse(Apply)
    const terminal = this.terminal(flags)
    const times = {reconcileMs: flags.reconcile * 1000}
    const {loadPlan, openPlanSession, hostActionsMaker} = await import('../src/context.js')
    const {obtainConsent} = await import('../src/engine/consent.js')
    const {apply, checkAge} = await import('../src/engine/use-cases/apply.js')
    const {exitOf, runPlan} = await import('../src/run-plan.js')
    const {renderPlan} = await import('../src/ui/views/plan.js')
    const {renderOutcome} = await import('../src/ui/views/progress.js')
    const {makeTheme} = await import('../src/ui/theme.js')
    const plan = await loadPlan(args.file)
    const opened = await openPlanSession(flags, plan, terminal)
    try {
      checkAge(plan, opened.session.deps.collect.clock.nowMs())
      this.log(renderPlan(plan, [], await makeTheme(terminal), terminal.width))
      const given = {yes: flags.yes, name: flags.confirm, accepted: flags.accept ?? []}
      const consent = await obtainConsent(opened.session.deps.prompt, plan, given)
      const makeActions = await hostActionsMaker(opened.session.fleet)
      const style = flags.progress ?? (this.jsonEnabled() ? 'silent' : 'lines')
      const outcome = await runPlan(plan, terminal, style, async running =>
        apply(opened.session, plan, {...running, consent, makeActions, times}),
      )
      return await this.show(
        {
          result: {plan: plan.id, method: plan.method, outcome},
          cluster: plan.cluster,
          exit: exitOf(outcome),
          screen: theme =>
            renderOutcome(plan, outcome, {theme, width: terminal.width, again: opened.session.named}),
        },
        terminal,
      )
    } finally {
      await opened.close()
    }
  }
}
